"""Accuracy of hidden words and regions, against one pair at a time and against a model that is told the answers."""

import numpy as np
import paddle
import pytest

from unimo_paddle.data import masking
from unimo_paddle.data.batch import pad
from unimo_paddle.data.patterns import bidirectional
from unimo_paddle.model.inputs import to_tensors
from unimo_paddle.model.unimo import States
from unimo_paddle.probes import hidden
from unimo_paddle.probes.hidden import HiddenClasses, masked_regions, masked_word_accuracy, region_accuracy


def one_by_one(pieces):
    """Slow oracle: (right, asked) over all hidden words, each pair alone, unpadded, logits at every place."""
    right = asked = 0
    for i, (image, text) in enumerate(zip(pieces.pairs.images, pieces.pairs.texts, strict=True)):
        one = masking.mask_spans(text, np.random.default_rng((hidden.SEED, i)), pieces.tokenizer.mask)
        inputs = to_tensors(pad([image], [one.text], [bidirectional(len(image.features), len(text.ids))]))
        states = pieces.model(inputs)
        every = pieces.model.language_logits(states, paddle.arange(len(text.ids))).numpy()
        right += sum(every[place].argmax() == word for place, word in zip(one.labelled, one.targets, strict=True))
        asked += len(one.targets)
    return right, asked


@pytest.mark.parametrize("batch", [1, 2, 64])
def test_words_equal_one_pair_at_a_time(pieces, batch):
    right, asked = one_by_one(pieces)
    assert asked >= 5  # at least one a pair
    assert masked_word_accuracy(pieces.model, pieces.pairs, pieces.tokenizer.mask, batch) == right / asked


class Knowing:
    """Stands in for a model: always sure of one word and one class."""

    def __init__(self, word, region_class):
        self.word, self.region_class = word, region_class

    def __call__(self, inputs):
        return States(inputs.features, inputs.token_ids)

    def language_logits(self, states, rows):
        return paddle.nn.functional.one_hot(paddle.full(rows.shape, self.word, "int64"), 400)

    def region_outputs(self, states, rows):
        return None, paddle.nn.functional.one_hot(paddle.full(rows.shape, self.region_class, "int64"), 3)


def test_a_model_that_says_one_word_is_right_where_it_stands(pieces):
    masks = [masking.mask_spans(text, np.random.default_rng((hidden.SEED, i)), pieces.tokenizer.mask)
             for i, text in enumerate(pieces.pairs.texts)]  # fmt: skip
    targets = np.concatenate([one.targets for one in masks])
    word = int(targets[0])
    found = masked_word_accuracy(Knowing(word, 1), pieces.pairs, pieces.tokenizer.mask, 3)
    assert found == (targets == word).mean() > 0


def test_regions_are_hidden_the_same_way_whatever_the_batch(pieces):
    one, all_at_once = (masked_regions(pieces.model, pieces.pairs, batch) for batch in (1, 64))
    for a, b, image in zip(one, all_at_once, pieces.pairs.images, strict=True):
        np.testing.assert_array_equal(a.rows, b.rows)
        np.testing.assert_array_equal(a.predicted, b.predicted)
        assert len(a.rows) == len(a.predicted) == len(a.detected) >= 1 and a.rows.min() >= 1
        assert a.rows.max() < len(image.features) and a.predicted.min() >= 1


def test_background_is_never_the_answer_and_accuracy_is_over_all_regions(pieces):
    found = masked_regions(Knowing(5, 0), pieces.pairs, 2)
    assert {int(label) for one in found for label in one.predicted} == {1}  # the first of equal ones
    rows = np.array([1, 2])
    half = [HiddenClasses(rows, np.array([1, 2]), np.array([1, 1])), HiddenClasses(rows, rows, rows)]
    assert region_accuracy(half) == 0.75
