"""The neighbours that were retrieved for each pair, read from the corpus as a step draws them (paper, section 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from unimo_paddle.corpus import Corpus
from unimo_paddle.errors import UserError
from unimo_paddle.regions import RegionStore

Item = TypeVar("Item")

PROBED = 100  # pairs whose retrieved images are looked up before training: all of them would take hours


class RetrievedReader:
    """Draws images and texts retrieved for a pair of one split; each may be asked for in no number, and costs nothing.

    images, texts: how many of each a pair gets in a step. Nothing of the corpus is held but its memory-mapped shards.
    Raises UserError when the split lacks what is asked for, or the store lacks retrieved images or holds another
    kind of regions than `like`.
    """

    def __init__(
        self, corpus: Corpus, split: str, images: int, texts: int, store: RegionStore, like: RegionStore
    ) -> None:
        self._n_images, self._n_texts, self._store = images, texts, store
        self._images = corpus.retrieved_images(split) if images else None
        self._texts = corpus.retrieved_texts(split) if texts else None
        self._sentences = corpus.sentences(split) if texts else None
        if images:
            require_same_kind(store, like, "data.image_regions")
            self._require_images(corpus, split)

    def image_ids(self, row: int, rng: np.random.Generator) -> list[str | None]:
        """Return ids of images retrieved for the pair in this row; None where it has fewer than asked."""
        if self._images is None:
            return []
        return sample([str(key) for key in self._images[row].keys], self._n_images, rng)

    def texts(self, row: int, rng: np.random.Generator) -> list[str | None]:
        """Return texts retrieved for the pair in this row; None where it has fewer than asked."""
        if self._texts is None or self._sentences is None:
            return []
        drawn = sample(self._texts[row].keys, self._n_texts, rng)
        return [None if key is None else self._sentences[int(key)].text for key in drawn]

    def _require_images(self, corpus: Corpus, split: str) -> None:
        assert self._images is not None
        rows = range(0, len(self._images), max(1, len(self._images) // PROBED))
        found = dict.fromkeys(str(key) for row in rows for key in self._images[row].keys)
        missing = [image_id for image_id in found if image_id not in self._store]
        if missing:
            raise UserError(
                f"{len(missing)} of {len(found)} images retrieved for pairs of split {split!r} have no regions in "
                f"{self._store.path} ({', '.join(missing[:5])}{', ...' if len(missing) > 5 else ''}): name in "
                f"data.image_regions the store that they were retrieved from, or retrieve from this one: "
                f"tools/prepare.py retrieve --corpus {corpus.path} --images {self._store.path} --texts DIR"
            )


def sample(items: Sequence[Item], count: int, rng: np.random.Generator) -> list[Item | None]:
    """Return `count` different ones of the items in random order, None for those that are lacking."""
    chosen = rng.permutation(len(items))[:count]
    return [items[i] for i in chosen] + [None] * (count - len(chosen))


def require_same_kind(store: RegionStore, like: RegionStore, setting: str) -> None:
    """Raise UserError listing what tells a store's regions from those of the pairs. setting: that names the store."""
    faults = [
        f"{name} {getattr(store.meta, key)!r}, not {getattr(like.meta, key)!r}"
        for key, name in (("family", "the family"), ("feature_width", "the feature width"))
        if getattr(store.meta, key) != getattr(like.meta, key)
    ]
    if store.meta.classes != like.meta.classes:
        faults.append(f"other classes ({len(store.meta.classes)}, not the same {len(like.meta.classes)})")
    if faults:
        raise UserError(
            f"{setting}: {store.path} has {'; '.join(faults)} as in {like.path}: one model reads both; "
            f"extract its images with the same detector: tools/extract.py"
        )
