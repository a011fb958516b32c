"""A task's data: one JSON object a line, a file a split, read lazily from a memory map.

    FOLDER/train.jsonl  dev.jsonl  test.jsonl ..   one record a line
    FOLDER/task.json                               {"version": 1, "task": .., "labels": [..]}, written by
                                                   tools/prepare.py task; a user's own folder needs none

A user's own data and what tools/prepare.py makes of downloads are the same format, so `custom` tasks need no Python.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from unimo_paddle.errors import UserError
from unimo_paddle.files import read_json

Text = str | tuple[int, ...]   # words, or ids of the released vocabulary without special tokens
LABELS_FILE = "task.json"
LARGEST = 1e300   # of a label's number


@dataclass(frozen=True)
class Record:
    """One example. Which fields a task reads its declaration says; the others stay empty.

    id: unique in its split.  image: its id in the region store; images: others that the text is true of as well.
    text: the source, premise, passage or caption; text_b: the second of a pair (question, hypothesis).
    turns: a dialogue's questions and answers in turn, the current question last.  tags: names of the objects seen.
    label: name of the class, or the number to predict.  target: what is to be generated; references: all that counts as
    right when judged (without any: the target).  answers: soft targets, answer -> score in [0, 1].
    group: a kind of example, judged apart as well, e.g. a type of question.
    """

    id: str
    image: str | None = None
    images: tuple[str, ...] = ()
    text: Text | None = None
    text_b: Text | None = None
    turns: tuple[Text, ...] = ()
    tags: Text | None = None
    label: str | float | None = None
    target: Text | None = None
    references: tuple[str, ...] = ()
    answers: Mapping[str, float] = field(default_factory=dict)
    group: str | None = None


FIELDS = tuple(item.name for item in fields(Record))


class Records(Sequence[Record]):
    """The records of one split; looks at every line once, when opened, and keeps none in memory.

    Raises UserError that names file and line for a line which is no record, and for an id that comes twice.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise UserError(f"{path} does not exist; tools/prepare.py task writes it, or write your own: docs/tasks.md")
        if path.stat().st_size == 0:
            raise UserError(f"{path} is empty: one JSON object a line is wanted")
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        starts, lines, start = [], [], 0
        seen: dict[str, int] = {}
        for number, line in enumerate(iter(self._map.readline, b""), start=1):
            if line.strip():
                one = _parse(line, f"{path}:{number}")
                if one.id in seen:
                    raise UserError(f"{path}:{number}: id {one.id!r} is line {seen[one.id]}'s already; ids are unique")
                seen[one.id] = number
                starts.append((start, start + len(line)))
                lines.append(number)
            start += len(line)
        if not starts:
            raise UserError(f"{path} holds no record: one JSON object a line is wanted")
        self._places, self._lines = np.array(starts, np.int64), np.array(lines, np.int64)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        begin, end = self._places[index]
        return _parse(self._map[begin:end], self.place(index))

    def __iter__(self) -> Iterator[Record]:
        return (self[place] for place in range(len(self)))

    def first(self, count: int) -> Records:
        """Return the first `count` records, all of them where there are fewer."""
        part = copy(self)
        part._places, part._lines = self._places[:count], self._lines[:count]
        return part

    def place(self, index: int) -> str:
        """Return FILE:LINE of a record, for errors."""
        return f"{self.path}:{self._lines[index]}"


