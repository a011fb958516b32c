"""Rows -> batches: padded numpy arrays and flat label lists; paddle is not needed to make them.

Legend: B examples, R image rows ([IMG] first), T text rows, D feature width, C region classes,
G joint sequences, I retrieved images, J retrieved texts per pair, M / K labelled text / image rows of the batch,
W pairs of all ranks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.data.encode import Bools, Floats, ImageRow, Ints, TextRow
from unimo_paddle.data.masking import HiddenRegions, HiddenText
from unimo_paddle.data.patterns import Pattern, bidirectional

_Number = TypeVar("_Number", np.float32, np.int64)

# More chunks pad less, but a product of few rows is slow.
MOST_CHUNKS, LEAST_CHUNK = 4, 16
PAD = 1  # token ids and positions are both padded with 1 (release, section 3)


@dataclass(frozen=True)
class Sequences:
    """What the encoder reads: image rows, then text rows; R or T may be 0.

    features: float32 [B, R, D]; locations: float32 [B, R, 5]; token_ids, positions: int64 [B, T];
    reach, group: int32 [B, R+T], the attention pattern (data/patterns.py); is_pad: bool [B, R+T].
    Without images D is 0 too: nothing says how wide their features would have been.
    image_of: int64 [B], which of I images each row reads, None when each has its own: an image that several texts are
    read with is held and embedded once; features and locations are [I, R, ..] then.
    roles, turns: int64 [B, T], who speaks and how long ago (release, section 5.2); None outside dialogues.
    """

    features: Floats
    locations: Floats
    token_ids: Ints
    positions: Ints
    reach: NDArray[np.int32]
    group: NDArray[np.int32]
    is_pad: Bools
    image_of: Ints | None = None
    roles: Ints | None = None
    turns: Ints | None = None


@dataclass(frozen=True)
class Chunks:
    """N sequences, sorted by length and cut into chunks that are padded each by itself: else the longest of them would
    pad all.

    back: int64 [N], the row that each sequence has when the chunks' rows are laid end to end.
    """

    parts: tuple[Sequences, ...]
    back: Ints

    def __len__(self) -> int:
        return len(self.back)


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
class LanguagePart:
    """Texts with words hidden, alone or with the whole image beside them: [B, ..].

    objective: how words are hidden, bidirectional or seq2seq.
    """

    objective: str
    sequences: Sequences
    labels: LanguageLabels


@dataclass(frozen=True)
class VisualPart:
    """Images with regions hidden, alone or with the whole caption beside them: [B, ..]."""

    sequences: Sequences
    labels: VisualLabels


@dataclass(frozen=True)
class Candidates:
    """The candidates of each pair, nothing hidden (paper section 2).

    joint: B*G, of which b*G .. b*G+G-1 are pair b with its caption, its rewritten positives, its negatives.
    images: B*I, the images retrieved for pair b, alone; texts: B*J, the texts retrieved for it, alone; None where none
    are asked for. is_positive, is_real: bool [B, G+I+J], in this order; a candidate that is not real
    only fills up a pair with fewer of its kind than asked, and counts for nothing.
    """

    joint: Chunks
    images: Chunks | None
    texts: Chunks | None
    is_positive: Bools
    is_real: Bools


@dataclass(frozen=True)
class ContrastPart:
    """What images and texts are told apart by; a field is None where no objective asks for it.

    apart: [B, ..], nothing hidden, image and caption do not read each other: for retrieved candidates and for the
    contrast within the batch.  belongs: bool [B, W], for the contrast within the batch: caption j of all W pairs of
    the step, over all ranks, is of image b, or says the same as one of it.
    """

    candidates: Candidates | None
    apart: Sequences | None
    belongs: Bools | None


Part = LanguagePart | VisualPart | ContrastPart


@dataclass(frozen=True)
class Batch:
    """One rank's share of a step. Each part is one forward and one backward pass.

    kind: text, image or pair; ids: of the rank's examples.
    """

    kind: str
    ids: list[str]
    parts: tuple[Part, ...]


def sequences_of(part: Part) -> list[Sequences]:
    """Return all that the encoder reads of a part."""
    if not isinstance(part, ContrastPart):
        return [part.sequences]
    one = part.candidates
    chunks = [chunks for chunks in (one.joint, one.images, one.texts) if chunks] if one else []
    return [sequences for some in chunks for sequences in some.parts] + ([part.apart] if part.apart else [])


@dataclass(frozen=True)
class Parts:
    """Which parts of a batch are made: those that an objective with a weight reads."""

    bidirectional: bool = True
    seq2seq: bool = True
    visual: bool = True
    contrast: bool = True
    in_batch: bool = True

    def hides_words(self, objective: str) -> bool:
        """Tell whether a step whose turn is `objective` has a language part."""
        return self.seq2seq if objective == "seq2seq" else self.bidirectional


def pad(
    images: Sequence[ImageRow],
    texts: Sequence[TextRow],
    patterns: Sequence[Pattern],
    image_of: Ints | None = None,
) -> Sequences:
    """Pad to the longest image and the longest text of the batch: ids and positions 1, features 0.

    patterns: one a row of the batch, over its own image rows and text rows, padding not counted.  images or
    texts may be empty as a whole (text alone, images alone).  image_of: int64 [B], see Sequences.  A pad row repeats
    the pattern of the row before it, so that reach never decreases within a part; is_pad keeps everyone from reading
    it.
    """
    size = len(patterns)
    n_regions = np.array([len(image.features) for image in images] or [0] * size)
    n_regions = n_regions if image_of is None else n_regions[image_of]
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
        image_of=image_of,
        roles=_stack_some([text.roles for text in texts]),
        turns=_stack_some([text.turns for text in texts]),
    )


def pad_in_chunks(
    images: Sequence[ImageRow], texts: Sequence[TextRow], image_of: Ints | None = None, most: int = MOST_CHUNKS
) -> Chunks:
    """Pad sequences that read in both directions, each chunk of like length by itself; fewer than LEAST_CHUNK of them
    share a chunk with others. images or texts may be empty. image_of: int64 [N], the image of each text; None: none."""
    n_regions = np.array([len(image.features) for image in images] or [0] * len(texts))
    n_words = np.array([len(text.ids) for text in texts] or [0] * len(images))
    sizes = np.stack([n_regions if image_of is None else n_regions[image_of], n_words], axis=1)
    order = np.argsort(sizes.sum(axis=1), kind="stable")
    parts = []
    for rows in np.array_split(order, max(1, min(most, len(order) // LEAST_CHUNK))):
        patterns = [bidirectional(*sizes[row]) for row in rows]
        if image_of is None:
            part = pad([images[row] for row in rows if images], [texts[row] for row in rows if texts], patterns)
        else:
            used, shown = np.unique(image_of[rows], return_inverse=True)
            part = pad([images[image] for image in used], [texts[row] for row in rows], patterns, shown)
        parts.append(part)
    return Chunks(tuple(parts), np.argsort(order))


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


def _stack_some(rows: Sequence[Ints | None]) -> Ints | None:
    """Stack rows that all texts have or none; what fills up, 1, is never read (release, section 3)."""
    some = [row for row in rows if row is not None]
    assert len(some) in (0, len(rows)), (len(some), len(rows))
    return _stack(some, PAD, np.zeros((0, 0), np.int64)) if some else None


def _stack(rows: Sequence[NDArray[_Number]], fill: int, empty: NDArray[_Number]) -> NDArray[_Number]:
    """Stack rows [L, ..] of different length to [B, longest, ..]; `empty` where there are no rows."""
    if not rows:
        return empty
    longest = max(len(row) for row in rows)
    stacked = np.full((len(rows), longest, *rows[0].shape[1:]), fill, rows[0].dtype)
    for b, row in enumerate(rows):
        stacked[b, : len(row)] = row
    return stacked
