"""The stream of training batches: batch(step) is a pure function of the seed and the step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.corpus import Corpus, Pair, Rewrites
from unimo_paddle.data import masking, patterns
from unimo_paddle.data.batch import PairBatch, language_labels, pad, visual_labels
from unimo_paddle.data.encode import ImageRow, TextRow, encode_image, encode_text
from unimo_paddle.data.tokenizer import Tokenizer
from unimo_paddle.errors import UserError
from unimo_paddle.regions import RegionStore

# What a generator is for; it keeps apart the streams that are drawn from one seed.
_ORDER, _EXAMPLE, _OBJECTIVE, _SHUFFLE = range(4)


@dataclass(frozen=True)
class PairSettings:
    """batch_pairs: of all ranks together.  max_tokens: special tokens counted.  max_regions: [IMG] not counted.
    positives, negatives: rewrites sampled for each pair and step.  rates and overlap: paper sections 3 and 4.
    shuffle_captions: the control run, which must learn nothing: every image gets the captions of another one."""

    batch_pairs: int
    max_tokens: int
    max_regions: int
    positives: int
    negatives: int
    span_rate: float = 0.15
    fragment_rate: float = 0.25
    region_rate: float = 0.15
    overlap: float = 0.3
    shuffle_captions: bool = False


@dataclass(frozen=True)
class _Example:
    """One pair before anything is hidden.  group: the texts of its G joint sequences, the caption first."""

    id: str
    image_id: str
    image: ImageRow
    group: list[TextRow]
    is_positive: list[bool]
    is_real: list[bool]
    rng: np.random.Generator

    @property
    def caption(self) -> TextRow:
        return self.group[0]


class PairStream:
    """Batches of one split's pairs, under all objectives, for one rank of the run.

    Each epoch visits every pair once, in an order of its own; batches run on over the end of an epoch.  The
    batch of all ranks together does not depend on how many they are: each takes its slice.
    Raises UserError when the split is empty, the batch cannot be shared out evenly, regions are missing for some
    images, or rewrites are asked for and absent.
    """

    def __init__(
        self,
        corpus: Corpus,
        split: str,
        store: RegionStore,
        tokenizer: Tokenizer,
        settings: PairSettings,
        seed: int,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._pairs = corpus.pairs(split)
        if settings.batch_pairs % world:
            raise UserError(
                f"a batch of {settings.batch_pairs} pairs cannot be shared out evenly to {world} processes: "
                f"choose a multiple of {world}"
            )
        if not len(self._pairs):
            raise UserError(f"split {split!r} of {corpus.path} has no pairs: ingest captions into it, or name another")
        image_ids = list(dict.fromkeys(self._pairs.column("image_id")))
        _require_regions(image_ids, store, corpus, split)
        wants_rewrites = settings.positives + settings.negatives > 0
        self._rewrites = corpus.rewrites(split) if wants_rewrites else None
        self._shown = _derange(image_ids, seed) if settings.shuffle_captions else {}
        self._store, self._tokenizer, self._settings, self._seed = store, tokenizer, settings, seed
        share = settings.batch_pairs // world
        self._slice = range(rank * share, (rank + 1) * share)
        self._order: tuple[int, NDArray[np.int64]] = (-1, np.zeros(0, np.int64))

    def batch(self, step: int) -> PairBatch:
        """Return this rank's pairs of the step: language bidirectional or seq2seq, by a coin for each step.

        Raises UserError as the region store and the corpus do when what they hold is damaged.
        """
        examples = self._examples([step * self._settings.batch_pairs + i for i in self._slice])
        coin = np.random.default_rng((self._seed, _OBJECTIVE, step)).random()
        return _make_batch(examples, self._settings, self._tokenizer, "seq2seq" if coin < 0.5 else "bidirectional")

    def _examples(self, places: Sequence[int]) -> list[_Example]:
        """The pairs at these places of the endless stream; their texts go to the tokenizer in one call."""
        drawn = []
        for place in places:
            epoch, offset = divmod(place, len(self._pairs))
            index = int(self._epoch_order(epoch)[offset])
            rng = np.random.default_rng((self._seed, _EXAMPLE, epoch, index))
            drawn.append((self._pairs[index], self._sample_texts(index, rng), rng))
        texts = [text for pair, sampled, _ in drawn for text in (pair.caption, *sampled)]
        rows = self._encode_texts([text or "" for text in texts])
        size = 1 + self._settings.positives + self._settings.negatives
        images = self._encode_images([pair for pair, _, _ in drawn])
        is_positive = [i <= self._settings.positives for i in range(size)]
        return [
            _Example(
                id=pair.id,
                image_id=pair.image_id,
                image=images[pair.image_id],
                group=rows[b * size : (b + 1) * size],
                is_positive=is_positive,
                is_real=[True] + [text is not None for text in sampled],
                rng=rng,
            )
            for b, (pair, sampled, rng) in enumerate(drawn)
        ]

    def _sample_texts(self, index: int, rng: np.random.Generator) -> list[str | None]:
        """Positives, then negatives of a pair; None where it has fewer than asked."""
        if self._rewrites is None:
            return []
        rewrites: Rewrites = self._rewrites[index]
        negatives = [negative.text for negative in rewrites.negatives]
        return _sample(rewrites.positives, self._settings.positives, rng) + _sample(
            negatives, self._settings.negatives, rng
        )

    def _encode_texts(self, texts: list[str]) -> list[TextRow]:
        tokenizer = self._tokenizer
        return [
            encode_text(tokens, tokenizer.cls, tokenizer.sep, self._settings.max_tokens)
            for tokens in tokenizer.encode_batch(texts)
        ]

    def _encode_images(self, pairs: Sequence[Pair]) -> dict[str, ImageRow]:
        """The image of each pair under the pair's image id; a control run shows another one in its stead."""
        images = {}
        for own_id in {pair.image_id for pair in pairs}:
            image_id = self._shown.get(own_id, own_id)
            images[own_id] = encode_image(self._store.read(image_id), image_id, self._settings.max_regions)
        return images

    def _epoch_order(self, epoch: int) -> NDArray[np.int64]:
        if self._order[0] != epoch:
            rng = np.random.default_rng((self._seed, _ORDER, epoch))
            self._order = (epoch, rng.permutation(len(self._pairs)))
        return self._order[1]


