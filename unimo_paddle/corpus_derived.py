"""Writing what is made of pairs: collections with one row for each pair, slice by slice, by any number of processes.

A slice is a run of pairs within one shard of pairs. Whoever works on it calls `write_slice`; the one DerivedWriter
enters the shards that come back. The bytes depend neither on who worked on which slice nor on the order.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from unimo_paddle.corpus_records import columns_of
from unimo_paddle.corpus_shards import (
    COLUMNS,
    DERIVED,
    MANIFEST,
    Manifest,
    Shard,
    read_shard,
    size_faults,
    starts,
    write_shard,
)
from unimo_paddle.corpus_sources import SourceWriter
from unimo_paddle.errors import UserError

__all__ = ["DERIVED_ROWS", "DerivedWriter", "Shard", "Slice", "columns_of", "read_slice_pairs", "write_slice"]

DERIVED_ROWS = 2_500   # pairs of a slice: half a minute's work for the slowest step, the parser


@dataclass(frozen=True)
class Slice:
    """A run of pairs whose rows of a derived collection are made in one go; it can be sent to another process.

    start, stop: rows within the shard `pairs`.  first: the row of the split at which the slice begins.
    tag: 8 hexadecimal digits of the settings; a process of an older run that still writes meets no file of this run.
    """

    corpus: Path
    collection: str
    split: str
    pairs: Shard
    start: int
    stop: int
    first: int
    tag: str

    def __str__(self) -> str:
        return f"{self.collection} of pairs {self.first:,} to {self.first + len(self.rows) - 1:,} of {self.split}"

    @property
    def rows(self) -> range:
        """Return the slice's rows of the split."""
        return range(self.first, self.first + self.stop - self.start)

    @property
    def file(self) -> str:
        """Return the name of the slice's shard, e.g. `graphs-train-00000-02500-1f2e3d4c.arrow`."""
        stem = self.pairs.file.removeprefix("pairs-").removesuffix(".arrow")
        return f"{self.collection}-{stem}-{self.start:05d}-{self.tag}.arrow"


def read_slice_pairs(part: Slice) -> tuple[list[str], list[str], list[str]]:
    """Return ids, ids of the images, and captions of a slice's pairs; UserError when their shard is damaged."""
    batch = read_shard(part.corpus, part.pairs).slice(part.start, part.stop - part.start)
    ids, image_ids, captions = (batch.column(name).to_pylist() for name in COLUMNS["pairs"])
    return ids, image_ids, captions


def write_slice(part: Slice, columns: dict[str, list[Any]], counts: dict[str, int] | None = None) -> Shard:
    """Write the rows of a slice, and return the shard for DerivedWriter.commit.

    columns: those of the collection (`columns_of` makes them of values), a value for each pair. counts: what they
    hold, by kind. The file appears whole, and a second call of another process gives the same.
    """
    assert all(len(column) == len(part.rows) for column in columns.values()), part
    assert columns.keys() == COLUMNS[part.collection].keys(), (part, list(columns))
    rest = {"collection": part.collection, "split": part.split, "source": f"{part.collection}-{part.split}",
            "of": part.pairs.sha256, "start": part.start, "counts": dict(sorted((counts or {}).items()))}
    return write_shard(part.corpus / part.file, rest, columns)


class DerivedWriter(SourceWriter):
    """Makes a derived collection of a split, as a block, and goes on where a killed run of the same settings stopped.

    fingerprint: any text that changes when the rows would (settings, vocabularies, code version); the pairs
    themselves are seen to here. Another fingerprint replaces the collection, and so do other pairs.
    When the block ends before every slice is committed, the collection stays unfinished, its shards are kept.
    Raises UserError when the corpus cannot be used, the split has no pairs, or another process writes to the corpus.
    """

    def __init__(self, path: Path | str, collection: str, split: str, fingerprint: str, *,
                 rows_per_slice: int = DERIVED_ROWS) -> None:
        assert collection in DERIVED, collection
        if not (Path(path) / MANIFEST).exists():
            Manifest.read(Path(path))   # says what is missing
        self.collection, self._split, self._rows_per_slice = collection, split, rows_per_slice
        super().__init__(path, f"{collection}-{split}", fingerprint, overwrite=True)
        tag = hashlib.sha256(self.manifest.sources[self._source].fingerprint.encode()).hexdigest()[:8]
        self.slices = list(self._cut(self.manifest.select("pairs", split), tag))
        self._order = {part.file: number for number, part in enumerate(self.slices)}

    @property
    def todo(self) -> list[Slice]:
        """Return the slices that are missing, in the order of the pairs."""
        done = {shard.file for shard in self._own()}
        return [part for part in self.slices if part.file not in done]

    def commit(self, shard: Shard) -> None:
        """Enter a slice's shard; from now on no run makes it again.

        Raises UserError when the file that another machine wrote is not seen here.
        """
        assert shard.file in self._order, shard
        faults = size_faults(self.path, [shard])
        if faults:
            raise UserError(f"{faults[0]}; the corpus folder must be on storage that all machines share")
        self._enter(shard)

    def _prepare(self, fingerprint: str) -> str:
        self._drop_damaged()
        faults = self.manifest.faults(self.path)
        pairs = self.manifest.select("pairs", self._split)
        if not faults and not pairs:
            faults = [f"split {self._split!r} has no pairs"]
        if faults:
            raise UserError(f"the corpus {self.path} cannot be used:\n  " + "\n  ".join(faults))
        settings = [fingerprint, self._rows_per_slice, [shard.sha256 for shard in pairs]]
        return hashlib.sha256(json.dumps(settings).encode()).hexdigest()

    def _drop_damaged(self) -> None:
        """Take back this collection's own shards that are gone or cut, so that they are made again."""
        damaged = [shard for shard in self._own() if size_faults(self.path, [shard])]
        if damaged:
            self.manifest.shards = [shard for shard in self.manifest.shards if shard not in damaged]
            self.manifest.reopen(self._source)
            self.manifest.write(self.path)

    def _cut(self, pairs: Sequence[Shard], tag: str) -> Iterator[Slice]:
        for shard, first in zip(pairs, starts(pairs), strict=False):
            borders = [*range(0, shard.rows, self._rows_per_slice), shard.rows]
            for start, stop in pairwise(borders):
                yield Slice(self.path, self.collection, self._split, shard, start, stop, first + start, tag)

    def _finish(self) -> None:
        own = sorted(self._own(), key=lambda shard: self._order[shard.file])
        if len(own) == len(self.slices):
            self.manifest.shards = [s for s in self.manifest.shards if s.source != self._source] + own
            super()._finish()
