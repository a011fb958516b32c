"""Rows -> batches: padded numpy arrays and flat label lists; paddle is not needed to make them.

Legend: B examples, R image rows ([IMG] first), T text rows, D feature width, C region classes,
G joint sequences per pair, M / K labelled text / image rows of the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.data.encode import Bools, Floats, ImageRow, Ints, TextRow
from unimo_paddle.data.masking import HiddenRegions, HiddenText
from unimo_paddle.data.patterns import Pattern

PAD = 1  # token ids and positions are both padded with 1 (release.md section 3)


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
    real only fill up a pair with fewer rewrites than asked, and count for nothing.
    """

    ids: list[str]
    language: Sequences
    language_labels: LanguageLabels
    visual: Sequences
    visual_labels: VisualLabels
    contrast: Sequences
    is_positive: Bools
    is_real: Bools
    objective: str


def pad(
    images: Sequence[ImageRow], texts: Sequence[TextRow], patterns: Sequence[Pattern]
) -> Sequences:
    """Pad to the longest image and the longest text of the batch: ids and positions 1, features 0.

    patterns: one a row, over its own image rows and text rows, padding not counted.  images or texts may be
    empty as a whole (text alone, images alone).  A pad row repeats the pattern of the row before it, so
    that reach never decreases within a part; is_pad keeps everyone from reading it.
    """
    sizes = [(len(image.features) if image else 0, len(text.ids) if text else 0)
             for image, text in _side_by_side(images, texts, len(patterns))]
    n_rows, n_words = (max((size[part] for size in sizes), default=0) for part in (0, 1))
    reach = np.zeros((len(sizes), n_rows + n_words), np.int32)
    group, is_pad = reach.copy(), np.zeros(reach.shape, np.bool_)
    for b, ((r, t), pattern) in enumerate(zip(sizes, patterns)):
        assert len(pattern.reach) == r + t, (b, len(pattern.reach), r, t)
        row, word = np.arange(n_rows), np.arange(n_words)
        place = np.concatenate((np.minimum(row, r - 1), r + np.minimum(word, t - 1)))
        reach[b], group[b] = pattern.reach[place], pattern.group[place]
        is_pad[b] = np.concatenate((row >= r, word >= t))
    return Sequences(
        features=_stack([image.features for image in images], (len(sizes), 0, 0), 0),
        locations=_stack([image.locations for image in images], (len(sizes), 0, 5), 0),
        token_ids=_stack([text.ids for text in texts], (len(sizes), 0), PAD),
        positions=_stack([text.positions for text in texts], (len(sizes), 0), PAD),
        reach=reach, group=group, is_pad=is_pad,
    )
