"""Examples -> a batch: words hidden for the language objective, regions for the visual one, none for the contrast."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from unimo_paddle.data import masking, patterns
from unimo_paddle.data.batch import (
    Candidates,
    ContrastPart,
    LanguagePart,
    Part,
    Parts,
    Sequences,
    VisualPart,
    language_labels,
    pad,
    pad_in_chunks,
    visual_labels,
)
from unimo_paddle.data.encode import Bools, ImageRow, Ints, TextRow


@dataclass(frozen=True)
class PairSettings:
    """rows: image rows and tokens of a step's pairs over all ranks, padding counted.  multiple: pairs of a step are a
    multiple of it.  max_tokens: special tokens counted.  max_regions: [IMG] not counted.
    positives, negatives: rewrites, and retrieved_images, retrieved_texts: neighbours, sampled for each pair and step.
    rates and overlap: paper sections 3 and 4.  parts: what is made of each pair.  accumulate: micro-batches that
    a rank's share is cut into.
    shuffle_captions: the control run, which must learn nothing: every image gets the captions of another one."""

    rows: int
    multiple: int
    max_tokens: int
    max_regions: int
    positives: int
    negatives: int
    retrieved_images: int = 0
    retrieved_texts: int = 0
    span_rate: float = 0.15
    fragment_rate: float = 0.25
    region_rate: float = 0.15
    overlap: float = 0.3
    shuffle_captions: bool = False
    parts: Parts = field(default_factory=Parts)
    accumulate: int = 1

    @property
    def is_positive(self) -> list[bool]:
        """Of each candidate: the caption, rewritten positives, negatives, retrieved images, retrieved texts."""
        retrieved = self.retrieved_images + self.retrieved_texts
        return [True] * (1 + self.positives) + [False] * self.negatives + [True] * retrieved


@dataclass(frozen=True)
class Example:
    """One pair before anything is hidden.

    group: the texts of its G joint sequences, the caption first; images, texts: what was retrieved for it;
    is_real: of each candidate, as `PairSettings.is_positive`; rng: of what is hidden in it.
    """

    id: str
    image_id: str
    image: ImageRow
    group: list[TextRow]
    images: list[ImageRow]
    texts: list[TextRow]
    is_real: list[bool]
    rng: np.random.Generator

    @property
    def caption(self) -> TextRow:
        return self.group[0]


def make_parts(
    examples: Sequence[Example], settings: PairSettings, mask_id: int, objective: str, belongs: Bools | None
) -> Iterator[Part]:
    """Make the parts that the settings ask for of a rank's examples, each micro-batch's before the next one's.

    objective: how this step hides words, bidirectional or seq2seq; belongs: see ContrastPart, None without the contrast
    within the batch, which looks at all micro-batches at once: its vectors are few.
    """
    size = len(examples) // settings.accumulate
    is_whole = settings.accumulate == 1
    for start in range(0, len(examples), size):
        some = examples[start : start + size]
        # Words before regions: both draw from the example's generator.
        if settings.parts.hides_words(objective):
            yield _language(some, settings, mask_id, objective)
        if settings.parts.visual:
            yield _visual(some, settings)
        if settings.parts.contrast:
            needs_apart = settings.retrieved_images + settings.retrieved_texts > 0 or (is_whole and belongs is not None)
            apart = _apart(some) if needs_apart else None
            yield ContrastPart(_candidates(some, settings), apart, belongs if is_whole else None)
    if belongs is not None and not (is_whole and settings.parts.contrast):
        yield ContrastPart(None, _apart(examples), belongs)


def _language(examples: Sequence[Example], settings: PairSettings, mask_id: int, objective: str) -> LanguagePart:
    images = [example.image for example in examples]
    if objective == "seq2seq":
        cut = [masking.cut_fragments(e.caption, e.rng, settings.fragment_rate) for e in examples]
        reads = [
            patterns.image_prefix(len(image.features), one.n_source, one.n_target)
            for image, one in zip(images, cut, strict=True)
        ]
        hidden: Sequence[masking.HiddenText] = cut
    else:
        hidden = [masking.mask_spans(e.caption, e.rng, mask_id, settings.span_rate) for e in examples]
        reads = [_bidirectional(e.image, e.caption) for e in examples]
    sequences = pad(images, [one.text for one in hidden], reads)
    return LanguagePart(objective, sequences, language_labels(hidden, sequences.token_ids.shape[1]))


def _visual(examples: Sequence[Example], settings: PairSettings) -> VisualPart:
    regions = [masking.mask_regions(e.image, e.rng, settings.region_rate, settings.overlap) for e in examples]
    reads = [_bidirectional(e.image, e.caption) for e in examples]
    sequences = pad([one.image for one in regions], [e.caption for e in examples], reads)
    return VisualPart(sequences, visual_labels(regions, [e.image for e in examples], sequences.features.shape[1]))


def _candidates(examples: Sequence[Example], settings: PairSettings) -> Candidates:
    images = [image for example in examples for image in example.images]
    texts = [text for example in examples for text in example.texts]
    group = [text for example in examples for text in example.group]
    own = np.repeat(np.arange(len(examples)), len(group) // len(examples))
    return Candidates(
        joint=pad_in_chunks([example.image for example in examples], group, own),
        images=pad_in_chunks(images, []) if images else None,
        texts=pad_in_chunks([], texts) if texts else None,
        is_positive=np.array([settings.is_positive] * len(examples)),
        is_real=np.array([example.is_real for example in examples]),
    )


def _apart(examples: Sequence[Example]) -> Sequences:
    images, captions = [e.image for e in examples], [e.caption for e in examples]
    return pad(images, captions, [patterns.separate(len(e.image.features), len(e.caption.ids)) for e in examples])


def belongs_to(image_ids: Sequence[str], captions: Sequence[str], own: slice) -> Bools:
    """Tell which of W pairs' captions may belong to the images of `own`: bool [B, W], the same the other way round.

    Both are of one image, or the captions are of the same words, whatever their case.
    """
    of_image = _numbered(image_ids)
    of_words = _numbered([tuple(caption.lower().split()) for caption in captions])
    same: Bools = (of_image[own, None] == of_image) | (of_words[own, None] == of_words)
    return same


def _numbered(keys: Sequence[Hashable]) -> Ints:
    """Equal keys get equal numbers, int64 [B]."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


def _bidirectional(image: ImageRow, text: TextRow) -> patterns.Pattern:
    return patterns.bidirectional(len(image.features), len(text.ids))
