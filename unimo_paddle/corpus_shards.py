"""The manifest of a corpus folder and the Arrow shards it lists; corpus.py is what others use."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from itertools import accumulate
from pathlib import Path
from typing import Any, TypeVar

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
_REMEDY = "undo what was changed by hand, or make the corpus anew with: tools/prepare.py ingest"
_POINTERS = {"sentences": "retrieved_texts"}   # whose rows are named by number: new ones make the numbers void
_NUMBER = re.compile(r"-(\d{5,})\.arrow$")
SPLIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")   # becomes a part of file names
SPLIT_RULE = "letters, digits, _ . -"
_SHARD_FILE = re.compile(r"([a-z_]+)-[^/\0]*-\d{5,}(?:-[0-9a-f]{8})?\.arrow")
_HASH = re.compile(r"[0-9a-f]{64}")
_MOST_FAULTS = 20   # that are shown
Entry = TypeVar("Entry", bound="Shard | Source")


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
        what = f"{path} is not a corpus manifest"
        shards, sources = value.get("shards"), value.get("sources")
        if not isinstance(shards, list) or not isinstance(sources, dict):
            raise UserError(f"{what}: a list `shards` and an object `sources` are wanted; {_REMEDY}")
        listed = [(f"shards[{number}]", shard) for number, shard in enumerate(shards)]
        named = [(f"sources[{name!r}]", source) for name, source in sources.items()]
        return cls(make_entries(Shard, listed, what, _REMEDY),
                   dict(zip(sources, make_entries(Source, named, what, _REMEDY), strict=True)))

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
        numbers = [_NUMBER.search(shard.file) for shard in self.select(collection, split)]
        last = max((int(number[1]) for number in numbers if number), default=-1)
        return f"{collection}-{split}-{last + 1:05d}.arrow"

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


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0   # True is no number


def _is_like(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


_COUNT = (_is_count, "a number from 0 up")
_TEXT = (lambda value: isinstance(value, str), "a string")
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {   # key -> what its value must be, as code and in words
    "file": (_is_like(_SHARD_FILE), "the name of a shard in this folder, as pairs-train-00000.arrow"),
    "collection": (lambda value: isinstance(value, str) and value in COLUMNS, f"one of {', '.join(COLUMNS)}"),
    "split": (_is_like(SPLIT), SPLIT_RULE), "source": _TEXT, "fingerprint": _TEXT,
    "rows": _COUNT, "bytes": _COUNT, "start": _COUNT,
    "sha256": (_is_like(_HASH), "64 hexadecimal digits"),
    "of": (_is_like(re.compile(f"({_HASH.pattern})?")), "64 hexadecimal digits"),
    "counts": (lambda value: isinstance(value, dict) and all(map(_is_count, value.values())), "an object of numbers"),
    "complete": (lambda value: isinstance(value, bool), "true or false"),
}


def make_entries(kind: type[Entry], found: Iterable[tuple[str, Any]], what: str, remedy: str) -> list[Entry]:
    """Return what the objects of a manifest or a journal stand for.

    found: (place, JSON value) of each. UserError that begins with `what`, names place and key of the faults, and ends
    with the remedy.
    """
    found = list(found)
    faults = [place + fault for place, value in found for fault in _entry_faults(kind, value)]
    if faults:
        more = [f"and {len(faults) - _MOST_FAULTS:,} more"] if len(faults) > _MOST_FAULTS else []
        raise UserError("\n  ".join([f"{what}:", *faults[:_MOST_FAULTS], *more, remedy]))
    return [kind(**value) for _, value in found]


def _entry_faults(kind: type[Entry], value: Any) -> list[str]:
    if not isinstance(value, dict):
        return [f" is {value!r:.60}, not an object"]
    keys = {key.name: key.default is MISSING and key.default_factory is MISSING for key in fields(kind)}
    return [*(f".{key} is missing" for key, is_needed in keys.items() if is_needed and key not in value),
            *(f".{key} is no key that this version knows" for key in value if key not in keys),
            *(f".{key} is {value[key]!r:.60}, not {_RULES[key][1]}" for key in keys
              if key in value and not _RULES[key][0](value[key]))]


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
    path = root / shard.file
    faults = _content_faults(path, shard)
    if faults:
        command = DERIVED.get(shard.collection)
        raise UserError(f"{faults[0]}; " + (f"remove it and run the same tools/prepare.py {command} again" if command
                                            else "make the corpus anew"))
    return _map(path)


def remove_orphans(root: Path, shards: Sequence[Shard]) -> None:
    """Remove shards that are not in the manifest: what a run wrote just before it was killed, or has taken back."""
    known = {shard.file for shard in shards}
    for path in root.glob("*.arrow"):
        ours = _SHARD_FILE.fullmatch(path.name)
        if path.name not in known and ours and ours[1] in COLUMNS:
            path.unlink()


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
    return faults or _row_faults(path, _map(path), shard)


def _row_faults(path: Path, batch: Any, shard: Shard) -> list[str]:
    """Compare what a checksum does not tell: a file is whole, and a manifest changed by hand speaks of another."""
    if batch.num_rows != shard.rows:
        return [f"{path} has {batch.num_rows} rows, but `rows` of this shard in {MANIFEST} is {shard.rows}; was it "
                f"changed by hand?"]
    if batch.schema.names != list(COLUMNS[shard.collection]):
        return [f"{path} has the columns {', '.join(batch.schema.names)}, but `collection` of this shard in {MANIFEST} "
                f"is {shard.collection}"]
    return []


def _map(path: Path) -> Any:
    import pyarrow as pa

    with pa.memory_map(str(path)) as file:   # the batch keeps the mapping alive, the file descriptor is given back
        return pa.ipc.open_file(file).get_batch(0)
