"""The manifest of a corpus folder and the Arrow shards it lists; corpus.py is what others use."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

from unimo_paddle.errors import UserError
from unimo_paddle.files import atomic_write, read_json, sha256_of, write_json

SCHEMA = 2
MANIFEST = "corpus.json"
COLUMNS = {   # name and Arrow type of each column
    "texts": {"id": "string", "text": "string"},
    "images": {"id": "string", "path": "string", "width": "int32", "height": "int32"},
    "pairs": {"id": "string", "image_id": "string", "caption": "string"},
    "sentences": {"id": "string", "text": "string"},
    "graphs": {"graph": "string"},
    "paraphrases": {"texts": "strings", "origins": "strings", "scores": "float32s"},
    "similar": {"rows": "int64s", "scores": "float32s"},
    "rewrites": {"positives": "strings", "positive_origins": "strings", "negative_texts": "strings",
                 "negative_levels": "strings", "negative_changes": "strings"},
    "retrieved_images": {"image_ids": "strings", "scores": "float32s"},
    "retrieved_texts": {"rows": "int64s", "scores": "float32s"},
}
DERIVED = {   # collections with a row for each pair, and the command of tools/prepare.py that makes them
    "graphs": "rewrite", "paraphrases": "rewrite", "similar": "rewrite", "rewrites": "rewrite",
    "retrieved_images": "retrieve", "retrieved_texts": "retrieve",
}
RESERVED = tuple(f"{name}-" for name in (*DERIVED, "sentences"))   # begin the names of sources that no ingest may take
_POINTERS = {"sentences": "retrieved_texts"}   # whose rows are named by number: new ones make the numbers void
_NUMBER = re.compile(r"-(\d{5,})\.arrow$")
_SHARD_FILE = re.compile(r"([a-z_]+)-.*-\d{5,}(?:-[0-9a-f]{8})?\.arrow")


@dataclass(frozen=True)
class Shard:
    """A shard as the manifest lists it.

    of, start: for a derived collection, the SHA-256 of the shard of pairs it stands beside, and the row there of its
    own first row. counts: what the shard holds, by kind.
    """

    file: str
    collection: str
    split: str
    rows: int
    bytes: int
    sha256: str
    source: str
    of: str = ""
    start: int = 0
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """What one ingest, or one derived collection of a split, brought.

    fingerprint: tells whether a new run asks for the same.
    """

    fingerprint: str
    complete: bool


@dataclass
class Manifest:
    """`corpus.json` in memory: every shard in order, and every source."""

    shards: list[Shard] = field(default_factory=list)
    sources: dict[str, Source] = field(default_factory=dict)

    @classmethod
    def read(cls, root: Path) -> Manifest:
        """Read a corpus folder's manifest; UserError when it is absent, of another schema, or not a manifest."""
        path = root / MANIFEST
        if not path.exists():
            raise UserError(f"{root} is no corpus: it has no {MANIFEST}; make one with: tools/prepare.py ingest")
        value = read_json(path)
        schema = value.get("schema") if isinstance(value, dict) else None
        if schema != SCHEMA:
            raise UserError(f"{path}: schema is {schema!r}, this version reads {SCHEMA}; make the corpus anew, in "
                            f"another folder, with: tools/prepare.py ingest")
        try:
            return cls([Shard(**shard) for shard in value["shards"]],
                       {name: Source(**source) for name, source in value["sources"].items()})
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path} is not a corpus manifest: {error}; make the corpus anew") from None

    def write(self, root: Path) -> None:
        """Write the manifest, atomically; the counts are there for a person to read."""
        write_json(root / MANIFEST, {
            "schema": SCHEMA, "counts": self.counts(),
            "sources": {name: asdict(source) for name, source in self.sources.items()},
            "shards": [asdict(shard) for shard in self.shards]})

    def counts(self) -> dict[str, dict[str, int]]:
        """Return split -> collection -> number of records."""
        counts: dict[str, dict[str, int]] = {}
        for shard in self.shards:
            split = counts.setdefault(shard.split, {})
            split[shard.collection] = split.get(shard.collection, 0) + shard.rows
        return counts

    def select(self, collection: str, split: str) -> list[Shard]:
        """Return the shards of one collection of one split, in order."""
        return [shard for shard in self.shards if (shard.collection, shard.split) == (collection, split)]

    def has(self, collection: str, split: str) -> bool:
        """Tell whether a split has a collection, whole; a derived one must belong to the pairs as they are now."""
        if collection not in (*DERIVED, "sentences"):
            return bool(self.select(collection, split))
        source = self.sources.get(f"{collection}-{split}")
        return source is not None and source.complete and (collection == "sentences" or self._covers(collection, split))

    def _covers(self, collection: str, split: str) -> bool:
        pairs, derived = self.select("pairs", split), self.select(collection, split)
        firsts = dict(zip((shard.sha256 for shard in pairs), starts(pairs), strict=False))
        found = [firsts[shard.of] + shard.start if shard.of in firsts else None for shard in derived]
        return [*found, starts(pairs)[-1]] == starts(derived)

    def next_file(self, collection: str, split: str) -> str:
        """Return the name of the shard to be written next to a collection that is not derived."""
        numbers = [int(_NUMBER.findall(shard.file)[0]) for shard in self.select(collection, split)]
        return f"{collection}-{split}-{max(numbers, default=-1) + 1:05d}.arrow"

    def drop(self, source: str) -> None:
        """Forget a source and its shards, and the source whose rows point into it."""
        collection, _, split = source.partition("-")
        gone = {source, f"{_POINTERS[collection]}-{split}"} if collection in _POINTERS else {source}
        self.shards = [shard for shard in self.shards if shard.source not in gone]
        self.sources = {name: old for name, old in self.sources.items() if name not in gone}

    def start(self, source: str, fingerprint: str) -> None:
        """Enter a source as unfinished and empty."""
        self.drop(source)
        self.sources[source] = Source(fingerprint, complete=False)

    def complete(self, source: str) -> None:
        """Enter that a source is finished."""
        self.sources[source] = Source(self.sources[source].fingerprint, complete=True)

    def reopen(self, source: str) -> None:
        """Enter that a source lacks something."""
        self.sources[source] = Source(self.sources[source].fingerprint, complete=False)

    def faults(self, root: Path, content: bool = False) -> list[str]:
        """Return what is wrong in the folder: interrupted ingests, shards that are missing or cut short.

        Derived collections concern only who asks for them, and can be made again. content: read every shard, those
        of derived collections too, and compare its checksum.
        """
        names = [name for name, source in self.sources.items() if not source.complete]
        stopped = [f"the ingest of {name!r} was interrupted; run the same command again"
                   for name in names if not name.startswith(RESERVED)]
        if content:
            return stopped + [fault for shard in self.shards for fault in _content_faults(root / shard.file, shard)]
        return stopped + size_faults(root, [shard for shard in self.shards if shard.collection not in DERIVED])


