"""Records -> rows: one caption or one image as the arrays that the model reads, not yet padded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.data.tokenizer import Tokens
from unimo_paddle.errors import UserError
from unimo_paddle.regions import Regions

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

FIRST_POSITION = 2  # rows 0 and 1 of RoBERTa's position table are never used (release, section 3)


@dataclass(frozen=True)
class TextRow:
    """ids, positions: int64 [T]; word_start: bool [T], True where a word (or a special token) begins.

    roles, turns: int64 [T], see data/batch.py Sequences; None outside dialogues.
    """

    ids: Ints
    positions: Ints
    word_start: Bools
    roles: Ints | None = None
    turns: Ints | None = None


@dataclass(frozen=True)
class ImageRow:
    """Row 0 is [IMG], rows 1..R the regions.

    features: float32 [R+1, D]; locations: float32 [R+1, 5], parts of the image; class_probs: float32
    [R+1, C], zeros in row 0, which is never a target; boxes: float32 [R+1, 4], x1 y1 x2 y2 in pixels.
    """

    features: Floats
    locations: Floats
    class_probs: Floats
    boxes: Floats


def encode_text(tokens: Tokens, cls: int, sep: int, max_tokens: int) -> TextRow:
    """Wrap the words as [CLS] w1..wn [SEP] with positions from 2; too long a text loses its last words.

    max_tokens counts the two special tokens.  Source: release, sections 3 and 5.3.
    """
    assert max_tokens >= 2, max_tokens
    kept = tokens.ids[: max_tokens - 2]
    starts = tokens.word_start[: max_tokens - 2]
    ids = np.concatenate(([cls], kept, [sep])).astype(np.int64)
    word_start = np.concatenate(([True], starts, [True])).astype(np.bool_)
    return TextRow(ids, np.arange(len(ids)) + FIRST_POSITION, word_start)


def encode_image(regions: Regions, image_id: str, max_regions: int) -> ImageRow:
    """Put [IMG] (the mean region in a box as large as the image) before at most max_regions regions.

    The mean is taken over ALL regions, before the cut (release, section 4).
    Raises UserError when the image has no regions, whose mean would be NaN, or when a number of theirs is not finite.
    """
    if len(regions.features) == 0:
        raise UserError(f"image {image_id!r} has 0 regions, at least 1 is needed: extract its regions again")
    mean = regions.features.mean(axis=0, keepdims=True, dtype=np.float32)
    if not all(np.isfinite(part).all() for part in (mean, regions.boxes, regions.class_probs)):
        raise UserError(
            f"image {image_id!r} has regions that hold NaN or infinity; find all such images with "
            f"tools/extract.py verify, and extract them again"
        )
    whole = np.array([[0, 0, regions.width, regions.height]], np.float32)
    boxes = np.concatenate((whole, regions.boxes[:max_regions]))
    class_probs = regions.class_probs[:max_regions]
    return ImageRow(
        features=np.concatenate((mean, regions.features[:max_regions])),
        locations=_locations(boxes, regions.width, regions.height),
        class_probs=np.concatenate((np.zeros_like(class_probs[:1]), class_probs)),
        boxes=boxes,
    )


def _locations(boxes: Floats, width: int, height: int) -> Floats:
    """x1/W, y1/H, x2/W, y2/H and the share of the area: float32 [N, 5] (release, section 4)."""
    corners = boxes / np.array([width, height, width, height], np.float32)
    area = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    return np.concatenate((corners, area[:, None]), axis=1).astype(np.float32)
