"""The stream of training batches: batch(step) is a pure function of the seed and the step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.corpus import Corpus, Pair, Records, Rewrites
from unimo_paddle.data.batch import Batch
from unimo_paddle.data.encode import Bools, ImageRow, TextRow, encode_image, encode_text
from unimo_paddle.data.examples import Example, PairSettings, belongs_to, make_parts
from unimo_paddle.data.plan import BatchPlan, require_shares
from unimo_paddle.data.retrieved import RetrievedReader, sample
from unimo_paddle.data.tokenizer import Tokenizer
from unimo_paddle.errors import UserError
from unimo_paddle.regions import RegionStore

COUNTED = 200_000  # captions that the tokenizer reads to know how long they all are: 10 to 20 seconds
# What a generator is for; it keeps apart the streams that are drawn from one seed.
_EXAMPLE, _OBJECTIVE, _SHUFFLE, _RETRIEVED = range(1, 5)


@dataclass(frozen=True)
class _Drawn:
    """A pair and what a step draws to go with it; None where the pair has fewer than asked.

    image_id: the image that is shown; rewrites: positives, then negatives; images: ids of retrieved ones.
    """

    pair: Pair
    image_id: str
    rewrites: list[str | None]
    images: list[str | None]
    texts: list[str | None]
    rng: np.random.Generator

    @property
    def captions(self) -> list[str]:
        """Every text to encode: the caption, rewrites, retrieved texts."""
        return [self.pair.caption, *(text or "" for text in (*self.rewrites, *self.texts))]

    @property
    def is_real(self) -> list[bool]:
        return [True, *(one is not None for one in (*self.rewrites, *self.images, *self.texts))]


class PairStream:
    """Batches of one split's pairs, under all objectives, for one rank of the run.

    Each epoch visits every pair once, in an order of its own, pairs of like size together (data/plan.py).  The batch of
    all ranks together does not depend on how many they are: each takes its slice.  Records are read from memory-mapped
    shards when a batch needs them: of the corpus only sizes and one epoch's order are held, 14 bytes a pair (and, in a
    control run, the images that stand in for others).
    image_store: regions of the retrieved images, None for those of the pairs.
    Raises UserError when the split is empty, the batch cannot be shared out evenly, the budget is too small, regions
    are missing for some images, or rewrites or neighbours are asked for and absent.
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
        image_store: RegionStore | None = None,
    ) -> None:
        self._pairs = corpus.pairs(split)
        require_shares(settings.multiple, world, settings.accumulate, "pairs")
        if not len(self._pairs):
            raise UserError(f"split {split!r} of {corpus.path} has no pairs: ingest captions into it, or name another")
        counts = _region_counts(self._pairs, corpus, split, store)
        wants_rewrites = settings.positives + settings.negatives > 0
        self._rewrites = corpus.rewrites(split) if wants_rewrites else None
        self._image_store = image_store or store
        self._retrieved = RetrievedReader(
            corpus, split, settings.retrieved_images, settings.retrieved_texts, self._image_store, store
        )
        self._shown = _derange(self._pairs.column("image_id"), seed) if settings.shuffle_captions else {}
        self._store, self._tokenizer, self._settings, self._seed = store, tokenizer, settings, seed
        tokens = _token_counts(self._pairs, tokenizer, settings.max_tokens)
        sizes = np.stack([np.minimum(counts, settings.max_regions) + 1, tokens], axis=1)
        self.plan = BatchPlan(sizes.astype(np.int32), settings.rows, settings.multiple, seed, "data.rows")
        self._rank, self._world = rank, world

    def batch(self, step: int) -> Batch:
        """Return this rank's pairs of the step: language bidirectional or seq2seq, by a coin for each step.

        Raises UserError as the region store and the corpus do when what they hold is damaged.
        """
        rows, epoch = self.plan.batch(step).tolist(), self.plan.epoch_of(step)
        share = len(rows) // self._world
        own = slice(self._rank * share, (self._rank + 1) * share)
        examples = self._examples(rows[own], epoch)
        objective, belongs = objective_of(self._seed, step), self._belongs(rows, own)
        parts = make_parts(examples, self._settings, self._tokenizer.mask, objective, belongs)
        return Batch("pair", [example.id for example in examples], tuple(parts))

    def _belongs(self, rows: Sequence[int], own: slice) -> Bools | None:
        """Compare this rank's pairs with all of the step: of the others, only their words are read."""
        if not self._settings.parts.in_batch:
            return None
        pairs = [self._pairs[row] for row in rows]
        shown = [self._shown_image(pair) for pair in pairs]
        return belongs_to(shown, [pair.caption for pair in pairs], own)

    def _examples(self, rows: Sequence[int], epoch: int) -> list[Example]:
        """The pairs in these rows of the split; their texts go to the tokenizer in one call."""
        drawn = [self._draw(row, epoch) for row in rows]
        encoded = self._encode_texts([text for one in drawn for text in one.captions])
        images = self._encode_images(self._store, {one.image_id for one in drawn})
        found = self._encode_images(self._image_store, {i for one in drawn for i in one.images if i is not None})
        group, width = 1 + self._settings.positives + self._settings.negatives, len(drawn[0].captions)
        return [
            Example(
                id=one.pair.id,
                image_id=one.pair.image_id,
                image=images[one.image_id],
                group=encoded[b * width : b * width + group],
                # What fills up is the pair's own image: it is there, and nobody looks at its score.
                images=[images[one.image_id] if i is None else found[i] for i in one.images],
                texts=encoded[b * width + group : (b + 1) * width],
                is_real=one.is_real,
                rng=one.rng,
            )
            for b, one in enumerate(drawn)
        ]

    def _draw(self, row: int, epoch: int) -> _Drawn:
        pair = self._pairs[row]
        rng = np.random.default_rng((self._seed, _EXAMPLE, epoch, row))
        # A generator of their own, so that neighbours leave everything else of a run as it was.
        neighbours = np.random.default_rng((self._seed, _RETRIEVED, epoch, row))
        return _Drawn(
            pair=pair,
            image_id=self._shown_image(pair),
            rewrites=self._sample_rewrites(row, rng),
            # In a control run another pair's, as the image itself.
            images=self._retrieved.image_ids(self._shown.get(pair.image_id, row), neighbours),
            texts=self._retrieved.texts(row, neighbours),
            rng=rng,
        )

    def _shown_image(self, pair: Pair) -> str:
        """The image's side of the pair: in a control run another pair's."""
        return self._pairs[self._shown[pair.image_id]].image_id if self._shown else pair.image_id

    def _sample_rewrites(self, row: int, rng: np.random.Generator) -> list[str | None]:
        """Positives, then negatives of a pair; None where it has fewer than asked."""
        if self._rewrites is None:
            return []
        rewrites: Rewrites = self._rewrites[row]
        negatives = [negative.text for negative in rewrites.negatives]
        return sample(rewrites.positives, self._settings.positives, rng) + sample(
            negatives, self._settings.negatives, rng
        )

    def _encode_texts(self, texts: list[str]) -> list[TextRow]:
        tokenizer = self._tokenizer
        return [
            encode_text(tokens, tokenizer.cls, tokenizer.sep, self._settings.max_tokens)
            for tokens in tokenizer.encode_batch(texts)
        ]

    def _encode_images(self, store: RegionStore, image_ids: set[str]) -> dict[str, ImageRow]:
        return {i: encode_image(store.read(i), i, self._settings.max_regions) for i in sorted(image_ids)}


