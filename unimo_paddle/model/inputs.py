"""The tensor twin of a padded batch of sequences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import paddle
from paddle import Tensor

if TYPE_CHECKING:   # the numpy side needs no import here: only its field names are read
    from unimo_paddle.data.batch import Sequences


@dataclass(frozen=True)
class Inputs:
    """What the encoder reads: R image rows, then T text tokens; S = R + T, and R or T may be 0.

    features: float [B, R, D]; locations: float [B, R, 5] (x1/W, y1/H, x2/W, y2/H, area share);
    token_ids, positions: int64 [B, T]; reach, group: int32 [B, S]; is_pad: bool [B, S].
    image_of: int64 [B], which image each row reads where several read one, None where each has its own.
    """

    features: Tensor
    locations: Tensor
    token_ids: Tensor
    positions: Tensor
    reach: Tensor
    group: Tensor
    is_pad: Tensor
    image_of: Tensor | None = None


def to_tensors(sequences: Sequences) -> Inputs:
    """Copy a batch's numpy arrays to tensors on the current device; shapes and dtypes as in `Inputs`."""
    arrays = {name: getattr(sequences, name) for name in Inputs.__dataclass_fields__}
    return Inputs(**{name: paddle.to_tensor(array) for name, array in arrays.items() if array is not None})
