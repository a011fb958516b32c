"""SNLI-VE: the published JSON lines, our scenes in the same format, and the released archive."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unimo_paddle.console import say
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.faults import Faults
from unimo_paddle.prepare.ingest.archives import read_lines
from unimo_paddle.prepare.tasks.reader import Options
from unimo_paddle.prepare.tasks.released_lines import fields_of, listed_files, number, token_ids
from unimo_paddle.prepare.tasks.sources import filled, member, noted, words
from unimo_paddle.records import Record

_FILE = re.compile(r"snli_ve_([a-z0-9_-]+)\.jsonl(\.gz)?")
_ORDER = ("train", "dev", "test")
_UNDECIDED = "-"   # the people asked did not agree


def read_snli_ve(source: Path, options: Options) -> Iterator[tuple[str, Record]]:
    """Files snli_ve_SPLIT.jsonl; the premise is the picture, so sentence1 is not read.

    Lines whose gold_label is "-" are left out, as the set's authors do, and counted. A Flickr30K_ID of our scenes is
    padded with zeros, which no id of Flickr has: they go.
    """
    for split, path in _files(source):
        undecided = 0
        for place, told in _objects(path, options.faults):
            if told.get("gold_label") == _UNDECIDED:
                undecided += 1
                continue
            with noted(options.faults):
                yield split, _record(told, place, options)
        if undecided:
            say(f"{path}: {undecided:,} lines without an agreed label are left out")


def read_snli_ve_release(source: Path, options: Options) -> Iterator[tuple[str, Record]]:
    """Lines of 14 fields: image, id, number of the class, token ids; the rest is the image's regions.

    The filelists are in the folder or in its `bbox100`.
    """
    for split, path in listed_files(source):
        for place, (image, name, label, ids) in fields_of(path, 14, 4, options.faults):
            with noted(options.faults):
                text = token_ids(ids, f"{place}: the hypothesis")
                yield split, Record(id=name, image=image, text=text, label=_class(label, place, options))


def _class(told: str, place: str, options: Options) -> str:
    chosen = number(told, f"{place}: the label")
    if chosen >= len(options.labels):
        last = len(options.labels) - 1
        raise UserError(f"{place}: the label is {chosen}; a class from 0 to {last} is wanted")
    return options.labels[chosen]


def _record(told: dict[str, Any], place: str, options: Options) -> Record:
    label = member(told, "gold_label", str, place)
    if label not in options.labels:
        raise UserError(f"{place}: gold_label is {label!r}; one of {', '.join(options.labels)} is wanted")
    text = filled(member(told, "sentence2", str, place), f"{place}: sentence2")
    image = filled(str(told.get("Flickr30K_ID", "")), f"{place}: Flickr30K_ID").strip().removesuffix(".jpg")
    return Record(
        id=member(told, "pairID", str, place), image=str(int(image)) if image.isdecimal() else image,
        text=words(text, options.lowercase), label=label,
    )  # fmt: skip


def _objects(path: Path, faults: Faults) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield FILE:LINE and the object of each line."""
    for line, text in read_lines(path, faults):
        place = f"{path}:{line}"
        with noted(faults):
            yield place, _object(text, place)


def _object(text: str, place: str) -> dict[str, Any]:
    try:
        told = json.loads(text)
    except ValueError as error:
        raise UserError(f"{place}: this is no JSON ({error}); one object a line is wanted") from None
    if not isinstance(told, dict):
        raise UserError(f"{place}: a JSON object is wanted, not {type(told).__name__}")
    return told


def _files(source: Path) -> list[tuple[str, Path]]:
    """Return (split, file), train first."""
    paths = sorted([*source.glob("snli_ve_*"), *source.glob("*/snli_ve_*")])
    found = [(match[1], path) for path in paths if path.is_file() and (match := _FILE.fullmatch(path.name))]
    if not found:
        raise UserError(f"{source} holds no snli_ve_train.jsonl, snli_ve_dev.jsonl ..; is it the right folder, and "
                        f"--layout the right one?")
    return sorted(found, key=lambda one: (*_ORDER, one[0]).index(one[0]))
