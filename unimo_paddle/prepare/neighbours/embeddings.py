"""Sentences as vectors: float16 shards that worker processes write and map, and the nearest of them to a caption."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.corpus import Text
from unimo_paddle.errors import UserError
from unimo_paddle.files import atomic_write, leftovers, read_json, sha256_of, write_json
from unimo_paddle.prepare.neighbours import ivf
from unimo_paddle.prepare.neighbours.arrays import ArrayFolder, array_folder, is_current
from unimo_paddle.prepare.neighbours.exact import Ranked
from unimo_paddle.prepare.neighbours.sentences import is_same
from unimo_paddle.prepare.rewriting.english import normalise
from unimo_paddle.prepare.sentence_encoder import SentenceEncoder

SCHEMA = 1
META_FILE = "embeddings.json"
KIND = "sentences by meaning"
LIMITS = ivf.Limits(exact_up_to=200_000, candidates=400)
ROWS_PER_SHARD = 20_000
SPARE = 16           # exact search: neighbours looked at beyond those wanted, so that rounding does not decide on ties
RESCORED_AT_ONCE = 32


@dataclass(frozen=True)
class Embeddings:
    """A folder of vectors, whole or being written; it can be sent to another process.

    key: what the texts are, and encoder: who reads them; another one's vectors are replaced.
    rows, width: of all vectors together.  The last shard has what is left.  Beside each lies its SHA-256.
    """

    folder: Path
    key: str
    encoder: str
    rows: int
    width: int
    rows_per_shard: int

    @classmethod
    def prepare(cls, folder: Path, key: str, rows: int, encoder: SentenceEncoder) -> Embeddings:
        """Begin or go on with a folder; shards of other texts or another encoder are removed."""
        wanted = cls(folder, key, encoder.name, rows, encoder.width, ROWS_PER_SHARD)
        folder.mkdir(parents=True, exist_ok=True)
        leftovers(folder)
        if not (folder / META_FILE).is_file() or cls.open(folder) != wanted:
            for shard in folder.glob("vectors-*"):
                shard.unlink()
            meta = {name: value for name, value in asdict(wanted).items() if name != "folder"}
            write_json(folder / META_FILE, {"schema": SCHEMA, **meta})
        return wanted

    @classmethod
    def open(cls, folder: Path) -> Embeddings:
        """Read what `prepare` has begun; UserError when there is none or it is of another schema."""
        file = folder / META_FILE
        if not file.is_file():
            raise UserError(f"{folder} holds no vectors of sentences ({META_FILE} is missing); make them first")
        value = read_json(file)
        if not isinstance(value, dict) or value.pop("schema", None) != SCHEMA:
            raise UserError(f"{file}: schema {SCHEMA} is wanted; delete the folder and make the vectors anew")
        try:
            return cls(folder, **value)
        except TypeError as error:
            raise UserError(f"{file}: {error}; delete the folder and make the vectors anew") from None

    @property
    def parts(self) -> list[range]:
        """The rows of each shard."""
        starts = range(0, self.rows, self.rows_per_shard)
        return [range(start, min(start + self.rows_per_shard, self.rows)) for start in starts]

    @property
    def todo(self) -> list[range]:
        """The rows of the shards that are not there yet or are damaged; reads all that are there."""
        return [part for part in self.parts if not self._is_whole(part)]

    def write(self, part: range, texts: Sequence[str], encoder: SentenceEncoder) -> None:
        """Encode the texts of one of `parts` and write their shard, atomically; bytes depend on the texts alone."""
        vectors = encoder.encode(texts)
        assert vectors.shape == (len(part), self.width), (vectors.shape, part)
        stream = io.BytesIO()
        np.save(stream, vectors.astype(np.float16))
        data = stream.getvalue()
        for file, content in ((self._file(part), data), (self._mark(part), hashlib.sha256(data).hexdigest().encode())):
            with atomic_write(file) as target:
                target.write(content)

    def shards(self) -> list[NDArray[np.float16]]:
        """Map all shards, float16 [rows, width] each; UserError naming one that is missing or damaged."""
        return [self._map(part) for part in self.parts]

    def _map(self, part: range) -> NDArray[np.float16]:
        file = self._file(part)
        try:
            found: NDArray[np.float16] = np.load(file, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise UserError(f"{file} is missing or was cut short ({error}); delete it and run again") from None
        shape = (len(part), self.width)
        if found.shape != shape or found.dtype != np.float16:
            raise UserError(f"{file} holds {found.dtype} {found.shape}, not float16 {shape}; delete it and run again")
        return found

    def _is_whole(self, part: range) -> bool:
        file, mark = self._file(part), self._mark(part)
        return file.is_file() and mark.is_file() and mark.read_bytes() == sha256_of(file).encode()

    def _mark(self, part: range) -> Path:
        return self._file(part).with_suffix(".sha256")

    def _file(self, part: range) -> Path:
        return self.folder / f"vectors-{part.start // self.rows_per_shard:05d}.npy"


class SentenceIndex:
    """Nearest vectors of finished embeddings by inner product: exact up to a limit, then by way of FAISS's lists."""

    def __init__(self, folder: Path) -> None:
        """Map what `SentenceIndex.build` has written; UserError when anything is absent or damaged."""
        embeddings = Embeddings.open(folder)
        stored = ArrayFolder(folder / "index", KIND)
        self._shards, self._per_shard = embeddings.shards(), embeddings.rows_per_shard
        self._candidates = ivf.Candidates(stored) if stored.meta["ivf"] else None
        self.note: str = stored.meta["note"]

    @classmethod
    def build(cls, folder: Path, limits: ivf.Limits = LIMITS) -> SentenceIndex:
        """Index finished embeddings, unless that was done already, and open them."""
        embeddings = Embeddings.open(folder)
        key = repr((embeddings.key, embeddings.encoder, embeddings.rows, limits))
        if not is_current(folder / "index", KIND, key):
            shards = embeddings.shards()
            meta = {"key": key, "ivf": embeddings.rows > limits.exact_up_to, "note": "exact"}
            with array_folder(folder / "index", KIND, meta) as work:
                meta |= _write_approximate(work, shards, limits) if meta["ivf"] else {}
        return cls(folder)

    def nearest(self, queries: NDArray[np.float32], k: int) -> list[Ranked]:
        """Return for each query, float32 [Q, width], up to k (row, inner product), best first, equal ones by row."""
        found = self._candidates.of(queries, k) if self._candidates else exact(queries, self._shards, k + SPARE)
        return rescore(queries, self._shards, found, k)


