"""Sentence-level negatives: the captions of other images that are most similar by TF-IDF (paper section 2.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from unimo_paddle.corpus import Negative
from unimo_paddle.prepare.rewriting.english import normalise

SCORES_AT_ONCE = 16_000_000   # similarities held in memory together: about 130 MB where most are not zero


class SimilarCaptions:
    """All captions of a split as TF-IDF vectors, each text once.

    captions, image_ids: one of each per pair. Texts that are equal after normalisation are one text, which belongs to
    several images; so the answer never repeats a text, and is exact.
    """

    def __init__(self, captions: Sequence[str], image_ids: Sequence[str]) -> None:
        numbers: dict[str, int] = {}
        self._text_of_pair = np.array([numbers.setdefault(normalise(caption), len(numbers)) for caption in captions],
                                      dtype=np.int64)
        self._texts: list[str] = [""] * len(numbers)
        self._of_image: dict[str, set[int]] = {}
        for caption, image_id, number in zip(captions, image_ids, self._text_of_pair.tolist(), strict=True):
            self._texts[number] = self._texts[number] or caption
            self._of_image.setdefault(image_id, set()).add(number)
        self._image_ids = image_ids
        self._vectors = vectorise(list(numbers))
        self._transposed = self._vectors.T.tocsr()

    def negatives(self, pairs: range, count: int) -> Iterator[list[Negative]]:
        """Yield for each of the pairs up to `count` negatives, the most similar first.

        None is a caption of the pair's own image. Captions that share no word with the pair's are not similar.
        """
        step = max(1, SCORES_AT_ONCE // max(1, len(self._texts)))
        for first in range(pairs.start, pairs.stop, step):
            block = range(first, min(first + step, pairs.stop))
            own = [self._of_image[self._image_ids[pair]] for pair in block]
            texts, places = np.unique(self._text_of_pair[block.start:block.stop], return_inverse=True)
            nearest = top_k(self._vectors[texts], self._transposed, count + max(map(len, own)))
            for place, true in zip(places.tolist(), own, strict=True):
                chosen = [(text, score) for text, score in nearest[place] if text not in true][:count]
                yield [Negative(self._texts[text], "sentence", f"similarity {score:.2f}") for text, score in chosen]


def vectorise(texts: Sequence[str]) -> Any:
    """Return TF-IDF vectors of length 1 (scikit-learn's smoothed idf), a float32 CSR matrix [texts, words]."""
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfVectorizer

    if not any(texts):   # nothing but punctuation, at which scikit-learn gives up
        return csr_matrix((len(texts), 1), dtype=np.float32)
    return TfidfVectorizer(analyzer=str.split, dtype=np.float32).fit_transform(texts)


def top_k(queries: Any, transposed: Any, k: int) -> list[list[tuple[int, float]]]:
    """Return for each query the k columns of `transposed` with the greatest dot products, as (column, product).

    queries: CSR [Q, D]; transposed: CSR [D, N]. Greatest first, equal ones by column; products of 0 are left out.
    """
    products = queries @ transposed
    answer = []
    for start, stop in zip(products.indptr[:-1], products.indptr[1:], strict=True):
        columns, scores = products.indices[start:stop], products.data[start:stop]
        if len(scores) > k:
            least = np.partition(scores, len(scores) - k)[len(scores) - k]
            columns, scores = columns[scores >= least], scores[scores >= least]
        order = np.lexsort((columns, -scores))[:k]
        answer.append(list(zip(columns[order].tolist(), scores[order].tolist(), strict=True)))
    return answer
