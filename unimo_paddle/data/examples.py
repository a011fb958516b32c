"""Examples -> a batch: words hidden for the language objective, regions for the visual one, none for the contrast."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np

from unimo_paddle.data import masking, patterns
from unimo_paddle.data.batch import (
    ContrastPart,
    LanguagePart,
    PairBatch,
    Parts,
    Sequences,
    VisualPart,
    language_labels,
    pad,
    visual_labels,
)
from unimo_paddle.data.encode import Bools, ImageRow, Ints, TextRow


@dataclass(frozen=True)
class PairSettings:
    """batch_pairs: of all ranks together.  max_tokens: special tokens counted.  max_regions: [IMG] not counted.
    positives, negatives: rewrites, and retrieved_images, retrieved_texts: neighbours, sampled for each pair and step.
    rates and overlap: paper sections 3 and 4.  parts: what is made of each pair.
    shuffle_captions: the control run, which must learn nothing: every image gets the captions of another one."""

    batch_pairs: int
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


def make_batch(examples: Sequence[Example], settings: PairSettings, mask_id: int, objective: str) -> PairBatch:
    """Make the parts that the settings ask for. objective: how this step hides words, bidirectional or seq2seq."""
    parts = settings.parts
    retrieved = settings.retrieved_images + settings.retrieved_texts > 0
    # Words before regions: both draw from the example's generator.
    language = _language(examples, settings, mask_id, objective) if parts.hides_words(objective) else None
    visual = _visual(examples, settings) if parts.visual else None
    return PairBatch(
        ids=[example.id for example in examples],
        objective=objective,
        language=language,
        visual=visual,
        contrast=_contrast(examples, settings) if parts.contrast else None,
        apart=_apart(examples) if parts.in_batch or (parts.contrast and retrieved) else None,
        belongs=belongs(examples) if parts.in_batch else None,
    )


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
    return LanguagePart(sequences, language_labels(hidden, sequences.token_ids.shape[1]))


def _visual(examples: Sequence[Example], settings: PairSettings) -> VisualPart:
    regions = [masking.mask_regions(e.image, e.rng, settings.region_rate, settings.overlap) for e in examples]
    reads = [_bidirectional(e.image, e.caption) for e in examples]
    sequences = pad([one.image for one in regions], [e.caption for e in examples], reads)
    return VisualPart(sequences, visual_labels(regions, [e.image for e in examples], sequences.features.shape[1]))


def _contrast(examples: Sequence[Example], settings: PairSettings) -> ContrastPart:
    joint = [(example.image, text) for example in examples for text in example.group]
    images = [image for example in examples for image in example.images]
    texts = [text for example in examples for text in example.texts]
    return ContrastPart(
        joint=pad([i for i, _ in joint], [t for _, t in joint], [_bidirectional(i, t) for i, t in joint]),
        images=pad(images, [], [patterns.bidirectional(len(i.features), 0) for i in images]) if images else None,
        texts=pad([], texts, [patterns.bidirectional(0, len(t.ids)) for t in texts]) if texts else None,
        is_positive=np.array([settings.is_positive] * len(examples)),
        is_real=np.array([example.is_real for example in examples]),
    )


def _apart(examples: Sequence[Example]) -> Sequences:
    images, captions = [e.image for e in examples], [e.caption for e in examples]
    return pad(images, captions, [patterns.separate(len(e.image.features), len(e.caption.ids)) for e in examples])


def belongs(examples: Sequence[Example]) -> Bools:
    """Tell which image i may have caption j, bool [B, B]: both of one image, or captions of the same words."""
    of_image = _numbered([example.image_id for example in examples])
    of_words = _numbered([example.caption.ids.tobytes() for example in examples])
    same: Bools = (of_image[:, None] == of_image) | (of_words[:, None] == of_words)
    return same


def _numbered(keys: Sequence[Hashable]) -> Ints:
    """Equal keys get equal numbers, int64 [B]."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


def _bidirectional(image: ImageRow, text: TextRow) -> patterns.Pattern:
    return patterns.bidirectional(len(image.features), len(text.ids))
