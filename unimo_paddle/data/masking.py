"""What is hidden from the model in one example, and what it has to restore.

Every function is pure: randomness comes from the np.random.Generator that is passed in, so that an
example is the same on every rank, worker count and resume.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.data.encode import FIRST_POSITION, Bools, Floats, ImageRow, Ints, TextRow

# SpanBERT: lengths 1..10 with the weights of Geometric(0.2), scaled to sum to one (mean 3.8).
_SPAN_LENGTHS = np.arange(1, 11)
_SPAN_CHANCES = 0.2 * 0.8 ** (_SPAN_LENGTHS - 1)
_SPAN_CHANCES /= _SPAN_CHANCES.sum()

SHORTEST_FRAGMENT, LONGEST_FRAGMENT = 4, 32
FIRST_ORDINARY_ID = 4  # 0..3 are [CLS] [PAD] [SEP] [UNK] in every vocabulary; [MASK] is the last id


@dataclass(frozen=True)
class HiddenText:
    """text: the row as the model reads it; labelled: int64 [M], places in it whose output is judged;
    targets: int64 [M], the token id that belongs there."""

    text: TextRow
    labelled: Ints
    targets: Ints


@dataclass(frozen=True)
class CutText(HiddenText):
    """text: source, then target; n_source and n_target: the tokens of each, special tokens counted."""

    n_source: int
    n_target: int


@dataclass(frozen=True)
class HiddenRegions:
    """image: the rows as the model reads them; masked: int64 [K], the rows set to zeros, ascending, never 0."""

    image: ImageRow
    masked: Ints


def mask_spans(row: TextRow, rng: np.random.Generator, mask_id: int, rate: float = 0.15) -> HiddenText:
    """Hide spans of whole words until `rate` of the tokens between [CLS] and [SEP] are chosen.

    A span begins at a word not yet chosen and ends when it has its length (in words, as SpanBERT counts),
    meets a chosen word, or the rate is reached; the last word may overshoot, since words are never split.
    Each span as a whole becomes [MASK] (80 %), random ids (10 %) or stays as it is (10 %); all are targets.
    At least one token of a text that has any.  Source: paper section 4; Joshi et al. 2020 (SpanBERT) section 3.
    """
    ids = row.ids.copy()
    chosen = np.zeros(len(ids), np.bool_)
    for begin, end in _choose_spans(row, rng, rate):
        chosen[begin:end] = True
        fate = rng.random()
        if fate < 0.8:
            ids[begin:end] = mask_id
        elif fate < 0.9:
            ids[begin:end] = rng.integers(FIRST_ORDINARY_ID, mask_id, end - begin)
    labelled = np.flatnonzero(chosen)
    return HiddenText(TextRow(ids, row.positions, row.word_start), labelled, row.ids[labelled])


def _choose_spans(row: TextRow, rng: np.random.Generator, rate: float) -> list[tuple[int, int]]:
    """Disjoint (begin, end) spans of whole words that together reach the rate."""
    last = len(row.ids) - 1  # [SEP]
    if last < 2:
        return []
    # The first token opens a word even where the tokenizer did not say so; [SEP] closes the last one.
    starts = np.concatenate(([1], np.flatnonzero(row.word_start[2:last]) + 2, [last])).tolist()
    free = list(range(len(starts) - 1))
    taken = [False] * len(free) + [True]
    missing = rate * (last - 1)
    spans: list[tuple[int, int]] = []
    while free and (missing > 0 or not spans):
        word = free[int(rng.integers(len(free)))]
        end = word
        for _ in range(int(rng.choice(_SPAN_LENGTHS, p=_SPAN_CHANCES))):
            taken[end] = True
            missing -= starts[end + 1] - starts[end]
            end += 1
            if taken[end] or missing <= 0:
                break
        spans.append((starts[word], starts[end]))
        free = [other for other in free if not taken[other]]
    return spans


def cut_fragments(row: TextRow, rng: np.random.Generator, rate: float = 0.25) -> CutText:
    """Move fragments out of the text, to be generated: S = what is left, T = [CLS] fragment [SEP] pieces.

    Fragments of 4..32 tokens (uniform, bounded by the longest free stretch of the text) are drawn until `rate` of
    the tokens are chosen, and stay in the order of the text.  Source positions run 2, 3, ..; every piece of
    the target restarts at 2 (release, section 3: segments restart).  Each target token but a [SEP] predicts
    the next one, so no [CLS] is ever predicted.  A text without words gives an empty target.
    Source: paper section 4.
    """
    fragments = _choose_fragments(len(row.ids) - 2, rng, rate)
    keep = np.ones(len(row.ids), np.bool_)
    pieces = []
    for begin, end in fragments:
        keep[begin + 1 : end + 1] = False
        pieces.append(np.concatenate(([0], np.arange(begin, end) + 1, [len(row.ids) - 1])))
    source = np.flatnonzero(keep)
    order = np.concatenate([source, *pieces])
    positions = np.concatenate([np.arange(len(part)) + FIRST_POSITION for part in [source, *pieces]])
    text = TextRow(row.ids[order], positions, row.word_start[order])
    n_target = len(order) - len(source)
    is_last = order == len(row.ids) - 1
    labelled = np.flatnonzero(~is_last & (np.arange(len(order)) >= len(source)))
    return CutText(text, labelled, text.ids[labelled + 1], len(source), n_target)


def _choose_fragments(n: int, rng: np.random.Generator, rate: float) -> list[tuple[int, int]]:
    """Disjoint (begin, end) fragments of n tokens, ascending, that together reach the rate."""
    free = np.ones(n, np.bool_)
    fragments: list[tuple[int, int]] = []
    while n - free.sum() < rate * n:
        run = _free_run(free)
        longest = min(LONGEST_FRAGMENT, int(run.max()))
        length = int(rng.integers(min(SHORTEST_FRAGMENT, longest), longest + 1))
        begin = int(rng.choice(np.flatnonzero(run >= length)))
        free[begin : begin + length] = False
        fragments.append((begin, begin + length))
    return sorted(fragments)


def _free_run(free: Bools) -> NDArray[np.int64]:
    """How many free tokens follow from each place on, itself included: int64 [n]."""
    place = np.arange(len(free))
    next_taken = np.where(free, len(free), place)
    return np.minimum.accumulate(next_taken[::-1])[::-1] - place


def mask_regions(image: ImageRow, rng: np.random.Generator, rate: float = 0.15, overlap: float = 0.3) -> HiddenRegions:
    """Set to zeros the features of anchor regions and of all that overlap one by more than `overlap`.

    Each region is an anchor with chance `rate`; one is drawn where none came up.  Overlap is the intersection
    over the union of two boxes; it is not passed on from one neighbour to the next.  Boxes stay
    visible: they say which region is asked for.  Source: paper section 3.
    [IMG] is never masked, but the mean in it would give the hidden features away: it becomes the mean of the
    regions still visible (zeros where none is).  The paper is silent here.
    """
    boxes = image.boxes[1:]
    is_anchor = rng.random(len(boxes)) < rate
    if not is_anchor.any():
        is_anchor[rng.integers(len(boxes))] = True
    hidden = is_anchor | (box_overlaps(boxes, boxes[is_anchor]) > overlap).any(axis=1)
    features = image.features.copy()
    features[1:][hidden] = 0
    # The hidden rows are zeros, so they add nothing to the sum.
    features[0] = features[1:].sum(axis=0) / max(len(hidden) - int(hidden.sum()), 1)
    seen = ImageRow(features, image.locations, image.class_probs, image.boxes)
    return HiddenRegions(seen, np.flatnonzero(hidden) + 1)


def box_overlaps(boxes: Floats, others: Floats) -> Floats:
    """Intersection over union of x1 y1 x2 y2 boxes: [N, 4] and [M, 4] -> [N, M]; 0 where both have no area."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(axis=2)
    areas, other_areas = ((some[:, 2:] - some[:, :2]).prod(axis=1) for some in (boxes, others))
    union = areas[:, None] + other_areas[None, :] - common
    overlaps: Floats = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return overlaps
