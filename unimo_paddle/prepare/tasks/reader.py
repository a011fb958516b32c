"""What a reader of a task's data is: a function from a folder of downloads to records, split by split."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from unimo_paddle.prepare.faults import Faults
from unimo_paddle.records import Record
from unimo_paddle.tasks import Task


@dataclass(frozen=True)
class Options:
    """How a download is read.

    layout: public, or release (the archives of the released code).  lowercase: make words lower-case (ids of a
    released vocabulary are what they are).  regions: the region store whose images the records need; writing.py asks
    it, readers need not.  labels: names of the task's classes, in the order of their numbers.
    tokenizer: folder of the released vocabulary, for archives that hold token ids.  task: whose records are wanted.
    faults: what is wrong with single records may be noted here, so that people see all of it at once; a reader may
    raise UserError as well.
    """

    layout: str
    lowercase: bool = True
    regions: Path | None = None
    labels: tuple[str, ...] = ()
    tokenizer: Path | None = None
    task: Task | None = None
    faults: Faults = field(default_factory=Faults)


# Yields (split, record), a split's records in one run, train first.
Reader = Callable[[Path, Options], Iterator[tuple[str, Record]]]
