"""A corpus's documents as token ids, made once by `tools/prepare.py tokens` and read through memory maps.

A store is a folder: `tokens.json`, the manifest, and two files a shard: `shard-00000.bin` with its arrays, and
`shard-00000.json` with counts and checksum, which is written last: a shard counts only when it is there.
docs/data_formats.md describes the layout.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.errors import UserError
from unimo_paddle.files import atomic_write, read_json, sha256_of, write_json

SCHEMA = 1
MANIFEST = "tokens.json"
MAKE = "tools/prepare.py tokens --corpus DIR --tokenizer DIR --out"
_CHUNK = 1 << 24  # tokens of a shard that are looked at in one go
_WORDS = ("tokenizer", "split", "source")  # the keys of TokenMeta that hold text


@dataclass(frozen=True)
class TokenMeta:
    """What a store was made of, and with.

    tokenizer: its fingerprint.  vocab_size, cls, pad, sep, mask: of that tokenizer.  split: of the corpus.
    source: SHA-256 of the corpus's shards of texts.  shards: how many the store has when it is whole.
    """

    tokenizer: str
    vocab_size: int
    cls: int
    pad: int
    sep: int
    mask: int
    split: str
    source: str
    shards: int

    @property
    def kind(self) -> str:
        """The type of the ids on the disk: uint16 where the vocabulary allows it, else uint32."""
        return "<u2" if self.vocab_size <= 1 << 16 else "<u4"


@dataclass(frozen=True)
class TokenShard:
    """What a shard's JSON says. empty: documents without a word, which were left out; bytes, sha256: of its arrays."""

    documents: int
    tokens: int
    empty: int
    bytes: int
    sha256: str


class StoredTokens(NamedTuple):
    """A document, or a piece of one. ids: int64 [n] when read, whatever the store holds when written;
    word_start: bool [n], True where a word begins."""

    ids: NDArray[Any]
    word_start: NDArray[np.bool_]


class _Arrays(NamedTuple):
    """A shard's arrays, mapped. ends: int64 [documents]; ids: [tokens]; word_start: uint8, a bit a token."""

    ends: NDArray[np.int64]
    ids: NDArray[Any]
    word_start: NDArray[np.uint8]


class TokenStore:
    """A whole store, opened for reading: documents are numbered in the order of the corpus.

    documents, tokens: how many there are; empty: documents of the corpus that were left out for want of a word;
    lengths: int32 [documents], tokens of each, at least 1.
    Raises UserError when there is no store, it is unfinished, or a shard is missing, cut or does not fit its JSON.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.meta = read_meta(self.path)
        self._shards = _whole_shards(self.path, self.meta)
        self._starts = np.cumsum([0, *(shard.documents for shard in self._shards)])
        self.documents = int(self._starts[-1])
        self.tokens, self.empty = (sum(getattr(each, key) for each in self._shards) for key in ("tokens", "empty"))
        self._arrays = [self._map(number) for number in range(len(self._shards))]
        self.lengths = np.concatenate([np.zeros(0, np.int32), *map(self._lengths, range(len(self._shards)))])

    @property
    def fingerprint(self) -> str:
        """Return the fingerprint of the tokenizer that made the ids."""
        return self.meta.tokenizer

    def require_tokenizer(self, fingerprint: str) -> None:
        """Raise UserError unless a tokenizer, by its fingerprint, is the one that made the ids."""
        if fingerprint != self.meta.tokenizer:
            raise UserError(
                f"{self.path} was made with another tokenizer ({self.meta.tokenizer[:12]}..., not {fingerprint[:12]}"
                f"...): its ids mean other words; name the store of this tokenizer, or make it with: {MAKE} NEW"
            )

    def read(self, document: int, begin: int = 0, end: int | None = None) -> StoredTokens:
        """Return the tokens begin..end of a document, all of them by default; UserError when the shard is damaged."""
        assert 0 <= document < self.documents, (document, self.documents)
        length = int(self.lengths[document])
        end = length if end is None else end
        assert 0 <= begin <= end <= length, (document, begin, end, length)
        number = int(np.searchsorted(self._starts, document, "right")) - 1
        arrays = self._arrays[number]
        first = int(arrays.ends[document - self._starts[number]]) - length
        ids = arrays.ids[first + begin : first + end].astype(np.int64)
        if len(ids) and ids.max() >= self.meta.vocab_size:
            raise UserError(self._damage(number, f"token id {ids.max()} in a vocabulary of {self.meta.vocab_size}"))
        return StoredTokens(ids, _bits(arrays.word_start, first + begin, first + end))

    def verify(self) -> list[str]:
        """Read every shard and return what is wrong with the damaged ones."""
        return [
            self._damage(number, "its SHA-256 is not that of its JSON")
            for number, shard in enumerate(self._shards)
            if sha256_of(shard_path(self.path, number).with_suffix(".bin")) != shard.sha256
        ]

    def _map(self, number: int) -> _Arrays:
        shard = self._shards[number]
        if not shard.bytes:
            return _Arrays(np.zeros(0, np.int64), np.zeros(0, self.meta.kind), np.zeros(0, np.uint8))
        memory: Any = np.memmap(shard_path(self.path, number).with_suffix(".bin"), np.uint8, "r")
        ids, bits = np.cumsum([8 * shard.documents, np.dtype(self.meta.kind).itemsize * shard.tokens])
        return _Arrays(memory[:ids].view("<i8"), memory[ids:bits].view(self.meta.kind), memory[bits:])

    def _lengths(self, number: int) -> NDArray[np.int32]:
        lengths = np.diff(self._arrays[number].ends, prepend=0)
        wrong = lengths.min(initial=1) < 1 or lengths.sum() != self._shards[number].tokens
        if wrong or lengths.max(initial=0) > np.iinfo(np.int32).max:
            raise UserError(self._damage(number, "the ends of its documents do not fit"))
        return lengths.astype(np.int32)

    def _damage(self, number: int, fault: str) -> str:
        data = shard_path(self.path, number).with_suffix(".bin")
        return f"{data} is damaged: {fault}; remove it and run the same tools/prepare.py tokens again"


def _bits(packed: NDArray[np.uint8], begin: int, end: int) -> NDArray[np.bool_]:
    """Return the bits begin..end of packed ones, bool [end - begin]."""
    some = np.unpackbits(packed[begin // 8 : -(-end // 8)], bitorder="little")
    return some[begin % 8 : begin % 8 + end - begin].astype(np.bool_)


def shard_path(store: Path, number: int) -> Path:
    """Return the JSON of the shard with this number."""
    return store / f"shard-{number:05d}.json"


def write_arrays(path: Path, meta: TokenMeta, documents: Sequence[StoredTokens], empty: int) -> TokenShard:
    """Write the arrays of a shard's documents beside `path`, its JSON; return what that is to say.

    empty: documents that were left out.  Raises OSError as the system gives it; nothing is left then.
    """
    lengths = [len(document.ids) for document in documents]
    ids = np.concatenate([np.zeros(0, meta.kind), *(document.ids for document in documents)])
    starts = np.concatenate([np.zeros(0, np.bool_), *(document.word_start for document in documents)])
    parts = np.cumsum(lengths, dtype="<i8"), ids.astype(meta.kind), np.packbits(starts, bitorder="little")
    digest, size = hashlib.sha256(), 0
    with atomic_write(path.with_suffix(".bin")) as file:
        for part in parts:
            digest.update(part.tobytes())
            size += file.write(part.tobytes())
    return TokenShard(len(lengths), len(ids), empty, size, digest.hexdigest())


def enter(store: Path, number: int, shard: TokenShard) -> None:
    """Make a shard count; only for who holds the store's lock."""
    write_json(shard_path(store, number), asdict(shard))