def objective_of(seed: int, step: int) -> str:
    """Return how a step hides words, by a coin: bidirectional or seq2seq (paper section 4)."""
    return "seq2seq" if np.random.default_rng((seed, _OBJECTIVE, step)).random() < 0.5 else "bidirectional"


def _derange(image_ids: Sequence[str], seed: int) -> dict[str, int]:
    """Return image -> row of a pair whose image stands in for it: one round through all images, so that none stands
    for itself. image_ids: of all pairs."""
    images = list(dict.fromkeys(image_ids))
    if len(images) < 2:
        raise UserError(f"captions cannot be shuffled among {len(images)} image: at least 2 are needed")
    row_of = dict(zip(image_ids, range(len(image_ids)), strict=True))
    round_trip = np.random.default_rng((seed, _SHUFFLE)).permutation(len(images))
    return {images[a]: row_of[images[b]] for a, b in zip(round_trip, np.roll(round_trip, 1), strict=True)}


def _region_counts(pairs: Records[Pair], corpus: Corpus, split: str, store: RegionStore) -> NDArray[np.int64]:
    """Return how many regions the image of each pair has, int64 [N]; UserError listing images without any."""
    image_ids = list(_image_ids(corpus, split))
    counts = np.fromiter(map(store.count, image_ids), np.int64, len(image_ids))
    missing = list(dict.fromkeys(image_ids[row] for row in np.flatnonzero(counts == 0)))
    if missing:
        raise UserError(
            f"{len(missing)} of {len(set(image_ids))} images of split {split!r} have no regions in "
            f"{store.path} ({', '.join(missing[:5])}{', ...' if len(missing) > 5 else ''}); "
            f"extract them with: tools/extract.py --detector DIR --corpus {corpus.path} --out {store.path}, and mend "
            f"first the pictures that {store.path / 'skipped.txt'} lists, if it is there"
        )
    return counts


def _token_counts(pairs: Records[Pair], tokenizer: Tokenizer, most: int) -> NDArray[np.int64]:
    """Return how many tokens each caption has, [CLS] and [SEP] counted: int64 [N], `most` at most.

    Of more than COUNTED captions it is estimated by their letters, from as many that are looked at: 1 in 100 has more.
    """
    letters = np.fromiter((len(caption) for caption in pairs.column("caption")), np.int64, len(pairs))
    rows = range(0, len(pairs), -(-len(pairs) // COUNTED))
    tokens = np.array([len(one.ids) for one in tokenizer.encode_batch([pairs[row].caption for row in rows])])
    if len(rows) < len(pairs):
        rate = np.percentile(tokens / np.maximum(letters[rows.start :: rows.step], 1), 99)
        tokens = np.ceil(letters * rate).astype(np.int64)
    return np.minimum(tokens + 2, most)


def _image_ids(corpus: Corpus, split: str) -> Iterator[str]:
    """The image of each pair, a shard in memory at a time."""
    for shard in corpus.pairs(split).shards:
        yield from Records(corpus.path, [shard], Pair).column("image_id")
