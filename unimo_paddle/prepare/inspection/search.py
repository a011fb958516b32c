"""Finds records of a corpus by their ids, one shard in memory at a time."""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from unimo_paddle.corpus import Corpus, Image, Records
from unimo_paddle.corpus_shards import read_shard
from unimo_paddle.errors import UserError

_CANDIDATES, _SHOWN = 200, 5   # ids that are compared closely with one that is not there, and how many are told


@dataclass(frozen=True)
class Place:
    """Where a pair stands: row of a split."""

    split: str
    row: int


def find_pair(corpus: Corpus, pair_id: str) -> Place:
    """Return the first pair of this id; UserError with the nearest ids when there is none."""
    for split in corpus.splits:
        for start, batch in _batches(corpus, corpus.pairs(split)):
            row = _position(batch.column("id"), pair_id)
            if row >= 0:
                return Place(split, start + row)
    near = _of_image(corpus, pair_id)
    told = f"it is the id of an image with the pairs {', '.join(near)}" if near else _nearest(corpus, pair_id)
    raise UserError(f"{corpus.path} has no pair {pair_id!r}; {told}")


def pairs_of_image(corpus: Corpus, split: str, image_id: str) -> list[int]:
    """Return the rows of a split whose image this is."""
    import pyarrow.compute as pc

    return [start + row for start, batch in _batches(corpus, corpus.pairs(split))
            for row in pc.indices_nonzero(pc.equal(batch.column("image_id"), image_id)).to_pylist()]


def find_images(corpus: Corpus, ids: Sequence[str]) -> dict[str, Image]:
    """Return the images of these ids, of whatever split; an id that no image has is left out."""
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted, found = pa.array(sorted(set(ids)), pa.string()), dict[str, Image]()
    for split in corpus.splits:
        images = corpus.images(split)
        for start, batch in _batches(corpus, images):
            rows = pc.indices_nonzero(pc.is_in(batch.column("id"), value_set=wanted)).to_pylist()
            found.update((image.id, image) for image in (images[start + row] for row in rows))
        if len(found) == len(wanted):
            break
    return found


def _batches(corpus: Corpus, records: Records[Any]) -> Iterator[tuple[int, Any]]:
    start = 0
    for shard in records.shards:
        yield start, read_shard(corpus.path, shard)
        start += shard.rows


def _position(column: Any, value: str) -> int:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.index(column, pa.scalar(value, pa.string())).as_py()


def _of_image(corpus: Corpus, image_id: str) -> list[str]:
    return [corpus.pairs(split)[row].id for split in corpus.splits
            for row in pairs_of_image(corpus, split, image_id)][:_SHOWN]


def _nearest(corpus: Corpus, pair_id: str) -> str:
    ids = (pair for split in corpus.splits for _, batch in _batches(corpus, corpus.pairs(split))
           for pair in batch.column("id").to_pylist())
    near = nearest_ids(pair_id, ids)
    return f"the nearest ids are {', '.join(near)}" if near else "it has no pairs"


def nearest_ids(wanted: str, ids: Iterable[str]) -> list[str]:
    """Return up to five of the ids, the most alike first.

    Only those that begin and end most like the wanted one are compared letter by letter: that is slow, and a
    corpus may have millions.
    """
    candidates = heapq.nlargest(_CANDIDATES, ids, key=lambda each: _shared_ends(wanted, each))
    return difflib.get_close_matches(wanted, candidates, n=_SHOWN, cutoff=0.0)


def _shared_ends(one: str, other: str) -> int:
    """Return how many letters two ids share at their beginning and at their end."""
    return _shared(one, other) + _shared(one[::-1], other[::-1])


def _shared(one: str, other: str) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
