"""Texts, images and image-text pairs on disk: the contract between preparing and training.

A corpus is a folder of Arrow IPC shards and `corpus.json`, the manifest. A shard appears under its name only when it
is whole, and counts only once the manifest lists it; so a killed run leaves nothing half-done. docs/data_formats.md
describes the layout.
"""

from __future__ import annotations

import operator
import os
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, TypeVar, overload

from unimo_paddle.corpus_shards import MANIFEST, Manifest, Shard, read_shard, remove_orphans, stored_path, write_shard
from unimo_paddle.corpus_shards import REWRITES as REWRITES
from unimo_paddle.errors import UserError
from unimo_paddle.files import leftovers, lock_directory

ROWS_PER_SHARD = 50_000
CHARACTERS_PER_SHARD = 128_000_000   # Arrow's strings count to 2 GiB a shard; whole books get there before the rows


@dataclass(frozen=True)
class Text:
    """A document of the text collection."""

    id: str
    text: str


@dataclass(frozen=True)
class Image:
    """An image file; width and height in pixels."""

    id: str
    path: Path
    width: int
    height: int


@dataclass(frozen=True)
class Pair:
    """One caption of one image."""

    id: str
    image_id: str
    caption: str


@dataclass(frozen=True)
class Negative:
    """A caption that is false of its image. level: word, phrase or sentence; change: e.g. `object: dog -> sheep`."""

    text: str
    level: str
    change: str


@dataclass(frozen=True)
class Rewrites:
    """What a pair is contrasted with (paper section 2.1)."""

    positives: tuple[str, ...]
    negatives: tuple[Negative, ...]


Record = TypeVar("Record")
Stored = Text | Image | Pair
_COLLECTION = {Text: "texts", Image: "images", Pair: "pairs"}


class Records(Sequence[Record], Generic[Record]):
    """The records of one split, read from memory-mapped shards as they are asked for.

    A shard's checksum is compared when its first record is read: UserError names a damaged one.
    """

    def __init__(self, root: Path, shards: Sequence[Shard], make: Callable[..., Record]) -> None:
        self.shards = tuple(shards)
        self._root, self._make = root, make
        self._starts = list(accumulate((shard.rows for shard in shards), initial=0))
        self._opened: dict[int, Any] = {}

    def __len__(self) -> int:
        return self._starts[-1]

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        place = operator.index(index)
        place += len(self) if place < 0 else 0
        if not 0 <= place < len(self):
            raise IndexError(f"record {index} of {len(self)}")
        number = bisect_right(self._starts, place) - 1
        row = place - self._starts[number]
        return self._make(*(column[row].as_py() for column in self._shard(number).columns))

    def column(self, name: str) -> list[Any]:
        """Return one column whole, e.g. every caption: faster than record by record."""
        return [value for i in range(len(self.shards)) for value in self._shard(i).column(name).to_pylist()]

    def _shard(self, number: int) -> Any:
        if number not in self._opened:
            self._opened[number] = read_shard(self._root, self.shards[number])
        return self._opened[number]


class Corpus:
    """A finished corpus, opened for reading.

    Raises UserError when the manifest is absent or of another schema, and, naming all of them, when ingests were
    interrupted or shards are missing or cut short.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.manifest = Manifest.read(self.path)
        faults = self.manifest.faults(self.path)
        if faults:
            raise UserError(f"the corpus {self.path} cannot be used:\n  " + "\n  ".join(faults))

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits, in the order in which they were first written."""
        return tuple(dict.fromkeys(shard.split for shard in self.manifest.shards))

    def texts(self, split: str) -> Records[Text]:
        """Return the split's documents."""
        return Records(self.path, self._shards("texts", split), Text)

    def images(self, split: str) -> Records[Image]:
        """Return the split's images; a path that was stored relative to the corpus comes back joined to it."""
        def make(image_id: str, path: str, width: int, height: int) -> Image:
            return Image(image_id, Path(os.path.normpath(self.path / path)), width, height)
        return Records(self.path, self._shards("images", split), make)

    def pairs(self, split: str) -> Records[Pair]:
        """Return the split's image-caption pairs."""
        return Records(self.path, self._shards("pairs", split), Pair)

    def rewrites(self, split: str) -> Records[Rewrites]:
        """Return the rewrites of each pair, in the order of `pairs(split)`.

        Raises UserError when they are absent, unfinished or older than the pairs.
        """
        shards = self._shards("rewrites", split)
        source = self.manifest.sources.get(REWRITES + split)
        wanted = [shard.sha256 for shard in self._shards("pairs", split)]
        if source is None or not source.complete or [shard.of for shard in shards] != wanted:
            raise UserError(f"the pairs of split {split!r} in {self.path} have no rewrites that belong to them; "
                            f"make them with: tools/prepare.py rewrite --corpus {self.path} --splits {split} "
                            f"--vocabulary DIR")
        return Records(self.path, shards, _make_rewrites)

    def verify(self) -> list[str]:
        """Read every shard and return the damaged ones, with what is wrong."""
        return self.manifest.faults(self.path, content=True)

    def _shards(self, collection: str, split: str) -> list[Shard]:
        if split not in self.splits:
            raise UserError(f"{self.path} has no split {split!r}; it has {', '.join(self.splits) or 'none'}")
        return self.manifest.select(collection, split)


