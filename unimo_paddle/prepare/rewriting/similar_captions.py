"""Sentence-level negatives: the captions of other images that are most similar by TF-IDF (paper section 2.1).

One process builds the index of a split; worker processes map it and answer slices of pairs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.errors import UserError
from unimo_paddle.prepare.neighbours.arrays import ArrayFolder, array_folder, is_current
from unimo_paddle.prepare.neighbours.ivf import Limits
from unimo_paddle.prepare.neighbours.nearest import SparseIndex, write_sparse
from unimo_paddle.prepare.rewriting.english import normalise

KIND = "similar captions"


def build_index(captions: Sequence[str], image_ids: Sequence[str], folder: Path, limits: Limits | None = None) -> str:
    """Write the index of a split, unless the folder holds it already; return how exact it is, in words.

    captions, image_ids: one of each per pair. Captions that are equal after normalisation are one text.
    Beyond `limits.exact_up_to` texts the index is approximate. UserError when there are no captions.
    """
    limits = limits or Limits()
    if not captions:
        raise UserError(f"no captions, so no similar ones; take pairs in before {folder} is made")
    key = _key(captions, image_ids, limits)
    if not is_current(folder, KIND, key):
        texts, of_pair = _number([normalise(caption) for caption in captions])
        images = _number(image_ids)[1]
        with array_folder(folder, KIND, meta := {"key": key}) as work:
            meta |= write_sparse(work, vectorise(texts), limits)
            for name, array in _ownership(of_pair, images).items():
                np.save(work / f"{name}.npy", array)
    return SimilarIndex.open(folder).note


@dataclass(frozen=True)
class SimilarIndex:
    """The index of a split, mapped.

    text_of_pair, image_of_pair: int32 [pairs].  pair_of_text: int64 [texts], the first pair that has the text.
    The texts of image i are image_texts[image_starts[i] : image_starts[i + 1]], its pairs likewise in image_pairs.
    """

    index: SparseIndex
    text_of_pair: NDArray[np.int32]
    image_of_pair: NDArray[np.int32]
    pair_of_text: NDArray[np.int64]
    image_starts: NDArray[np.int64]
    image_texts: NDArray[np.int32]
    pair_starts: NDArray[np.int64]
    image_pairs: NDArray[np.int64]

    @classmethod
    def open(cls, folder: Path) -> SimilarIndex:
        """Map what `build_index` has written; UserError when it is absent or damaged."""
        stored = ArrayFolder(folder, KIND)
        names = (field.name for field in fields(cls) if field.name != "index")
        return cls(SparseIndex(stored), *(stored.array(name) for name in names))

    @property
    def note(self) -> str:
        """How exact the answers are, in words."""
        return self.index.note

    def similar(self, rows: range, count: int) -> list[list[tuple[int, float]]]:
        """Return for each pair up to `count` (row of another pair, cosine), the most similar first, equal ones by row.

        None is a caption of the pair's own image, and no text comes twice: each is shown by the first pair that has it.
        Captions that share no word with the pair's are not similar.
        """
        texts, places = np.unique(self._asked(rows), axis=0, return_inverse=True)
        own = [self._texts_of(image) for _, image in texts.tolist()]
        found = self.index.nearest(self.index.vectors[texts[:, 0]], count, own)
        answer = [[(int(self.pair_of_text[text]), score) for text, score in ranked] for ranked in found]
        return [answer[place] for place in places.ravel().tolist()]

    def rows_of(self, image: int) -> list[int]:
        """Return the pairs of an image, given by its number in image_of_pair."""
        found: list[int] = self.image_pairs[self.pair_starts[image] : self.pair_starts[image + 1]].tolist()
        return found

    def _asked(self, rows: range) -> NDArray[np.int32]:
        """Return the text and the image of each pair: pairs that share both have one answer."""
        if rows and not 0 <= rows.start < rows.stop <= len(self.text_of_pair):
            raise UserError(f"the index of similar captions holds {len(self.text_of_pair):,} pairs, none of {rows}")
        return np.stack([array[rows.start : rows.stop] for array in (self.text_of_pair, self.image_of_pair)], axis=1)

    def _texts_of(self, image: int) -> set[int]:
        return set(self.image_texts[self.image_starts[image] : self.image_starts[image + 1]].tolist())


def vectorise(texts: Sequence[str]) -> Any:
    """Return TF-IDF vectors of length 1 (scikit-learn's smoothed idf), a float32 CSR matrix [texts, words]."""
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfVectorizer

    if not any(texts):  # nothing but punctuation, at which scikit-learn gives up
        return csr_matrix((len(texts), 1), dtype=np.float32)
    return TfidfVectorizer(analyzer=str.split, dtype=np.float32).fit_transform(texts)


def _number(names: Sequence[str]) -> tuple[list[str], NDArray[np.int32]]:
    """Return the different names as they come, and which one each is."""
    numbers: dict[str, int] = {}
    of_each = np.fromiter((numbers.setdefault(name, len(numbers)) for name in names), np.int32, len(names))
    return list(numbers), of_each


def _ownership(text_of_pair: NDArray[np.int32], image_of_pair: NDArray[np.int32]) -> dict[str, NDArray[Any]]:
    order = np.argsort(image_of_pair, kind="stable")
    both = np.unique(np.stack([image_of_pair, text_of_pair], axis=1), axis=0)
    return {
        "text_of_pair": text_of_pair,
        "image_of_pair": image_of_pair,
        "pair_of_text": np.unique(text_of_pair, return_index=True)[1].astype(np.int64),
        "image_starts": np.searchsorted(both[:, 0], np.arange(int(image_of_pair.max()) + 2)).astype(np.int64),
        "image_texts": np.ascontiguousarray(both[:, 1]),
        "pair_starts": np.searchsorted(image_of_pair[order], np.arange(int(image_of_pair.max()) + 2)).astype(np.int64),
        "image_pairs": order.astype(np.int64),
    }


def _key(captions: Sequence[str], image_ids: Sequence[str], limits: Limits) -> str:
    digest = hashlib.sha256(repr(limits).encode())
    for caption, image_id in zip(captions, image_ids, strict=True):
        digest.update(f"{len(caption)} {caption}{len(image_id)} {image_id}".encode())
    return digest.hexdigest()
