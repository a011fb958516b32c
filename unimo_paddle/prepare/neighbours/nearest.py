"""An index of sparse vectors on the disk: exact (exact.py), or by way of FAISS (ivf.py) when there are too many."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.prepare.neighbours import ivf
from unimo_paddle.prepare.neighbours.arrays import ArrayFolder, write_csr
from unimo_paddle.prepare.neighbours.exact import Exact, Ranked, arrange, pack, unpack, without

QUERIES_AT_ONCE = 1_024


class SparseIndex:
    """Vectors that were written by `write_sparse`, mapped from a folder.

    vectors: float32 CSR [N, D].  note: how exact the answers are, in words.
    """

    def __init__(self, folder: ArrayFolder) -> None:
        self.vectors = folder.csr("vectors", folder.meta["width"])
        self.note: str = folder.meta["note"]
        self._candidates = ivf.Candidates(folder) if folder.meta["ivf"] else None
        self._exact = None if self._candidates else _open_exact(folder)

    def nearest(self, queries: Any, k: int, excluded: Sequence[Collection[int]]) -> list[Ranked]:
        """Return for each query up to k (place, score) of other places than the excluded ones.

        queries: float32 CSR [Q, D].  excluded: for each query, places that are not wanted.
        """
        starts = range(0, queries.shape[0], QUERIES_AT_ONCE)
        parts = [slice(start, start + QUERIES_AT_ONCE) for start in starts]
        return [ranked for part in parts for ranked in self._find(queries[part], k, excluded[part])]

    def _find(self, queries: Any, k: int, excluded: Sequence[Collection[int]]) -> list[Ranked]:
        if self._exact:
            return self._exact.top_k(queries, k, excluded)
        assert self._candidates
        enough = k + max(map(len, excluded))
        found = rescore(queries, self.vectors, self._candidates.of(queries, enough), enough)
        return [without(ranked, wrong)[:k] for ranked, wrong in zip(found, excluded, strict=True)]


def write_sparse(work: Path, vectors: Any, limits: ivf.Limits) -> dict[str, Any]:
    """Write what SparseIndex needs; return what has to stand in the folder's meta.

    vectors: float32 CSR [N, D], no number below 0, rows of length 1 (or 0).
    """
    write_csr(work, "vectors", vectors)
    meta = {"width": vectors.shape[1], "ivf": vectors.shape[0] > limits.exact_up_to}
    exact = arrange(vectors)
    if meta["ivf"]:
        return meta | _write_approximate(work, vectors, exact, limits)
    arrays, more = pack(exact)
    for name, array in arrays.items():
        np.save(work / f"{name}.npy", array)
    return meta | more | {"arrays": list(arrays), "note": "exact"}


def _write_approximate(work: Path, vectors: Any, exact: Exact, limits: ivf.Limits) -> dict[str, Any]:
    projection = ivf.projection(vectors.shape[1], limits.dimensions)
    write_csr(work, "projection", projection)
    index = ivf.train_and_fill(vectors.shape[0], limits.lists, lambda rows: ivf.reduce(vectors[rows], projection))
    ivf.write(index, work)
    queries, k = vectors[ivf.evenly(vectors.shape[0], ivf.TRIALS)], ivf.RECALL_AT + 1
    reduced = ivf.reduce(queries, projection)
    tuned = ivf.tune(index.nlist, limits.recall, ivf.scores(exact.top_k(queries, k)), lambda probes: ivf.scores(
        rescore(queries, vectors, ivf.search(index, reduced, limits.candidates, probes), k)
    ))  # fmt: skip
    return {"candidates": limits.candidates, "dimensions": limits.dimensions, **tuned}


def rescore(queries: Any, vectors: Any, candidates: NDArray[np.int64], k: int) -> list[Ranked]:
    """Return for each query the best k of its candidates by the exact dot product; -1 is no candidate.

    queries: CSR [Q, D]; vectors: CSR [N, D]; candidates: int64 [Q, M].
    """
    answer = []
    for query, row in zip(queries, candidates, strict=True):
        places = np.unique(row[row >= 0])
        scores = (vectors[places] @ query.T).toarray().ravel()
        order = [place for place in np.argsort(-scores, kind="stable")[:k] if scores[place] > 0]
        answer.append(list(zip(places[order].tolist(), scores[order].tolist(), strict=True)))
    return answer


def _open_exact(folder: ArrayFolder) -> Exact:
    arrays = {name: folder.array(name) for name in folder.meta["arrays"]}
    return unpack(arrays, folder.meta["sizes"], folder.meta["reaches"], folder.meta["width"])
