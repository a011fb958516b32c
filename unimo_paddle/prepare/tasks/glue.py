"""SST-2, CoLA, MNLI and STS-B: the tables of the GLUE benchmark, and those of the released archives.

Rows are named by GLUE's `index` where there is one, else by their number from 0. GLUE keeps the answers of its test
splits to itself; the archives put a dummy in their place (release, section 5.1), so test records have no label.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from unimo_paddle.errors import UserError
from unimo_paddle.prepare.tasks.reader import Options
from unimo_paddle.prepare.tasks.sources import filled, noted, split_files, table, words
from unimo_paddle.records import Record

_SPLITS = {"train": ("train.tsv",), "dev": ("dev.tsv",), "test": ("test.tsv",)}
_MNLI = {
    "train": ("train.tsv",),
    "dev_m": ("dev_matched.tsv",),
    "dev_mm": ("dev_mismatched.tsv",),
    "test_m": ("test_matched.tsv",),
    "test_mm": ("test_mismatched.tsv",),
}
_MNLI_RELEASE = {
    "train": ("train.tsv",),
    "dev_m": ("m/dev.tsv",),
    "dev_mm": ("mm/dev.tsv",),
    "test_m": ("m/test.tsv",),
    "test_mm": ("mm/test.tsv",),
}
_RELEASE_COLUMNS = {"text_a", "text_b", "label", "qid"}


@dataclass(frozen=True)
class _Table:
    """texts: columns of the one text or the two.  headless: columns of train and dev, where no first line tells them.

    named: the label is a class's name, not its number.
    """

    texts: tuple[str, ...]
    label: str
    splits: Mapping[str, Sequence[str]] = field(default_factory=lambda: _SPLITS)
    headless: tuple[str, ...] = ()
    named: bool = False


def read_sst2(source: Path, options: Options) -> Iterator[tuple[str, Record]]:
    """GLUE's SST-2: columns `sentence`, `label`."""
    return _read(source, options, _Table(("sentence",), "label"))


def read_cola(source: Path, options: Options) -> Iterator[tuple[str, Record]]:
    """GLUE's CoLA: train and dev begin without a line of names; source, label, the author's mark, sentence."""
    headless = ("source", "label", "mark", "sentence")
    return _read(source, options, _Table(("sentence",), "label", headless=headless))


def read_mnli(source: Path, options: Options) -> Iterator[tuple[str, Record]]:
    """GLUE's MNLI: columns `sentence1`, `sentence2`, `gold_label`."""
    return _read(source, options, _Table(("sentence1", "sentence2"), "gold_label", _MNLI, named=True))


def read_stsb(source: Path, options: Options) -> Iterator[tuple[str, Record]]:
    """GLUE's STS-B: columns `sentence1`, `sentence2`, `score`."""
    return _read(source, options, _Table(("sentence1", "sentence2"), "score"))


def read_glue_release(source: Path, options: Options) -> Iterator[tuple[str, Record]]:
    """The archives' tables: `text_a`, `label`, perhaps `text_b` and `qid`; MNLI's splits are in folders m and mm.

    diagnostic.tsv is passed over: no number of the paper is on it.
    """
    splits = _MNLI_RELEASE if (source / "m").is_dir() else _SPLITS
    for split, path in split_files(source, splits):
        has_pairs = options.task is not None and "text_b" in options.task.reads
        layout = _Table(("text_a", "text_b") if has_pairs else ("text_a",), "label")
        for place, number, row in table(path, [*layout.texts, "label"], options.faults):
            if number == 0:
                _expect_columns(row, _RELEASE_COLUMNS if has_pairs else _RELEASE_COLUMNS - {"text_b"}, path)
            with noted(options.faults):
                yield split, _record(place, number, row, layout, split, options)


def _read(source: Path, options: Options, layout: _Table) -> Iterator[tuple[str, Record]]:
    for split, path in split_files(source, layout.splits):
        is_test = split.startswith("test")
        wanted = layout.texts if is_test else (*layout.texts, layout.label)
        for row in table(path, wanted, options.faults, () if is_test else layout.headless):
            with noted(options.faults):
                yield split, _record(*row, layout, split, options)


def _record(place: str, number: int, row: Mapping[str, str], layout: _Table, split: str, options: Options) -> Record:
    texts = [words(filled(row[name], f"{place}: {name}"), options.lowercase) for name in layout.texts]
    label = None if split.startswith("test") else _label(row[layout.label], layout, options, place)
    text, text_b = texts if len(texts) == 2 else (texts[0], None)
    return Record(id=row.get("index") or str(number), text=text, text_b=text_b, label=label)


def _label(told: str, layout: _Table, options: Options, place: str) -> str | float:
    names = options.labels
    told = told.strip()
    if not names:
        return _number(told, f"{place}: {layout.label}")
    if layout.named and told in names:
        return told
    if not layout.named and told.isdecimal() and int(told) < len(names):
        return names[int(told)]
    wanted = names if layout.named else [f"{number} ({name})" for number, name in enumerate(names)]
    raise UserError(f"{place}: {layout.label} is {told!r}; {', '.join(wanted[:-1])} or {wanted[-1]} is wanted")


def _number(told: str, what: str) -> float:
    try:
        number = float(told)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UserError(f"{what} is {told!r}; a number is wanted")
    return number


def _expect_columns(row: Mapping[str, str], known: set[str], path: Path) -> None:
    unknown = [name for name in row if name not in known]
    if unknown:
        raise UserError(f"{path}:1: column {unknown[0]!r} is unknown; {', '.join(sorted(known))} may be there")