def starts(shards: Sequence[Shard]) -> list[int]:
    """Return the row of the split at which each shard begins, and at the end the number of rows of all."""
    return list(accumulate((shard.rows for shard in shards), initial=0))


def write_shard(path: Path, shard: dict[str, Any], columns: dict[str, list[Any]]) -> Shard:
    """Write columns as one Arrow IPC file of one record batch, atomically; shard: the rest of the Shard's fields."""
    import pyarrow as pa

    types = {"string": pa.string(), "int32": pa.int32(), "strings": pa.list_(pa.string()),
             "int64s": pa.list_(pa.int64()), "float32s": pa.list_(pa.float32())}
    names = COLUMNS[shard["collection"]]
    schema = pa.schema([(name, types[kind]) for name, kind in names.items()],
                       metadata={"unimo_schema": str(SCHEMA)})
    batch = pa.record_batch([pa.array(columns[name], types[kind]) for name, kind in names.items()], schema=schema)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, schema) as writer:
        writer.write_batch(batch)
    data = sink.getvalue()
    with atomic_write(path) as stream:
        stream.write(data)
    return Shard(file=path.name, rows=batch.num_rows, bytes=data.size,
                 sha256=hashlib.sha256(data).hexdigest(), **shard)


def read_shard(root: Path, shard: Shard) -> Any:
    """Return a shard's memory-mapped pyarrow.RecordBatch; UserError when its content is not what was written."""
    import pyarrow as pa

    path = root / shard.file
    faults = _content_faults(path, shard)
    if faults:
        command = DERIVED.get(shard.collection)
        raise UserError(f"{faults[0]}; " + (f"remove it and run the same tools/prepare.py {command} again" if command
                                            else "make the corpus anew"))
    with pa.memory_map(str(path)) as file:   # the batch keeps the mapping alive, the file descriptor is given back
        return pa.ipc.open_file(file).get_batch(0)


def remove_orphans(root: Path, shards: Sequence[Shard]) -> None:
    """Remove shards that are not in the manifest: what a run wrote just before it was killed, or has taken back."""
    known = {shard.file for shard in shards}
    for path in root.glob("*.arrow"):
        ours = _SHARD_FILE.fullmatch(path.name)
        if path.name not in known and ours and ours[1] in COLUMNS:
            path.unlink()


def stored_path(corpus: Path, image: Path) -> str:
    """Return an image's path relative to the corpus when both lie in one folder, so that they can move together."""
    image, corpus = (Path(os.path.normpath(path.absolute())) for path in (image, corpus))
    return os.path.relpath(image, corpus) if image.is_relative_to(corpus.parent) else str(image)


def size_faults(root: Path, shards: Sequence[Shard]) -> list[str]:
    """Return what is wrong with the shards' files, as far as their sizes tell."""
    return [fault for shard in shards for fault in _size_faults(root / shard.file, shard)]


def _size_faults(path: Path, shard: Shard) -> list[str]:
    if not path.is_file():
        return [f"{path} is missing"]
    size = path.stat().st_size
    return [] if size == shard.bytes else [f"{path} is cut or grown: {size} bytes, the manifest says {shard.bytes}"]


def _content_faults(path: Path, shard: Shard) -> list[str]:
    faults = _size_faults(path, shard)
    if not faults and sha256_of(path) != shard.sha256:
        faults = [f"{path} is damaged: its SHA-256 is not the manifest's"]
    return faults
