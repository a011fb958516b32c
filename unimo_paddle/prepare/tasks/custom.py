"""A user's own records: SPLIT.jsonl files, checked against what the task reads, line by line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from unimo_paddle.corpus_shards import SPLIT, SPLIT_RULE
from unimo_paddle.data.task_encode import class_name, labels_of
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.tasks.reader import Options
from unimo_paddle.prepare.tasks.sources import noted
from unimo_paddle.records import Record, Records, Text
from unimo_paddle.task_spec import Answer, Classify, Generate, Regress
from unimo_paddle.tasks import Task

_OPTIONAL = ("text_b", "tags", "target")
_INPUTS = ("image", "text", "text_b", "turns", "tags")


def read_records(source: Path, options: Options) -> Iterator[tuple[str, Record]]:
    """Yield the records of a folder's SPLIT.jsonl files; a file alone is the split train.

    A class may be a text or a number; those of train are all that there are.
    Raises UserError with FILE:LINE for a line that is no record.
    """
    task, labels = options.task, options.labels
    assert task is not None, "records are checked against their task"
    for split, path in _files(source):
        records = Records(path)
        is_class = isinstance(task.head, Classify)
        if is_class and not labels:
            labels = labels_of(records)
        for number, record in enumerate(records):
            if is_class and record.label is not None:
                record = replace(record, label=class_name(record.label))
            with noted(options.faults):
                require(record, task, split, labels, records.place(number))
                yield split, lowered(record) if options.lowercase else record


def _files(source: Path) -> list[tuple[str, Path]]:
    if source.is_file():
        return [("train", source)]
    found = sorted(source.glob("*.jsonl"), key=lambda path: (path.stem != "train", path.stem))
    if not found:
        raise UserError(f"{source} holds no SPLIT.jsonl, e.g. train.jsonl, one JSON object a line: docs/tasks.md")
    odd = [path for path in found if not SPLIT.fullmatch(path.stem)]
    if odd:
        raise UserError(f"{odd[0]}: {odd[0].stem!r} is no name of a split; {SPLIT_RULE} are wanted, e.g. train")
    return [(path.stem, path) for path in found]


def require(record: Record, task: Task, split: str, labels: tuple[str, ...], place: str) -> None:
    """Raise UserError, with the place, for a record without what the task reads, or in train without what it learns."""
    for name in _INPUTS:
        value = getattr(record, name)
        if name not in task.reads and value:
            raise UserError(f"{place}: {name} is filled, but {task.name} reads only {', '.join(task.reads)}")
        if name in task.reads and name not in _OPTIONAL and not value:
            raise UserError(f"{place}: {name} is missing or empty; {task.name} reads it")
        if isinstance(value, str) and not value.strip():
            raise UserError(f"{place}: {name} is empty")
    if split == "train" or record.label is not None:
        _require_answer(record, task, labels, place)


def _require_answer(record: Record, task: Task, labels: tuple[str, ...], place: str) -> None:
    head, label, target = task.head, record.label, record.target
    if isinstance(head, Generate) and not (target.strip() if isinstance(target, str) else target):
        raise UserError(f"{place}: target is missing or empty; it is what {task.name} learns to write")
    if isinstance(head, Regress) and not isinstance(label, (int, float)):
        raise UserError(f"{place}: label is {label!r}; a number is wanted")
    if isinstance(head, Answer) and not record.answers:
        raise UserError(f"{place}: answers is missing or empty: an object, answer -> score from 0 to 1, is wanted")
    if isinstance(head, Classify) and label not in labels:
        like = get_close_matches(str(label), labels, 1, 0.5)
        nearest = f" (did you mean {like[0]!r}?)" if like else ""
        some = ", ".join(map(repr, labels[:5])) + (" .." if len(labels) > 5 else "")
        raise UserError(f"{place}: label is {label!r}; one of {some} is wanted{nearest}")


def lowered(record: Record) -> Record:
    """Return the record with all its words lower-cased; ids stay."""
    return replace(
        record,
        text=_low(record.text), text_b=_low(record.text_b), tags=_low(record.tags), target=_low(record.target),
        turns=tuple(turn.lower() if isinstance(turn, str) else turn for turn in record.turns),
        references=tuple(reference.lower() for reference in record.references),
    )  # fmt: skip


def _low(text: Text | None) -> Text | None:
    return text.lower() if isinstance(text, str) else text
