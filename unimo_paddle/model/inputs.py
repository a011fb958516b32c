"""The tensor twin of a padded batch of sequences, and which of its rows are read in the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import Tensor

if TYPE_CHECKING:   # the numpy side needs no import here: only its field names are read
    from unimo_paddle.data.batch import Sequences


@dataclass(frozen=True)
class Inputs:
    """What the encoder reads: R image rows, then T text tokens; S = R + T, and R or T may be 0.

    features: float [B, R, D]; locations: float [B, R, 5] (x1/W, y1/H, x2/W, y2/H, area share);
    token_ids, positions: int64 [B, T]; reach, group: int32 [B, S]; is_pad: bool [B, S].
    image_of: int64 [B], which image each row reads where several read one, None where each has its own.
    roles, turns: int64 [B, T], of a dialogue's words, None elsewhere.
    text_delta: float [B, T, H], added to the words' embeddings; image_delta: float [B, R, D], shaped like features and
    added to them; None outside adversarial training.
    """

    features: Tensor
    locations: Tensor
    token_ids: Tensor
    positions: Tensor
    reach: Tensor
    group: Tensor
    is_pad: Tensor
    image_of: Tensor | None = None
    roles: Tensor | None = None
    turns: Tensor | None = None
    text_delta: Tensor | None = None
    image_delta: Tensor | None = None


@dataclass(frozen=True)
class Read:
    """Rows of the last layer's states that are read, image rows first: of no others the last layer computes any.

    readers: int64 [B, Q], flat indices into B * S: of each sequence the positions read, the shorter lists filled up
    with the sequence's first; places: int64 [K + M], where in the flat [B * Q] the K image rows and M text rows are.
    image, text: the shapes in which they are wanted.
    """

    readers: Tensor
    places: Tensor
    image: tuple[int, ...]
    text: tuple[int, ...]


Rows = NDArray[np.int64]
NOTHING: Rows = np.zeros(0, np.int64)


def to_read(sequences: Sequences | Inputs, image: Rows = NOTHING, text: Rows = NOTHING) -> Read:
    """Say which rows of a batch are read. image: int64, any shape, flat indices into B * R; text: into B * T."""
    (batch, length), regions, words = sequences.is_pad.shape, sequences.features.shape[1], sequences.token_ids.shape[1]
    rows = np.concatenate([_in_whole(image, regions, 0, length), _in_whole(text, words, regions, length)])
    sequence = rows // length
    counts, order = np.bincount(sequence, minlength=batch), np.argsort(sequence, kind="stable")
    most, before = max(int(counts.max()), 1), np.cumsum(counts) - counts
    places = most * sequence
    places[order] += np.arange(len(rows)) - before[sequence[order]]
    readers = np.repeat(np.arange(batch) * length, most)
    readers[places] = rows
    tensors = paddle.to_tensor(readers.reshape(batch, most)), paddle.to_tensor(places)
    return Read(*tensors, image.shape, text.shape)


def first_rows(sequences: Sequences) -> Read:
    """Read the [IMG] and the [CLS] of each sequence, of those that it has, [B, 1] each."""
    start, regions, words = np.arange(len(sequences.is_pad))[:, None], sequences.features.shape[1], sequences.token_ids
    image, text = (start * width if width else NOTHING for width in (regions, words.shape[1]))
    return to_read(sequences, image, text)


def _in_whole(rows: Rows, width: int, begin: int, length: int) -> Rows:
    """Return int64 [N], flat indices into B * S, of rows of a part that is `width` wide and starts at `begin`."""
    sequence, position = np.divmod(rows.reshape(-1), max(width, 1))
    return sequence * length + begin + position


def to_tensors(sequences: Sequences) -> Inputs:
    """Copy a batch's numpy arrays to tensors on the current device; shapes and dtypes as in `Inputs`."""
    return Inputs(**{name: paddle.to_tensor(array) for name, array in vars(sequences).items() if array is not None})
