"""What a corpus holds, as values, and how rows of Arrow shards become such values and back."""

from __future__ import annotations

import operator
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

from unimo_paddle.corpus_shards import COLUMNS, Shard, read_shard, starts


@dataclass(frozen=True)
class Text:
    """A document of the text collection, or a sentence of it."""

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
    """What a pair is contrasted with (paper section 2.1).

    origins: where each positive comes from, e.g. `apertium:spa`, or `caption` for another caption of the image.
    """

    positives: tuple[str, ...]
    negatives: tuple[Negative, ...]
    origins: tuple[str, ...] = ()


@dataclass(frozen=True)
class Paraphrases:
    """Sentences that say the same as a caption; scores: cosine similarity to it, best first."""

    texts: tuple[str, ...]
    origins: tuple[str, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Neighbours:
    """What is near a pair, best first. keys: rows of the collection that was searched, or ids of images."""

    keys: tuple[str | int, ...]
    scores: tuple[float, ...]


Record = TypeVar("Record")
Stored = Text | Image | Pair


class Records(Sequence[Record], Generic[Record]):
    """The records of one split, read from memory-mapped shards as they are asked for.

    A shard's checksum is compared when its first record is read: UserError names a damaged one.
    """

    def __init__(self, root: Path, shards: Sequence[Shard], make: Callable[..., Record]) -> None:
        self.shards = tuple(shards)
        self._root, self._make = root, make
        self._starts = starts(shards)
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


def columns_of(collection: str, rows: Sequence[Any]) -> dict[str, list[Any]]:
    """Return the Arrow columns of a derived collection's rows: str for graphs, else the dataclass of the collection."""
    if collection == "graphs":
        return {"graph": list(rows)}
    parts = [_parts(row) for row in rows]
    assert all(len({len(part) for part in group}) == 1 for groups in parts for group in groups), collection
    flat = [[part for group in groups for part in group] for groups in parts]
    return {name: [row[place] for row in flat] for place, name in enumerate(COLUMNS[collection])}


def _parts(row: Any) -> list[list[list[Any]]]:
    """Return a row's lists, in the order of the columns; those of one group run in parallel."""
    if isinstance(row, Neighbours):
        return [[list(row.keys), list(row.scores)]]
    if isinstance(row, Paraphrases):
        return [[list(row.texts), list(row.origins), list(row.scores)]]
    assert len(row.origins) in (0, len(row.positives)), row
    return [[list(row.positives)], [list(row.origins)],
            [[getattr(negative, name) for negative in row.negatives] for name in ("text", "level", "change")]]


def make_rewrites(positives: list[str], origins: list[str], texts: list[str], levels: list[str],
                  changes: list[str]) -> Rewrites:
    """Return the value of one row of the collection `rewrites`."""
    return Rewrites(tuple(positives), tuple(map(Negative, texts, levels, changes)), tuple(origins))


def make_paraphrases(*columns: list[Any]) -> Paraphrases:
    """Return the value of one row of the collection `paraphrases`."""
    return Paraphrases(*map(tuple, columns))


def make_neighbours(*columns: list[Any]) -> Neighbours:
    """Return the value of one row of `similar`, `retrieved_images` or `retrieved_texts`."""
    return Neighbours(*map(tuple, columns))


MAKE: dict[str, Callable[..., Any]] = {
    "graphs": str, "paraphrases": make_paraphrases, "similar": make_neighbours, "rewrites": make_rewrites,
    "retrieved_images": make_neighbours, "retrieved_texts": make_neighbours,
}
