"""Records into a task's folder: a file a split and task.json, all of it or nothing."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from unimo_paddle.data.task_encode import class_name
from unimo_paddle.errors import UserError
from unimo_paddle.files import atomic_directory, atomic_write, write_json
from unimo_paddle.prepare.tasks.reader import Options
from unimo_paddle.records import LABELS_FILE, Record, to_line
from unimo_paddle.task_spec import Answer, Classify, Generate
from unimo_paddle.tasks import Task

SHOWN = 5


@dataclass(frozen=True)
class Written:
    """counts: split -> records.  faulty: how many were left out.  missing: images that the region store lacks."""

    counts: dict[str, int]
    faulty: int
    missing: tuple[str, ...]


def missing_list(to: Path) -> Path:
    """Return where the ids of missing images are listed: beside the folder, which is not there when it is refused."""
    return to.with_name(f"{to.name}.missing_images.txt")


def write(found: Iterable[tuple[str, Record]], task: Task, to: Path, options: Options, skip_faulty: bool) -> Written:
    """Write the records; skip_faulty: leave out what is faulty or without its image, instead of refusing everything.

    Raises UserError with the faults, or with the first missing images; when `to` is there already; without records.
    """
    with atomic_directory(to) as folder, _Splits(folder, task, options) as splits:
        for split, record in found:
            splits.add(split, record)
        _judge(splits, to, options, skip_faulty)
        told = {"version": 1, "task": task.name, "labels": splits.labels(), "layout": options.layout,
                "lowercase": options.lowercase, "counts": splits.counts}  # fmt: skip
        write_json(folder / LABELS_FILE, told)
    return Written(dict(splits.counts), len(options.faults), tuple(splits.missing))


def _judge(splits: _Splits, to: Path, options: Options, skip_faulty: bool) -> None:
    if splits.missing:
        with atomic_write(missing_list(to), "w") as file:
            file.writelines(f"{image}\n" for image in splits.missing)
    if splits.missing and not skip_faulty:
        some = ", ".join(list(splits.missing)[:SHOWN]) + (" .." if len(splits.missing) > SHOWN else "")
        raise UserError(f"{options.regions} lacks {len(splits.missing):,} images, {splits.missing.total():,} records': "
                        f"{some}; the list is {missing_list(to)}. Extract them with tools/extract.py, or leave "
                        f"their records out with --skip-faulty")
    if options.faults and not skip_faulty:
        raise UserError(f"{len(options.faults):,} records are faulty; mend them, or leave them out with "
                        f"--skip-faulty:\n{options.faults.report()}")
    if not splits.counts:
        raise UserError(f"no record was found for {to.name}; is --from the right folder, and --layout the right one?")


@dataclass
class _Splits:
    """The files of the splits, opened when their first record comes. missing: image -> number of its records."""

    folder: Path
    task: Task
    options: Options
    counts: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._open = contextlib.ExitStack()
        self._files: dict[str, IO[str]] = {}
        self._ids: dict[str, set[str]] = {}
        self._labels: set[str] = set()
        self._store = None
        if self.options.regions:
            from unimo_paddle.regions import RegionStore

            self._store = RegionStore(self.options.regions)

    def __enter__(self) -> _Splits:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def add(self, split: str, record: Record) -> None:
        """Write a record, unless one of its images is missing; UserError when its id was there before."""
        shown = [record.image, *record.images] if record.image is not None else []
        missing = [image for image in shown if self._store is not None and image not in self._store]
        if missing:
            self.missing.update(missing)
            return
        ids = self._ids.setdefault(split, set())
        if record.id in ids:
            raise UserError(f"{split}: two records have the id {record.id!r}; ids are unique")
        ids.add(record.id)
        self._note_labels(split, record)
        self._file(split).write(to_line(record) + "\n")
        self.counts[split] += 1

    def labels(self) -> list[str]:
        """Return the task's own labels, else the classes of train, or all answers, sorted."""
        return list(self.options.labels) or sorted(self._labels)

    def _note_labels(self, split: str, record: Record) -> None:
        head = self.task.head
        if isinstance(head, Answer) or (isinstance(head, Generate) and head.closed):
            self._labels.update(record.answers)
        elif isinstance(head, Classify) and split == "train" and record.label is not None:
            self._labels.add(class_name(record.label))

    def _file(self, split: str) -> IO[str]:
        if split not in self._files:
            path = self.folder / f"{split}.jsonl"
            self._files[split] = self._open.enter_context(path.open("w", encoding="utf-8"))
        return self._files[split]
