"""Image retrieval: the pictures of a collection whose detected objects overlap most with a picture's own (paper 2.2).

A picture is a soft histogram: for each class the probability of its most certain region. The maximum, and not the
chance that any region shows it (noisy-or): a detector gives many overlapping regions for one object, which are no
independent witnesses, and 36 regions of a doubtful 0.05 would add up to 0.84. A histogram says what is there, not how
often. Classes are weighted by how few pictures show them; the score of two pictures is the cosine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.errors import UserError
from unimo_paddle.prepare.neighbours.arrays import ArrayFolder, array_folder, is_current
from unimo_paddle.prepare.neighbours.exact import Ranked
from unimo_paddle.prepare.neighbours.ivf import Limits
from unimo_paddle.prepare.neighbours.nearest import SparseIndex, write_sparse
from unimo_paddle.regions import RegionStore

KIND = "images by their objects"
LEAST = 0.05  # a class less probable than this is not in the picture; it drops what a store spreads over other classes


class ImageIndex:
    """The index of a collection, mapped."""

    def __init__(self, folder: Path) -> None:
        """Map what `ImageIndex.build` has written; UserError when it is absent or damaged."""
        stored = ArrayFolder(folder, KIND)
        self._index = SparseIndex(stored)
        self._ids, self._weights = stored.array("ids"), stored.array("weights")
        self._classes, self._store = tuple(stored.meta["classes"]), str(stored.meta["store"])
        self.note = self._index.note

    @classmethod
    def build(
        cls, store: RegionStore, image_ids: Sequence[str], folder: Path, limits: Limits | None = None
    ) -> ImageIndex:
        """Write the index of these images of a store, unless the folder holds it already, and open it.

        UserError when there are none, or one is not in the store. Reads every region once: give the ids in the store's
        order. Memory: 8 bytes a class seen in an image (about 20), as much again while it is sorted.
        """
        limits = limits or Limits()
        if not image_ids:
            raise UserError(f"no images to retrieve; extract regions into {store.path} first")
        key = _key(store, image_ids, limits)
        if not is_current(folder, KIND, key):
            meta = {"key": key, "classes": list(store.meta.classes), "store": str(store.path)}
            with array_folder(folder, KIND, meta) as work:
                seen = histograms(store, image_ids)
                np.save(work / "weights.npy", weights := rarity(seen))
                np.save(work / "ids.npy", np.array([image_id.encode() for image_id in image_ids]))
                meta |= write_sparse(work, weigh(seen, weights), limits)
        return cls(folder)

    def nearest(self, store: RegionStore, image_ids: Sequence[str], k: int) -> list[list[tuple[str, float]]]:
        """Return for each image of `store` up to k (id in the collection, cosine), best first, ties as collected.

        The image itself, told by its id, is none of them; nor is a picture that shares no object with it.
        UserError when the two stores' classes differ or an image is not stored.
        """
        self._agree(store)
        different = list(dict.fromkeys(image_ids))
        queries = weigh(histograms(store, different), self._weights)
        found = self._index.nearest(queries, k + 1, [()] * len(different))
        answer = {own: self._others(own, ranked)[:k] for own, ranked in zip(different, found, strict=True)}
        return [answer[image_id] for image_id in image_ids]

    def _others(self, own: str, ranked: Ranked) -> list[tuple[str, float]]:
        return [(image_id, score) for place, score in ranked if (image_id := self._id(place)) != own]

    def _id(self, place: int) -> str:
        return bytes(self._ids[place]).decode()

    def _agree(self, store: RegionStore) -> None:
        if store.meta.classes != self._classes:
            raise UserError(
                f"the regions of {store.path} are of {len(store.meta.classes)} classes, those of {self._store} of "
                f"{len(self._classes)}, and the lists differ{_first_difference(store.meta.classes, self._classes)}; "
                f"extract both with the same detector"
            )


def histograms(store: RegionStore, image_ids: Sequence[str]) -> Any:
    """Return for each image the greatest probability of each class over its regions, float32 CSR [images, classes].

    The background and what is below LEAST are 0.
    """
    from scipy.sparse import csr_matrix

    columns, values, ends = [np.empty(0, np.int32)], [np.empty(0, np.float32)], [0]
    for image_id in image_ids:
        best = store.read(image_id).class_probs.max(axis=0)
        best[0] = 0
        shown = np.flatnonzero(best >= LEAST)
        columns.append(shown.astype(np.int32))
        values.append(best[shown])
        ends.append(ends[-1] + len(shown))
    parts = np.concatenate(values), np.concatenate(columns), np.array(ends)
    return csr_matrix(parts, shape=(len(image_ids), len(store.meta.classes)))


def rarity(seen: Any) -> NDArray[np.float32]:
    """Return a weight for each class, ln(1 + images / (1 + images that show it)), where an image shows 0 to 1 of it.

    float32 [classes]. A class that every image shows weighs 0.69, one that a single image of a million shows 13.1.
    """
    shown = np.asarray(seen.sum(axis=0), np.float64).ravel()
    return np.log1p(seen.shape[0] / (1 + shown)).astype(np.float32)


def weigh(seen: Any, weights: NDArray[np.float32]) -> Any:
    """Return histograms times the classes' weights, each row of length 1 or 0: float32 CSR [images, classes]."""
    from sklearn.preprocessing import normalize

    weighted = seen.copy()
    weighted.data *= weights[weighted.indices]
    return normalize(weighted, copy=False)


def _first_difference(ours: Sequence[str], theirs: Sequence[str]) -> str:
    for number, (our, their) in enumerate(zip(ours, theirs, strict=False)):
        if our != their:
            return f" (class {number} is {our!r} and {their!r})"
    return ""


def _key(store: RegionStore, image_ids: Sequence[str], limits: Limits) -> str:
    digest = hashlib.sha256(repr((limits, LEAST, store.meta, str(store.path.resolve()))).encode())
    for image_id in image_ids:
        digest.update(f"{len(image_id)} {image_id}".encode())
    return digest.hexdigest()