def related(
    index: SentenceIndex, encoder: SentenceEncoder, captions: Sequence[str], texts: Sequence[Text], k: int
) -> list[Ranked]:
    """Return for each caption up to k (row, cosine) of sentences that mean the same, best first; near-copies left out.

    texts: the sentences of the index. A sentence is a near-copy when most of its words are the caption's. A caption
    without a word has no neighbours.
    """
    vectors, said = encoder.encode(captions), [normalise(caption) for caption in captions]
    answer: list[Ranked] = [[] for _ in captions]
    left, fetched = [row for row, words in enumerate(said) if words], k + k // 2
    while left:
        found = index.nearest(vectors[left], fetched)
        for row, ranked in zip(left, found, strict=True):
            answer[row] = list(_others(said[row], ranked, texts, k))
        left = [row for row, ranked in zip(left, found, strict=True) if len(answer[row]) < k and len(ranked) == fetched]
        fetched *= 2
    return answer


def exact(queries: NDArray[np.float32], shards: Sequence[NDArray[np.float16]], k: int) -> NDArray[np.int64]:
    """Return the rows of the k greatest inner products, int64 [Q, k], -1 where there are fewer rows.

    queries: float32 [Q, D].  Memory: 24 bytes for each of Q x k, and one shard in float32.
    """
    faiss = ivf.load_faiss()
    scores = np.full((len(queries), k), -np.inf, np.float32)
    rows = np.full((len(queries), k), -1, np.int64)
    start = 0
    for shard in shards:
        block = shard.astype(np.float32)
        more, places = faiss.knn(queries, block, min(k, len(block)), metric=faiss.METRIC_INNER_PRODUCT)
        scores, rows = np.concatenate([scores, more], 1), np.concatenate([rows, places + start], 1)
        order = np.lexsort((rows, -scores))[:, :k]
        scores, rows = np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)
        start += len(block)
    return rows


def rescore(
    queries: NDArray[np.float32], shards: Sequence[NDArray[np.float16]], candidates: NDArray[np.int64], k: int
) -> list[Ranked]:
    """Return the best k of each query's candidates by their inner products, each summed alike whatever the batch."""
    answer = []
    for start in range(0, len(queries), RESCORED_AT_ONCE):
        part = candidates[start : start + RESCORED_AT_ONCE]
        found = gather(shards, np.maximum(part, 0).ravel()).reshape(*part.shape, -1)
        scores = np.einsum("qmd,qd->qm", found, queries[start : start + RESCORED_AT_ONCE])
        scores[part < 0] = -np.inf
        order = np.lexsort((part, -scores))[:, :k]
        answer += [_ranked(part[row], scores[row], order[row]) for row in range(len(part))]
    return answer


def gather(shards: Sequence[NDArray[np.float16]], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the vectors of some rows, float32 [n, D]; each shard is read once, in order."""
    ends = np.cumsum([len(shard) for shard in shards])
    found = np.empty((len(rows), shards[0].shape[1]), np.float32)
    shard_of = np.searchsorted(ends, rows, side="right")
    for number in np.unique(shard_of).tolist():
        mine = np.flatnonzero(shard_of == number)
        found[mine] = shards[number][rows[mine] - (ends[number] - len(shards[number]))]
    return found


def _write_approximate(work: Path, shards: Sequence[NDArray[np.float16]], limits: ivf.Limits) -> dict[str, Any]:
    count = sum(map(len, shards))
    index = ivf.train_and_fill(
        count, limits.lists, lambda rows: gather(shards, np.arange(count)[rows] if isinstance(rows, slice) else rows)
    )
    ivf.write(index, work)
    queries, k = gather(shards, ivf.evenly(count, ivf.TRIALS)), ivf.RECALL_AT + 1
    truth = rescore(queries, shards, exact(queries, shards, k + SPARE), k)
    tuned = ivf.tune(index.nlist, limits.recall, ivf.scores(truth), lambda probes: ivf.scores(
        rescore(queries, shards, ivf.search(index, queries, limits.candidates, probes), k)
    ))  # fmt: skip
    return {"candidates": limits.candidates, **tuned}


def _others(words: str, ranked: Ranked, texts: Sequence[Text], k: int) -> Iterator[tuple[int, float]]:
    for row, score in ranked:
        if k and not is_same(words, normalise(texts[row].text)):
            yield row, score
            k -= 1


def _ranked(rows: NDArray[np.int64], scores: NDArray[np.float32], order: NDArray[np.int64]) -> Ranked:
    kept = order[rows[order] >= 0]
    return list(zip(rows[kept].tolist(), scores[kept].tolist(), strict=True))

