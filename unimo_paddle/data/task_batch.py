"""The parts of a task's step and what is evaluated, as numpy arrays. Each part is one forward and one backward pass.

Legend: B examples of a part, R image rows ([IMG] first), T text rows, A answers of the vocabulary, k negatives of
each kind, p candidates of each kind from which the current model picks harder ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.data.batch import Chunks, LanguageLabels, Sequences, pad_in_chunks
from unimo_paddle.data.encode import Floats, ImageRow, Ints, TextRow


@dataclass(frozen=True)
class ClassPart:
    """targets: int64 [B], the number of each example's class."""

    sequences: Sequences
    targets: Ints


@dataclass(frozen=True)
class NumberPart:
    """targets: float32 [B]."""

    sequences: Sequences
    targets: Floats


@dataclass(frozen=True)
class AnswerPart:
    """targets: float32 [B, A], the score of each answer of the vocabulary, from 0 to 1."""

    sequences: Sequences
    targets: Floats


@dataclass(frozen=True)
class GeneratePart:
    """Texts to be generated. A row of the batch is [image][tags][source][target]; the target is [CLS] words end, and
    each of its rows but the last predicts the next.

    labels: of all targets, in the flat [B*T] of text rows.  prompt: image, tags and source alone, in the same order of
    examples: what generation goes on from.  references: B, all texts that count as right, as words.
    source_rows: int64 [B], text rows before the target, tags counted.
    """

    sequences: Sequences
    labels: LanguageLabels
    prompt: Sequences
    references: tuple[tuple[str, ...], ...]
    source_rows: Ints


@dataclass(frozen=True)
class MatchPart:
    """Captions with their images, and both with wrong partners.

    images, texts: each that the part shows, once.  pairs: int64 [B, 1+2k, 2], an index of `images` and one of `texts`:
    column 0 belongs together, k wrong images for the same caption follow, then k wrong captions for the same image.
    image_pool, text_pool: int64 [B, p], more wrong images (of `images`) for the caption and wrong captions (of
    `texts`) for the image, none of which is in `pairs`.
    """

    images: tuple[ImageRow, ...]
    texts: tuple[TextRow, ...]
    pairs: Ints
    image_pool: Ints
    text_pool: Ints


TaskPart = ClassPart | NumberPart | AnswerPart | GeneratePart | MatchPart


@dataclass(frozen=True)
class TaskBatch:
    """One rank's share of a step: an engine.passes.Batch.

    kind: the task's name; ids: of the rank's examples; parts: a micro-batch each.
    """

    kind: str
    ids: list[str]
    parts: tuple[TaskPart, ...]


@dataclass(frozen=True)
class EvalBatch:
    """indices: int64 [B], rows of the split; sequences: what the model reads of them, without any target."""

    indices: NDArray[np.int64]
    sequences: Sequences


def joint(images: Sequence[ImageRow], texts: Sequence[TextRow], pairs: Ints) -> Chunks:
    """Lay out pairs for one model that reads image and text together; chunks of like length, an image held once.

    pairs: int64 [.., 2], of `images` and `texts`; the N sequences are in their flat order (Chunks.back).
    """
    flat = pairs.reshape(-1, 2)
    return pad_in_chunks(images, [texts[text] for text in flat[:, 1]], flat[:, 0])
