"""What a person asks of a fine-tuned model: the command line or JSONL as records, all faults told at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from unimo_paddle.build.task_sources import Trained
from unimo_paddle.data.task_encode import TaskEncoder
from unimo_paddle.errors import UserError
from unimo_paddle.files import read_text
from unimo_paddle.records import Record, parse_record
from unimo_paddle.task_spec import Match, Task

COMMAND_LINE = "the command line"
FAULTS_SHOWN = 10
_WORDS = ("text", "text_b", "tags")


@dataclass(frozen=True)
class Asked:
    """One input. place: where it was written, for errors; picture: a file, None when record.image is an id of the
    region store, or when there is no image."""

    record: Record
    place: str
    picture: Path | None = None

    @property
    def image(self) -> str | None:
        """What the image is called: its file, or its id in the store."""
        return str(self.picture) if self.picture else self.record.image


def asked(
    task: Task, image: Sequence[str], text: Sequence[str], text_b: str | None, jsonl: Path | None
) -> list[Asked]:
    """Return the inputs that the command line names or a JSONL file holds.

    Of as many images as texts each goes with its own; one image goes with all texts, and one text with all images.  Of
    a task that matches images and texts, each is one input alone.  A line of the file has the fields of a record,
    of which `id` may be left out; its image may be a picture's path, beside the file or from here.
    Raises UserError with every fault, each with its place.
    """
    if jsonl is not None:
        if image or text or text_b is not None:
            raise UserError(f"--jsonl {jsonl} is given beside --image, --text or --text-b: give one or the other")
        return collected(lambda line: _asked(line[0], line[1], line[2], jsonl.parent), _lines(jsonl))
    if not image and not text:
        raise UserError("nothing is asked: give --text, --image, or many inputs with --jsonl")
    written = _alone(image, text) if isinstance(task.head, Match) else _together(image, text)
    if text_b is not None:
        written = [{**one, "text_b": text_b} for one in written]
    return collected(
        lambda one: _asked(one[1], COMMAND_LINE, str(one[0]), Path()), list(enumerate(written, start=1))
    )


def worded(asked: Sequence[Asked], wording: Trained) -> list[Asked]:
    """Return the inputs with their words as the model knows them."""
    return [replace(one, record=_worded(one.record)) for one in asked] if wording.lowercase else list(asked)


def require_readable(asked: Sequence[Asked], encoder: TaskEncoder, wording: Trained) -> None:
    """Raise UserError with every input that lacks what the task reads, or has what it does not read."""
    collected(lambda one: _require(one, encoder, wording), asked)


def _require(one: Asked, encoder: TaskEncoder, wording: Trained) -> None:
    task, record = encoder.task, one.record
    if record.image and not task.needs_regions:
        raise UserError(f"{one.place}: {task.name} reads no image, but {', '.join(task.reads)}; leave it out")
    if isinstance(task.head, Match):
        # Either is enough, for each image meets each text; what is absent is no fault, so it is filled for the check.
        encoder.require(replace(record, image=record.image or "x", text=record.text or "x"), one.place, False)
        return
    if task.needs_regions and not record.image:
        raise UserError(f"{one.place}: image is missing: a picture's file, or an id of the region store, is wanted")
    if wording.has_pairs and "text_b" in task.reads and record.text_b is None:
        raise UserError(f"{one.place}: text_b is missing: {task.name} was trained on pairs of texts (--text-b)")
    encoder.require(record, one.place, with_answer=False)


def collected(judge: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """Return what judging gives of each; UserError with the first faults when some are refused."""
    found, faults = [], list[str]()
    for item in items:
        try:
            found.append(judge(item))
        except UserError as fault:
            faults.append(str(fault))
    if len(faults) == 1:
        raise UserError(faults[0])
    if faults:
        more = len(faults) - FAULTS_SHOWN
        lines = [*faults[:FAULTS_SHOWN], *([f"and {more:,} more"] if more > 0 else [])]
        raise UserError("\n  ".join([f"{len(faults):,} of {len(items):,} inputs are wrong:", *lines]))
    return found


def _together(image: Sequence[str], text: Sequence[str]) -> list[dict[str, Any]]:
    count = max(len(image), len(text))
    if any(1 < len(given) < count for given in (image, text)):
        raise UserError(
            f"{len(image)} images and {len(text)} texts are given: give one of either, as many of both, or name "
            f"which goes with which in --jsonl"
        )
    columns = {"image": image, "text": text}
    return [
        {name: given[min(row, len(given) - 1)] for name, given in columns.items() if given} for row in range(count)
    ]


def _alone(image: Sequence[str], text: Sequence[str]) -> list[dict[str, Any]]:
    return [{"image": one} for one in image] + [{"text": one} for one in text]


def _lines(path: Path) -> list[tuple[str, str, str]]:
    """Return the lines of a file that are not blank: the line, its place and its number."""
    lines = enumerate(read_text(path).splitlines(), start=1)
    found = [(line, f"{path}:{number}", str(number)) for number, line in lines if line.strip()]
    if not found:
        raise UserError(f"{path} holds no input: one JSON object a line is wanted")
    return found


def _asked(told: Any, place: str, name: str, folder: Path) -> Asked:
    """Return one input. told: a line or an object; name: its id when it says none; folder: where pictures may be."""
    written = _parsed(told, place) if isinstance(told, str) else told
    record = parse_record({"id": name, **written} if isinstance(written, dict) else written, place)
    beside = [path for path in _paths(record.image, folder) if path.is_file()]
    return Asked(record, place, beside[0] if beside else None)


def _paths(image: str | None, folder: Path) -> Iterator[Path]:
    if image:
        yield from (Path(image), folder / image)


def _parsed(line: str, place: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{place}: this is no JSON ({error}); one object a line is wanted") from None


def _worded(record: Record) -> Record:
    given = {name: _low(getattr(record, name)) for name in _WORDS}
    return replace(record, **given, turns=tuple(map(_low, record.turns)))


def _low(text: Any) -> Any:
    return " ".join(text.split()).lower() if isinstance(text, str) else text