def _make_batch(
    examples: Sequence[_Example], settings: PairSettings, tokenizer: Tokenizer, objective: str
) -> PairBatch:
    """Hide words for the language objective, regions for the visual one, nothing for the contrast."""
    images = [example.image for example in examples]
    captions = [example.caption for example in examples]
    both = [_bidirectional(example.image, example.caption) for example in examples]
    if objective == "seq2seq":
        cut = [masking.cut_fragments(e.caption, e.rng, settings.fragment_rate) for e in examples]
        reads = [
            patterns.image_prefix(len(image.features), one.n_source, one.n_target)
            for image, one in zip(images, cut, strict=True)
        ]
        hidden: Sequence[masking.HiddenText] = cut
    else:
        hidden = [masking.mask_spans(e.caption, e.rng, tokenizer.mask, settings.span_rate) for e in examples]
        reads = both
    language = pad(images, [one.text for one in hidden], reads)
    regions = [masking.mask_regions(e.image, e.rng, settings.region_rate, settings.overlap) for e in examples]
    visual = pad([one.image for one in regions], captions, both)
    joint = [(example.image, text) for example in examples for text in example.group]
    return PairBatch(
        ids=[example.id for example in examples],
        language=language,
        language_labels=language_labels(hidden, language.token_ids.shape[1]),
        visual=visual,
        visual_labels=visual_labels(regions, images, visual.features.shape[1]),
        contrast=pad([i for i, _ in joint], [t for _, t in joint], [_bidirectional(i, t) for i, t in joint]),
        is_positive=np.array([example.is_positive for example in examples]),
        is_real=np.array([example.is_real for example in examples]),
        apart=pad(images, captions, [patterns.separate(len(e.image.features), len(e.caption.ids)) for e in examples]),
        belongs=np.array([[_belongs(of_image, of_text) for of_text in examples] for of_image in examples]),
        objective=objective,
    )


def _belongs(of_image: _Example, of_text: _Example) -> bool:
    """Tell whether the one's image may have the other's caption: both of one image, or captions of the same words."""
    return of_image.image_id == of_text.image_id or np.array_equal(of_image.caption.ids, of_text.caption.ids)


def _bidirectional(image: ImageRow, text: TextRow) -> patterns.Pattern:
    return patterns.bidirectional(len(image.features), len(text.ids))


def _sample(texts: Sequence[str], count: int, rng: np.random.Generator) -> list[str | None]:
    """`count` different ones of the texts in random order, None for those that are lacking."""
    chosen = rng.permutation(len(texts))[:count]
    return [texts[i] for i in chosen] + [None] * (count - len(chosen))


def _derange(image_ids: Sequence[str], seed: int) -> dict[str, str]:
    """Which image stands in for which: one round through all of them, so that none stands for itself."""
    if len(image_ids) < 2:
        raise UserError(f"captions cannot be shuffled among {len(image_ids)} image: at least 2 are needed")
    round_trip = np.random.default_rng((seed, _SHUFFLE)).permutation(len(image_ids))
    return {image_ids[a]: image_ids[b] for a, b in zip(round_trip, np.roll(round_trip, 1), strict=True)}


def _require_regions(image_ids: Sequence[str], store: RegionStore, corpus: Corpus, split: str) -> None:
    missing = [image_id for image_id in image_ids if image_id not in store]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(image_ids)} images of split {split!r} have no regions in {store.path} "
            f"({', '.join(missing[:5])}{', ...' if len(missing) > 5 else ''}); "
            f"extract them with: tools/extract.py --detector DIR --corpus {corpus.path} --out {store.path}, and mend "
            f"first the pictures that {store.path / 'skipped.txt'} lists, if it is there"
        )