def write_meta(store: Path, meta: TokenMeta, counts: dict[str, int] | None = None) -> None:
    """Write the manifest. counts: what the store holds once it is whole, for a person to read."""
    write_json(store / MANIFEST, {"schema": SCHEMA, **asdict(meta), "counts": counts})


def read_meta(store: Path) -> TokenMeta:
    """Read a store's manifest; UserError when it is absent, of another schema, or no manifest of a token store."""
    file = store / MANIFEST
    if not file.is_file():
        raise UserError(f"{store} is no token store ({MANIFEST} is missing); make one with: {MAKE} {store}")
    value = read_json(file)
    schema = value.get("schema") if isinstance(value, dict) else None
    if schema != SCHEMA:
        raise UserError(f"{file}: schema is {schema!r}, this version reads {SCHEMA}; make it anew: {MAKE} NEW")
    names = {field.name: str if field.name in _WORDS else int for field in fields(TokenMeta)}
    _require(file, value, names, f"put it back, or make the store anew: {MAKE} NEW")
    return TokenMeta(**{name: value[name] for name in names})


def read_shard(store: Path, number: int) -> TokenShard:
    """Read the JSON of a shard that is there; UserError naming what is wrong in it."""
    file = shard_path(store, number)
    value = read_json(file)
    names = {field.name: str if field.name == "sha256" else int for field in fields(TokenShard)}
    _require(file, value, names, "remove it and run the same tools/prepare.py tokens again")
    return TokenShard(**{name: value[name] for name in names})


def shard_fault(store: Path, meta: TokenMeta, number: int) -> str:
    """Tell what is wrong with a shard, as far as sizes tell, or the empty string."""
    file = shard_path(store, number)
    data = file.with_suffix(".bin")
    if not file.is_file() or not data.is_file():
        return f"{data if file.is_file() else file} is missing"
    shard, size = read_shard(store, number), data.stat().st_size
    fitting = 8 * shard.documents + np.dtype(meta.kind).itemsize * shard.tokens + -(-shard.tokens // 8)
    if size != shard.bytes:
        return f"{data} is cut or grown: {size} bytes, {file.name} says {shard.bytes}"
    if size != fitting:
        return f"{data} has {size} bytes, but {shard.documents} documents of {shard.tokens} tokens make {fitting}"
    return ""


def _whole_shards(store: Path, meta: TokenMeta) -> list[TokenShard]:
    if faults := [fault for number in range(meta.shards) if (fault := shard_fault(store, meta, number))]:
        shown = "\n  ".join([*faults[:20], *([f"and {len(faults) - 20:,} more"] if len(faults) > 20 else [])])
        raise UserError(
            f"{store} is not whole: {meta.shards - len(faults)} of its {meta.shards} shards can be read; run the "
            f"same tools/prepare.py tokens again, it makes what is lacking:\n  {shown}"
        )
    return [read_shard(store, number) for number in range(meta.shards)]


def _require(file: Path, value: Any, names: Mapping[str, type], remedy: str) -> None:
    """Raise UserError naming the keys of a JSON object that are absent, of another type or below 0."""
    if not isinstance(value, dict):
        raise UserError(f"{file}: holds a {type(value).__name__}, an object is wanted; {remedy}")
    if faults := list(_key_faults(value, names)):
        raise UserError(f"{file}: {'; '.join(faults)}; {remedy}")


def _key_faults(value: dict[str, Any], names: Mapping[str, type]) -> Iterator[str]:
    for name, kind in names.items():
        if name not in value:
            yield f"{name} is missing"
        elif type(value[name]) is not kind or (kind is int and value[name] < 0):
            yield f"{name} is {value[name]!r:.60}, {'a text' if kind is str else 'a number from 0 up'} is wanted"
