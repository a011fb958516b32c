"""Approximate search for collections that are too large to compare with whole: FAISS inverted lists.

Vectors are cut to 8 bits a number and sorted into lists around centroids; a query looks into the nearest lists only.
What is found there are candidates, which the caller scores exactly. How many lists must be looked into depends on the
data: `tune` raises the number until the wanted recall is measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.errors import UserError
from unimo_paddle.prepare.neighbours.arrays import ArrayFolder
from unimo_paddle.prepare.neighbours.exact import Ranked

FILE = "ivf.faiss"
TRIALS = 200              # queries by which recall is measured
RECALL_AT = 10
POINTS_PER_LIST = 64      # vectors that train a centroid
ROWS_AT_ONCE = 65_536
SIGNS_PER_WORD = 8        # numbers other than 0 in each row of a projection


@dataclass(frozen=True)
class Limits:
    """When and how to approximate.

    exact_up_to: vectors that are still compared exactly.  recall: recall@10 to reach.  candidates: vectors a query that
    are scored exactly.  dimensions: numbers that a sparse vector is reduced to.  lists: 0 for 4 sqrt(vectors).
    """

    exact_up_to: int = 1_000_000
    recall: float = 0.95
    candidates: int = 1_000
    dimensions: int = 256
    lists: int = 0


def load_faiss() -> Any:
    """Import FAISS without the lines that it logs, bound to one thread: workers share the cores."""
    import logging

    logging.getLogger("faiss").setLevel(logging.WARNING)
    import faiss

    faiss.omp_set_num_threads(1)
    return faiss


class Candidates:
    """The stored lists, opened without reading them into memory."""

    def __init__(self, folder: ArrayFolder) -> None:
        """Open them; UserError when FAISS cannot read the file."""
        meta = folder.meta
        self._index = read(folder.path / FILE)
        self._projection = folder.csr("projection", meta["dimensions"]) if "dimensions" in meta else None
        self._count, self._probes = meta["candidates"], meta["probes"]

    def of(self, queries: Any, k: int) -> NDArray[np.int64]:
        """Return for each query the places of its candidates, -1 where there are fewer; int64 [Q, max(candidates, k)].

        queries: CSR [Q, D] where the index has a projection, else float32 [Q, D].
        """
        vectors = queries if self._projection is None else reduce(queries, self._projection)
        return search(self._index, vectors, max(self._count, 2 * k), self._probes)


def projection(words: int, dimensions: int, seed: int = 0) -> Any:
    """Return a sparse random projection, float32 CSR [words, dimensions], which keeps dot products in the mean.

    Each word has 8 numbers of +-1/sqrt(8) (Kane and Nelson 2014). A truncated SVD would lose rare words, which weigh
    most in TF-IDF: on 50,000 captions its 1,000 best candidates held 42 % of the true ten nearest, a projection's 99 %.
    """
    from scipy.sparse import csr_matrix

    rng = np.random.default_rng((seed, words, dimensions))
    count = min(SIGNS_PER_WORD, dimensions)
    columns = (rng.integers(dimensions, size=(words, 1)) + _steps(rng, words, count, dimensions)) % dimensions
    signs = rng.choice(np.array([-1, 1], np.float32), size=words * count) / np.float32(math.sqrt(count))
    starts = np.arange(0, words * count + 1, count)
    return csr_matrix((signs, columns.ravel().astype(np.int32), starts), shape=(words, dimensions))


def reduce(vectors: Any, matrix: Any) -> NDArray[np.float32]:
    """Return vectors @ matrix scaled to length 1, float32 [N, dimensions]."""
    dense = np.ascontiguousarray((vectors @ matrix).toarray(), np.float32)
    lengths = np.linalg.norm(dense, axis=1, keepdims=True)
    return dense / np.maximum(lengths, np.float32(1e-12))


def train_and_fill(count: int, lists: int, rows: Callable[[Any], NDArray[np.float32]]) -> Any:
    """Return a FAISS index of `count` vectors; rows(slice or int64 array) gives some of them, float32 [n, D]."""
    faiss = load_faiss()
    lists = max(1, min(lists or round(4 * math.sqrt(count)), count))
    sample = rows(evenly(count, lists * POINTS_PER_LIST))
    width = sample.shape[1]
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(width), width, lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    index.cp.niter, index.cp.min_points_per_centroid, index.cp.max_points_per_centroid = 10, 1, POINTS_PER_LIST
    index.train(sample)
    for start in range(0, count, ROWS_AT_ONCE):
        index.add(rows(slice(start, min(start + ROWS_AT_ONCE, count))))
    return index


def search(index: Any, queries: NDArray[np.float32], count: int, probes: int) -> NDArray[np.int64]:
    """Return the places of the `count` nearest in the `probes` nearest lists, int64 [Q, count], -1 for none."""
    load_faiss()   # one thread
    index.nprobe = probes
    places: NDArray[np.int64] = index.search(np.ascontiguousarray(queries), min(count, index.ntotal))[1]
    return places


def tune(
    lists: int, wanted: float, truth: Sequence[Sequence[float]], found: Callable[[int], Sequence[Sequence[float]]]
) -> dict[str, Any]:
    """Double the number of lists looked into until recall is reached; return what the meta of an index says of it.

    truth: for each trial query its exact best scores; found(probes): the same by way of the index. Each row's first is
    the query itself and does not count.
    """
    probes = 1
    while (recall := recall_of(truth, found(probes))) < wanted and probes < lists:
        probes = min(2 * probes, lists)
    note = (
        f"FAISS, {probes:,} of {lists:,} lists looked into: recall@{RECALL_AT} {recall:.3f} against the exact answer "
        f"({len(truth)} queries)"
    )
    return {"probes": probes, "lists": lists, "recall": recall, "note": note}


def recall_of(truth: Sequence[Sequence[float]], found: Sequence[Sequence[float]]) -> float:
    """Return the share of true neighbours that were found; one of an equal score is as good. The first is left out."""
    hits = total = 0
    for true, got in zip(truth, found, strict=True):
        wanted = true[1 : RECALL_AT + 1]
        total += len(wanted)
        hits += min(len(wanted), sum(score >= wanted[-1] - 1e-6 for score in got[1:])) if wanted else 0
    return hits / total if total else 1.0


def scores(ranked: Sequence[Ranked]) -> list[list[float]]:
    """Return the scores of neighbours, which is what recall is told by."""
    return [[score for _, score in each] for each in ranked]


def evenly(count: int, wanted: int) -> NDArray[np.int64]:
    """Return at most `wanted` places of `count`, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, wanted)).astype(np.int64))


def write(index: Any, work: Path) -> None:
    """Write an index into a folder that is not yet under its name."""
    faiss = load_faiss()
    faiss.write_index(index, str(work / FILE))


def read(file: Path) -> Any:
    """Open an index with its lists mapped; UserError when FAISS cannot."""
    faiss = load_faiss()
    try:
        return faiss.read_index(str(file), faiss.IO_FLAG_MMAP)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{file} is no FAISS index: {reason}; delete the folder {file.parent} and run the same command again"
        ) from None


def _steps(rng: np.random.Generator, words: int, count: int, dimensions: int) -> NDArray[np.int64]:
    """Return `count` different offsets for each word, int64 [words, count]."""
    stride = dimensions // count
    return np.arange(count) * stride + rng.integers(stride, size=(words, count))
