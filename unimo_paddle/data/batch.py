"""Rows -> batches: padded numpy arrays and flat label lists; paddle is not needed to make them.

Legend: B examples, R image rows ([IMG] first), T text rows, D feature width, C region classes,
G joint sequences per pair, M / K labelled text / image rows of the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.data.encode import Bools, Floats, ImageRow, Ints, TextRow
from unimo_paddle.data.masking import HiddenRegions, HiddenText
from unimo_paddle.data.patterns import Pattern

_Number = TypeVar("_Number", np.float32, np.int64)

PAD = 1  # token ids and positions are both padded with 1 (release, section 3)


@dataclass(frozen=True)
class Sequences:
    """What the encoder reads: image rows, then text rows; R or T may be 0.

    features: float32 [B, R, D]; locations: float32 [B, R, 5]; token_ids, positions: int64 [B, T];
    reach, group: int32 [B, R+T], the attention pattern (data/patterns.py); is_pad: bool [B, R+T].
    Without images D is 0 too: nothing says how wide their features would have been.
    """

    features: Floats
    locations: Floats
    token_ids: Ints
    positions: Ints
    reach: NDArray[np.int32]
    group: NDArray[np.int32]
    is_pad: Bools


@dataclass(frozen=True)
class LanguageLabels:
    """rows: int64 [M], places in the flat [B*T] of text rows; targets: int64 [M], token ids."""

    rows: Ints
    targets: Ints


@dataclass(frozen=True)
class VisualLabels:
    """rows: int64 [K], places in the flat [B*R] of image rows; features: float32 [K, D] and
    class_probs: float32 [K, C], the region's own."""

    rows: Ints
    features: Floats
    class_probs: Floats


@dataclass(frozen=True)
class PairBatch:
    """B pairs under each objective.

    language: image visible, words hidden (objective says how: bidirectional or seq2seq); visual: words
    visible, regions hidden; contrast: nothing hidden, [B*G, ..], rows b*G .. b*G+G-1 are pair b with the
    original caption, its positives, its negatives.  is_positive, is_real: bool [B, G]; rows that are not
    real only fill up a pair with fewer rewrites than asked, and count for nothing.  apart: nothing hidden, image
    and caption do not read each other; belongs: bool [B, B], caption j is of image b, or says the same as one of it.
    """

    ids: list[str]
    language: Sequences
    language_labels: LanguageLabels
    visual: Sequences
    visual_labels: VisualLabels
    contrast: Sequences
    is_positive: Bools
    is_real: Bools
    apart: Sequences
    belongs: Bools
    objective: str


def pad(images: Sequence[ImageRow], texts: Sequence[TextRow], patterns: Sequence[Pattern]) -> Sequences:
    """Pad to the longest image and the longest text of the batch: ids and positions 1, features 0.

    patterns: one a row of the batch, over its own image rows and text rows, padding not counted.  images or
    texts may be empty as a whole (text alone, images alone).  A pad row repeats the pattern of the row before
    it, so that reach never decreases within a part; is_pad keeps everyone from reading it.
    """
    size = len(patterns)
    n_regions = np.array([len(image.features) for image in images] or [0] * size)
    n_words = np.array([len(text.ids) for text in texts] or [0] * size)
    assert len(n_regions) == len(n_words) == size, (len(images), len(texts), size)
    region, word = np.arange(n_regions.max(initial=0)), np.arange(n_words.max(initial=0))
    reach = np.zeros((size, len(region) + len(word)), np.int32)
    group = np.zeros_like(reach)
    for b, (own_reach, own_group) in enumerate(patterns):
        r, t = n_regions[b], n_words[b]
        assert len(own_reach) == r + t, (b, len(own_reach), r, t)
        place = np.concatenate((np.minimum(region, r - 1), r + np.minimum(word, t - 1)))
        reach[b], group[b] = own_reach[place], own_group[place]
    return Sequences(
        features=_stack([image.features for image in images], 0, np.zeros((size, 0, 0), np.float32)),
        locations=_stack([image.locations for image in images], 0, np.zeros((size, 0, 5), np.float32)),
        token_ids=_stack([text.ids for text in texts], PAD, np.zeros((size, 0), np.int64)),
        positions=_stack([text.positions for text in texts], PAD, np.zeros((size, 0), np.int64)),
        reach=reach,
        group=group,
        is_pad=np.concatenate((region >= n_regions[:, None], word >= n_words[:, None]), axis=1),
    )


def language_labels(hidden: Sequence[HiddenText], width: int) -> LanguageLabels:
    """Collect the labels of a batch whose texts were padded to `width` tokens."""
    rows = [b * width + one.labelled for b, one in enumerate(hidden)]
    return LanguageLabels(np.concatenate(rows), np.concatenate([one.targets for one in hidden]))


def visual_labels(hidden: Sequence[HiddenRegions], originals: Sequence[ImageRow], width: int) -> VisualLabels:
    """Collect the hidden regions' own features and classes; the images were padded to `width` rows."""
    pairs = list(zip(hidden, originals, strict=True))
    return VisualLabels(
        rows=np.concatenate([b * width + one.masked for b, one in enumerate(hidden)]),
        features=np.concatenate([image.features[one.masked] for one, image in pairs]),
        class_probs=np.concatenate([image.class_probs[one.masked] for one, image in pairs]),
    )


def _stack(rows: Sequence[NDArray[_Number]], fill: int, empty: NDArray[_Number]) -> NDArray[_Number]:
    """Stack rows [L, ..] of different length to [B, longest, ..]; `empty` where there are no rows."""
    if not rows:
        return empty
    longest = max(len(row) for row in rows)
    stacked = np.full((len(rows), longest, *rows[0].shape[1:]), fill, rows[0].dtype)
    for b, row in enumerate(rows):
        stacked[b, : len(row)] = row
    return stacked
