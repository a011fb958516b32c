"""One small part of each kind that a task's step may have, made without records."""

import numpy as np

from tests.tasks.small_batch import FEATURES, MASK, SHAPES, make_image, make_text
from unimo_paddle.data.batch import LanguageLabels, Sequences, pad
from unimo_paddle.data.encode import ImageRow, TextRow
from unimo_paddle.data.patterns import bidirectional, image_prefix
from unimo_paddle.data.task_batch import AnswerPart, ClassPart, GeneratePart, MatchPart, NumberPart
from unimo_paddle.model.task_model import ANSWER, GENERATE, MATCH, HeadShape, UnimoForTask
from unimo_paddle.model.unimo import Unimo
from unimo_paddle.task_spec import Answer, Classify, Generate, Head, Match, Regress, Task

VOCABULARY, WIDTH, LABELS, CLS, SEP, PAD = 30, 16, 3, 0, 2, 1
TARGETS = (3, 5, 2)  # words of the targets, start and end not counted


def make_model(
    shape: HeadShape, dropout: float = 0.0, operators: str = "plain", recompute: bool = False
) -> UnimoForTask:
    encoder = Unimo(VOCABULARY, WIDTH, 2, 2, FEATURES, 40, dropout, dropout, operators, recompute)
    return UnimoForTask(encoder, shape)


def make_task(head: Head, reads: tuple[str, ...] = ("image", "text")) -> Task:
    return Task("small", "small", reads, head, ("accuracy",), "accuracy")


SHAPES_OF = {
    "class": (Classify("sum", 7), HeadShape(ANSWER, LABELS, "sum", 7)),
    "words alone": (Classify(), HeadShape(ANSWER, LABELS)),
    "number": (Regress(), HeadShape(ANSWER, 1)),
    "answer": (Answer(), HeadShape(ANSWER, LABELS, "product")),
    "match": (Match(), HeadShape(MATCH)),
    "generate": (Generate(), HeadShape(GENERATE)),
    "dialogue": (Generate(dialogue=True), HeadShape(GENERATE, dialogue=True)),
}


def images(rng: np.random.Generator) -> list[ImageRow]:
    return [make_image(rng, regions) for regions, _ in SHAPES]


def texts(rng: np.random.Generator) -> list[TextRow]:
    return [make_text(rng, words) for _, words in SHAPES]


def understood(with_images: bool = True) -> Sequences:
    """Three texts of different length, with their images or alone."""
    rng = np.random.default_rng(5)
    seen, said = images(rng) if with_images else [], texts(rng)
    rows = [len(one.features) for one in seen] or [0] * len(said)
    return pad(seen, said, [bidirectional(r, len(one.ids)) for r, one in zip(rows, said, strict=True)])


def make_class(with_images: bool = True) -> ClassPart:
    return ClassPart(understood(with_images), np.array([2, 0, 1]))


def make_number() -> NumberPart:
    return NumberPart(understood(False), np.array([0.5, 3.0, 4.5], np.float32))


def make_answer() -> AnswerPart:
    return AnswerPart(understood(), np.array([[1, 0.3, 0], [0, 0, 0.9], [0, 1, 0.6]], np.float32))


def make_generate(dialogue: bool = False) -> GeneratePart:
    """Images with two to four tags before the target; of dialogues the tags are turns."""
    rng = np.random.default_rng(6)
    seen, tags = images(rng), [rng.integers(4, MASK, count) for count in (2, 4, 3)]
    targets = [rng.integers(4, MASK, count) for count in TARGETS]
    whole, sources = [], []
    for before, target in zip(tags, targets, strict=True):
        sources.append(_text([before], dialogue))
        whole.append(_text([before, [CLS, *target, SEP]], dialogue))
    prefixes = [
        image_prefix(len(image.features), len(before), len(target) + 2)
        for image, before, target in zip(seen, tags, targets, strict=True)
    ]
    sequences = pad(seen, whole, prefixes)
    width = sequences.token_ids.shape[1]
    rows = [b * width + len(tags[b]) + np.arange(len(target) + 1) for b, target in enumerate(targets)]
    labels = LanguageLabels(np.concatenate(rows), np.concatenate([[*target, SEP] for target in targets]))
    alone = [bidirectional(len(image.features), len(before)) for image, before in zip(seen, tags, strict=True)]
    references = (("w4 w5",), ("w6 w7 w8", "w9"), ("w5 w5",))
    return GeneratePart(sequences, labels, pad(seen, sources, alone), references, np.array([len(one) for one in tags]))


def _text(pieces: list[list[int]], dialogue: bool) -> TextRow:
    ids = np.concatenate(pieces).astype(np.int64)
    positions = np.concatenate([np.arange(2, len(piece) + 2) for piece in pieces])
    turns = np.zeros(len(ids), np.int64)
    turns[: len(pieces[0])] = np.arange(len(pieces[0]), 0, -1)
    return TextRow(ids, positions, np.ones(len(ids), bool), *((turns % 2, turns) if dialogue else ()))


def make_match(pool: int = 0) -> MatchPart:
    """Two captions, each with two wrong images and two wrong captions out of six and seven."""
    rng = np.random.default_rng(7)
    seen = tuple(make_image(rng, 2 + n % 3) for n in range(6))
    said = tuple(make_text(rng, 3 + n % 4) for n in range(7))
    pairs = np.array([[(0, 0), (1, 0), (2, 0), (0, 1), (0, 2)], [(3, 3), (4, 3), (5, 3), (3, 4), (3, 5)]])
    image_pool, text_pool = np.array([[3, 4, 5], [0, 1, 2]]), np.array([[3, 4, 6], [0, 1, 6]])
    return MatchPart(seen, said, pairs, image_pool[:, :pool], text_pool[:, :pool])
