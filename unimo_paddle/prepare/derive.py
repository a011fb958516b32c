"""Derived collections of a corpus made by whatever engine there is: see unimo_paddle.workers.engine."""

from __future__ import annotations

from collections.abc import Callable

from unimo_paddle.console import progress
from unimo_paddle.corpus_derived import DerivedWriter, Shard, Slice
from unimo_paddle.workers.engine import Engine, map_tasks


def derive(writer: DerivedWriter, make_work: Callable[[], Callable[[Slice], Shard]], engine: Engine,
           unit: str = "pair") -> None:
    """Make the slices that a derived collection lacks and enter each at once, showing the progress in pairs.

    The work on a slice ends with `write_slice`. On several machines the corpus folder must be on storage that they
    all share, under one path. Raises UserError as map_tasks does.
    """
    todo = writer.todo
    total, missing = (sum(len(part.rows) for part in parts) for parts in (writer.slices, todo))
    shards = progress(map_tasks(engine, make_work, todo), total, writer.collection, unit, start=total - missing,
                      size=lambda shard: shard.rows)
    for shard in shards:
        writer.commit(shard)
