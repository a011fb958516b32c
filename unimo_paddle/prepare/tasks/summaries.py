"""Texts and their summaries or headlines: CNN/DailyMail and Gigaword in the layouts that are about.

    train.source      train.target            also .src / .tgt, .txt.src / .txt.tgt.tagged, .article.txt / .title.txt
                                              and .article.filter.txt / .title.filter.txt: two files, line by line
    input.txt         task1_ref0.txt ..       Gigaword's test, perhaps with several references
    train/0.json ..                           {"article": [sentences], "abstract": [sentences]} each
    train.bin         chunked/train_000.bin   the "finished files" (examples.py)

A split is called train; dev, val, valid or validation; test. Files may be packed (.gz ..). Sentences that <t> .. </t>,
<s> .. </s> or a list tells apart stand on lines of their own in the references, as ROUGE-Lsum wants them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unimo_paddle.errors import UserError
from unimo_paddle.files import read_json
from unimo_paddle.prepare.faults import Faults
from unimo_paddle.prepare.ingest.archives import read_lines
from unimo_paddle.prepare.tasks.examples import read_examples
from unimo_paddle.prepare.tasks.reader import Options
from unimo_paddle.prepare.tasks.sources import filled, noted, packed_or_plain, words
from unimo_paddle.records import Record

_NAMES = {"train": ("train",), "dev": ("dev", "val", "valid", "validation"), "test": ("test",)}
_ENDINGS = ((".source", ".target"), (".src", ".tgt"), (".txt.src", ".txt.tgt.tagged"), (".txt.src", ".txt.tgt"),
            (".article.filter.txt", ".title.filter.txt"), (".article.txt", ".title.txt"))  # fmt: skip
_FOLDERS = ("", "train", "Giga")   # of Gigaword's archive
_SENTENCE = re.compile(r"<([ts])>(.*?)</\1>", re.DOTALL)


@dataclass(frozen=True)
class _Example:
    """place: for faults.  text, summaries: as the files have them."""

    place: str
    id: str
    text: str
    summaries: tuple[str, ...]


def read_summaries(source: Path, options: Options) -> Iterator[tuple[str, Record]]:
    """text: the article; target: its summary, of several the first.  id: number of the line or file from 0.

    Raises UserError when the folder has none of the layouts.
    """
    if not source.is_dir():
        raise UserError(f"{source} is no folder; one with train.source and train.target is wanted, or alike")
    found = False
    for split in _NAMES:
        examples = _examples(source, split, options.faults)
        found = found or examples is not None
        for example in examples or ():
            with noted(options.faults):
                yield split, _record(example, options)
    if not found:
        raise UserError(f"{source} holds no train.source and train.target, nor the like; docs/tasks.md has the layouts")


def _examples(source: Path, split: str, faults: Faults) -> Iterator[_Example] | None:
    """Return the examples of the first layout in which the folder has the split."""
    for name in _NAMES[split]:
        for folder, (text, summary) in itertools.product(_FOLDERS, _ENDINGS):
            if path := packed_or_plain(source / folder / f"{name}{text}"):
                return _from_lines(path, [_beside(path, source / folder / f"{name}{summary}")], faults)
        if bins := _bins(source, name):
            return _from_bins(bins, faults)
        if numbered := sorted((source / name).glob("*.json"), key=lambda path: (len(path.name), path.name)):
            return _from_json(numbered, faults)
    return _gigaword_test(source, faults) if split == "test" else None


def _gigaword_test(source: Path, faults: Faults) -> Iterator[_Example] | None:
    for folder in ("", "Giga"):
        path = packed_or_plain(source / folder / "input.txt")
        if path:
            summaries = sorted(path.parent.glob("task1_ref*.txt*"))
            return _from_lines(path, summaries or [_beside(path, path.parent / "task1_ref0.txt")], faults)
    return None


def _beside(path: Path, summary: Path) -> Path:
    found = packed_or_plain(summary)
    if not found:
        raise UserError(f"{path} has no {summary.name} beside it; the summaries are wanted, line by line")
    return found


def _from_lines(path: Path, summaries: Sequence[Path], faults: Faults) -> Iterator[_Example]:
    """Join files line by line; a line that is blank in one of them is as good as absent: a fault."""
    streams = [read_lines(one, faults) for one in (path, *summaries)]
    heads = [next(stream, None) for stream in streams]
    while any(heads):
        number = min(head[0] for head in heads if head)
        texts = [head[1] if head and head[0] == number else None for head in heads]
        for one, text in zip((path, *summaries), texts, strict=True):
            if text is None:
                faults.add(f"{one}:{number}", "the line is empty or absent; the files belong together line by line")
        whole = [text for text in texts if text is not None]
        if len(whole) == len(texts):
            yield _Example(f"{path}:{number}", str(number - 1), whole[0], tuple(whole[1:]))
        heads = [head if text is None else next(stream, None)
                 for head, text, stream in zip(heads, texts, streams, strict=True)]


def _from_json(paths: Iterable[Path], faults: Faults) -> Iterator[_Example]:
    for number, path in enumerate(paths):
        with noted(faults):
            told = read_json(path)
            yield _Example(str(path), str(number), _joined(told, "article", path), (_joined(told, "abstract", path),))


def _joined(told: Any, name: str, path: Path) -> str:
    sentences = told.get(name) if isinstance(told, dict) else None
    if not isinstance(sentences, list) or not all(isinstance(one, str) for one in sentences):
        raise UserError(f"{path}: {name} is no list of sentences; an object with `article` and `abstract` is wanted")
    return " ".join(f"<s>{one}</s>" for one in sentences)


def _bins(source: Path, name: str) -> list[Path]:
    whole = source / f"{name}.bin"
    return [whole] if whole.is_file() else sorted(source.glob(f"chunked/{name}_*.bin"))


def _from_bins(paths: Iterable[Path], faults: Faults) -> Iterator[_Example]:
    number = 0
    for path in paths:
        for place, fields in read_examples(path):
            with noted(faults):
                text, summary = (_member(fields, name, place) for name in ("article", "abstract"))
                yield _Example(place, str(number), text, (summary,))
            number += 1


def _member(fields: dict[str, bytes], name: str, place: str) -> str:
    if name not in fields:
        raise UserError(f"{place}: there is no {name!r}, only {', '.join(fields) or 'nothing'}")
    try:
        return fields[name].decode()
    except UnicodeDecodeError as error:
        raise UserError(f"{place}: {name}: byte {error.start} is not UTF-8") from None


def _record(example: _Example, options: Options) -> Record:
    low, place = options.lowercase, example.place
    text = filled(" ".join(_sentences(example.text, low)), f"{place}: the text")
    summaries = [_sentences(one, low) for one in example.summaries]
    target = filled(" ".join(summaries[0]), f"{place}: the summary")
    is_plain = len(summaries) == 1 and len(summaries[0]) == 1
    references = () if is_plain else tuple("\n".join(sentences) for sentences in summaries)
    return Record(id=example.id, text=text, target=target, references=references)


def _sentences(text: str, lowercase: bool) -> list[str]:
    marked = [inside for _, inside in _SENTENCE.findall(text)] or [text]
    return [sentence for sentence in (words(one, lowercase) for one in marked) if sentence]