class TaskData:
    """A folder of splits. labels: the classes' names in the order of their numbers, or the answers of a vocabulary;
    empty where the folder does not say (a user's own data, a task without classes).  lowercase: words were made
    lower-case when it was prepared.

    Raises UserError for a folder without splits or with a damaged task.json.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_dir():
            raise UserError(f"{path} is no folder; it should hold train.jsonl, dev.jsonl ..: docs/tasks.md")
        self.splits = sorted(file.stem for file in path.glob("*.jsonl"))
        if not self.splits:
            raise UserError(f"{path} holds no SPLIT.jsonl; tools/prepare.py task writes such a folder: docs/tasks.md")
        self.task, self.labels, self.lowercase = self._read_labels()

    def records(self, split: str) -> Records:
        """Open a split; UserError with the splits that there are when it is not one of them."""
        if split not in self.splits:
            raise UserError(f"{self.path} has no split {split!r}; it has {', '.join(self.splits)}")
        return Records(self.path / f"{split}.jsonl")

    def _read_labels(self) -> tuple[str | None, tuple[str, ...], bool]:
        path = self.path / LABELS_FILE
        if not path.is_file():
            return None, (), False
        told = read_json(path)
        labels = told.get("labels") if isinstance(told, dict) else None
        if not isinstance(labels, list) or not all(isinstance(one, str) for one in labels):
            raise UserError(f"{path}: an object with `labels`, a list of names, is wanted; prepare the task again")
        if len(set(labels)) < len(labels):
            raise UserError(f"{path}: `labels` names a class twice; prepare the task again")
        return told.get("task"), tuple(labels), bool(told.get("lowercase"))


def to_line(record: Record) -> str:
    """Return a record as its line of JSON, without what is empty."""
    told = {name: getattr(record, name) for name in FIELDS}
    return json.dumps({name: value for name, value in told.items() if value not in (None, (), {})}, ensure_ascii=False)


def _parse(line: bytes, place: str) -> Record:
    try:
        told = json.loads(line)
    except ValueError as error:
        raise UserError(f"{place}: this is no JSON ({error}); one object a line is wanted") from None
    if b"\\ud" in line.lower():
        _refuse_halves(told, place)
    return parse_record(told, place)


def _refuse_halves(told: Any, place: str) -> None:
    """Raise UserError for half a surrogate pair, which JSON can spell and no UTF-8 can."""
    try:
        json.dumps(told, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise UserError(
            f"{place}: half a surrogate pair, {half!r}, is no text; it was decoded wrongly where it came from"
        ) from None


def parse_record(told: Any, place: str) -> Record:
    """Return the record that a JSON value says; UserError beginning with its place when it says none."""
    if not isinstance(told, dict):
        raise UserError(f"{place}: a JSON object is wanted, not {type(told).__name__}")
    unknown = sorted(told.keys() - set(FIELDS))
    if unknown:
        raise UserError(f"{place}: {', '.join(unknown)} is no field of a record; there are {', '.join(FIELDS)}")
    if not isinstance(told.get("id"), str) or not told["id"]:
        raise UserError(f"{place}: id is {told.get('id')!r}; a text, unique in the file, is wanted")
    for name, value in told.items():
        fault = _fault(name, value)
        if fault:
            raise UserError(f"{place}: {name} is {_shown(value)}; {fault}")
    return Record(**{name: _frozen(value) for name, value in told.items()})


def _fault(name: str, value: Any) -> str | None:
    """Return what a field should be when it is not, else None."""
    if name in ("id", "image", "group"):
        return None if value is None or isinstance(value, str) else "a text is wanted"
    if name in ("text", "text_b", "tags", "target"):
        return None if value is None or _is_text(value) else "a text, or a list of token ids, is wanted"
    if name in ("images", "references"):
        return None if _is_list_of(value, str) else "a list of texts is wanted"
    if name == "turns":
        is_right = isinstance(value, list) and all(map(_is_text, value))
        return None if is_right else "a list of texts is wanted, the current question last"
    if name == "label":
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        is_name = isinstance(value, str) and bool(value.strip())
        is_right = value is None or (abs(value) < LARGEST if is_number else is_name)
        return None if is_right else "the name of a class, or a finite number, is wanted"
    is_right = isinstance(value, dict) and all(
        isinstance(score, (int, float)) and not isinstance(score, bool) and 0 <= score <= 1 for score in value.values()
    )
    return None if is_right else "an object, answer -> score from 0 to 1, is wanted"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or (_is_list_of(value, int) and not any(isinstance(one, bool) for one in value))


def _is_list_of(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(one, kind) for one in value)


def _frozen(value: Any) -> Any:
    """Lists become tuples; a Record does not change."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