class CorpusWriter:
    """Adds one source to a corpus, and goes on where a killed run of the same source stopped.

    source: a name, unique in the corpus. fingerprint: any text that changes when the source's content does.
    A run must `add` the same records in the same order as the run it continues; those that are in complete shards
    already are passed over. When the block ends by an error, what is not in a shard yet is lost, shards are kept.
    Raises UserError when the corpus holds a complete source of that name with another fingerprint (unless
    overwrite), or when another process writes to the corpus; OSError as the system gives it.
    """

    def __init__(self, path: Path | str, source: str, fingerprint: str, *,
                 rows_per_shard: int = ROWS_PER_SHARD, overwrite: bool = False) -> None:
        self.path = Path(path)
        self.path.mkdir(parents=True, exist_ok=True)
        self._source, self._rows_per_shard = source, rows_per_shard
        self._buffers: dict[tuple[str, str], list[Stored]] = {}
        self._characters: dict[tuple[str, str], int] = {}
        self._lock = lock_directory(self.path)
        try:
            leftovers(self.path)
            self.manifest = Manifest.read(self.path) if (self.path / MANIFEST).exists() else Manifest()
            self._claim(fingerprint, overwrite)
        except BaseException:
            os.close(self._lock)
            raise
        self._skip: dict[tuple[str, str], int] = {}
        for shard in self._own():
            key = (shard.collection, shard.split)
            self._skip[key] = self._skip.get(key, 0) + shard.rows

    def __enter__(self) -> CorpusWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        try:
            if kind is None and not self.finished:
                self._finish()
        finally:
            os.close(self._lock)

    @property
    def finished(self) -> bool:
        """Tell whether the source is complete already, so that there is nothing to add."""
        return self.manifest.sources[self._source].complete

    def other_ids(self, collection: str) -> set[str]:
        """Return the ids that other sources have given to a collection (about 100 bytes of memory each)."""
        shards = [s for s in self.manifest.shards if s.collection == collection and s.source != self._source]
        return set(Records(self.path, shards, Text).column("id"))

    def add(self, split: str, record: Stored) -> None:
        """Append a record to its collection in a split; a shard is written whenever one is full."""
        key = (_COLLECTION[type(record)], split)
        if self._skip.get(key, 0):
            self._skip[key] -= 1
            return
        buffer = self._buffers.setdefault(key, [])
        buffer.append(record)
        if isinstance(record, Text):
            self._characters[key] = self._characters.get(key, 0) + len(record.text)
        if len(buffer) >= self._rows_per_shard or self._characters.get(key, 0) >= CHARACTERS_PER_SHARD:
            self._flush(key)

    def add_rewrites(self, pairs: Shard, rewrites: Sequence[Rewrites]) -> None:
        """Write the rewrites of one shard of pairs, one for each of its rows and in their order."""
        assert len(rewrites) == pairs.rows, (len(rewrites), pairs.rows)
        columns = {"positives": [list(row.positives) for row in rewrites]}
        for name in ("text", "level", "change"):
            columns[f"negative_{name}s"] = [[getattr(n, name) for n in row.negatives] for row in rewrites]
        counts = Counter(level for levels in columns["negative_levels"] for level in levels)
        counts["positives"] = sum(map(len, columns["positives"]))
        self._put(pairs.file.replace("pairs-", "rewrites-", 1), "rewrites", pairs.split, columns,
                  of=pairs.sha256, counts=dict(counts))

    def has_rewrites(self, pairs: Shard) -> bool:
        """Tell whether an earlier run wrote the rewrites of this shard of pairs already."""
        return any(shard.of == pairs.sha256 for shard in self._own())

    def totals(self) -> dict[str, int]:
        """Return how many positives, and negatives of each level, this source has written."""
        return dict(sum((Counter(shard.counts) for shard in self._own()), Counter()))

    def abandon(self) -> None:
        """Take back everything this source has written; leave the block by an error afterwards."""
        self.manifest.drop(self._source)
        self.manifest.write(self.path)
        remove_orphans(self.path, self.manifest.shards)
        if not self.manifest.sources:
            (self.path / MANIFEST).unlink()

    def _own(self) -> list[Shard]:
        return [shard for shard in self.manifest.shards if shard.source == self._source]

    def _claim(self, fingerprint: str, overwrite: bool) -> None:
        old = self.manifest.sources.get(self._source)
        if old and old.complete and old.fingerprint != fingerprint and not overwrite:
            raise UserError(f"{self.path} holds another source {self._source!r} already; give this one another "
                            f"name, or use another folder")
        if not old or old.fingerprint != fingerprint:
            self.manifest.start(self._source, fingerprint)
            self.manifest.write(self.path)
        remove_orphans(self.path, self.manifest.shards)

    def _flush(self, key: tuple[str, str]) -> None:
        records = self._buffers.pop(key)
        self._characters.pop(key, None)
        columns = {field.name: [getattr(record, field.name) for record in records] for field in fields(records[0])}
        if key[0] == "images":
            columns["path"] = [stored_path(self.path, path) for path in columns["path"]]
        self._put(self.manifest.next_file(*key), *key, columns)

    def _put(self, file: str, collection: str, split: str, columns: dict[str, list[Any]], **more: Any) -> None:
        rest = {"collection": collection, "split": split, "source": self._source, **more}
        self.manifest.shards.append(write_shard(self.path / file, rest, columns))
        self.manifest.write(self.path)

    def _finish(self) -> None:
        for key in sorted(self._buffers):
            self._flush(key)
        self.manifest.complete(self._source)
        self.manifest.write(self.path)


def _make_rewrites(positives: list[str], texts: list[str], levels: list[str], changes: list[str]) -> Rewrites:
    return Rewrites(tuple(positives), tuple(map(Negative, texts, levels, changes)))
