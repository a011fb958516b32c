"""Counted FLOPs against a count by hand and against every product that a real forward makes."""

import math

import numpy as np
import paddle
import pytest

from tests.tasks.small_batch import CLASSES, FEATURES, make_batch
from unimo_paddle.data.batch import Batch, LanguageLabels, LanguagePart, Parts, VisualPart, pad
from unimo_paddle.data.encode import ImageRow, TextRow
from unimo_paddle.data.patterns import bidirectional
from unimo_paddle.model.flops import Cost, part_cost
from unimo_paddle.model.model_folder import ModelSizes
from unimo_paddle.model.unimo import Unimo, UnimoForPretraining
from unimo_paddle.tasks.pretraining import Pretraining

SIZES = ModelSizes(30, 8, 2, 2, 40, FEATURES, CLASSES)


def count_products(monkeypatch, run):
    """Slow oracle: 2 m k n of every product that `run` makes, and how many there were."""
    counted = []
    matmul, linear = paddle.matmul, paddle.nn.functional.linear

    def counting_matmul(x, y, transpose_x=False, transpose_y=False, name=None):
        made = matmul(x, y, transpose_x, transpose_y)
        counted.append(2 * math.prod(made.shape) * x.shape[-2 if transpose_x else -1])
        return made

    def counting_linear(x, weight, bias=None, name=None):
        counted.append(2 * math.prod(x.shape) * weight.shape[1])
        return linear(x, weight, bias)

    monkeypatch.setattr(paddle, "matmul", counting_matmul)
    monkeypatch.setattr(paddle.nn.functional, "linear", counting_linear)
    run()
    return sum(counted), len(counted)


@pytest.fixture(scope="module")
def work():
    model = UnimoForPretraining(Unimo(30, 8, 2, 2, FEATURES, 40, 0.0, 0.0), CLASSES)
    return Pretraining(model, lambda step: make_batch("seq2seq"), temperature=0.1)


def alone(texts):
    """Some texts without images, their first word labelled."""
    rows = [TextRow(np.full(n, 5), np.arange(2, n + 2), np.ones(n, bool)) for n in texts]
    sequences = pad([], rows, [bidirectional(0, n) for n in texts])
    return LanguagePart("bidirectional", sequences, LanguageLabels(np.array([1]), np.array([5])))


@pytest.mark.parametrize(
    "batch",
    [
        make_batch("bidirectional"),
        make_batch("seq2seq"),
        make_batch("seq2seq", Parts(in_batch=False)),
        make_batch("seq2seq", Parts(in_batch=False), found=(0, 0)),
        make_batch("seq2seq", Parts(contrast=False)),
        make_batch("seq2seq", found=(0, 3)),
        Batch("text", ["a"], (alone([4, 7]),)),
    ],
    ids=["bidirectional", "seq2seq", "no in-batch", "nothing retrieved", "only in-batch", "texts alone", "text"],
)
def test_three_times_every_product_of_the_forward(monkeypatch, work, batch):
    for part in batch.parts:
        counted, products = count_products(monkeypatch, lambda part=part: work.losses(part))
        assert products >= 2 * 8  # two layers of six linears, scores and mixing: the hooks did see them
        assert part_cost(part, SIZES).flops == 3 * counted


def test_by_hand():
    """Width 2, two layers, D 3, V 7, C 4: one image of 2 rows with a text of 3 tokens, one of the two texts padded.
    Of the first text two words are read, of the second one: 2 x 2 rows ask in the last layer, 3 go through it."""
    image = ImageRow(*(np.ones((2, n), np.float32) for n in (3, 5, 4, 4)))
    texts = [TextRow(np.full(n, 5), np.arange(2, n + 2), np.ones(n, bool)) for n in (3, 1)]
    sequences = pad([image, image], texts, [bidirectional(2, 3), bidirectional(2, 1)])
    sizes = ModelSizes(7, 2, 2, 1, 40, 3, 4)
    embedding = 2 * (2 * 2 * 3 * 2 + 2 * 2 * 5 * 2)  # 4 rows of 3 and of 5 numbers to 2
    linears = 2 * 10 * (4 * 2 * 2 + 2 * 2 * 8)  # 10 rows: 4 products 2 x 2, then 2 x 8 and 8 x 2
    attention = 2 * 2 * (5 * 5 * 2) * 2  # 2 sequences: 5 x 2 by 2 x 5, and 5 x 5 by 5 x 2
    last = 2 * (10 * 2 * 2 * 2 + 4 * 2 * 2) + 2 * 2 * (2 * 5 * 2) * 2 + 2 * 3 * (2 * 2 + 2 * 2 * 8)
    encoder = embedding + linears + attention + last
    labels = LanguageLabels(np.array([1, 2, 3]), np.array([5, 5, 5]))
    head = 2 * 3 * (2 * 2 + 2 * 7)
    part = LanguagePart("bidirectional", sequences, labels)
    assert part_cost(part, sizes) == Cost(tokens=8, rows=10, flops=3.0 * (encoder + head))
    visual = VisualPart(sequences, type("Labels", (), {"rows": np.array([1])})())
    # one region: one row of each sequence, one in all
    last -= 2 * 2 * 2 * 2 + 2 * 2 * (5 * 2) * 2 + 2 * 2 * (2 * 2 + 2 * 2 * 8)
    encoder = embedding + linears + attention + last
    assert part_cost(visual, sizes).flops == 3 * (encoder + 2 * (2 * 3 + 2 * 4))


def test_an_image_shared_by_its_texts_is_embedded_once():
    image = ImageRow(*(np.ones((2, n), np.float32) for n in (FEATURES, 5, CLASSES, 4)))
    texts = [TextRow(np.full(3, 5), np.arange(2, 5), np.ones(3, bool))] * 2
    labels, patterns = LanguageLabels(np.array([1]), np.array([5])), [bidirectional(2, 3)] * 2
    shared = part_cost(LanguagePart("bidirectional", pad([image], texts, patterns, np.array([0, 0])), labels), SIZES)
    apart = part_cost(LanguagePart("bidirectional", pad([image] * 2, texts, patterns), labels), SIZES)
    assert (shared.tokens, shared.rows) == (apart.tokens, apart.rows) == (10, 10)
    assert apart.flops - shared.flops == 3 * 2 * 2 * 8 * (FEATURES + 5)
