"""Custom data: one JSON object a line, an image with its captions or a text (docs/data_formats.md has the schema)."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unimo_paddle.corpus import Image, Pair, Stored
from unimo_paddle.files import sha256_of
from unimo_paddle.prepare.faults import Faults
from unimo_paddle.prepare.ingest.archives import about, content_of, lines_of, read_lines
from unimo_paddle.prepare.ingest.intake import Entry, Intake, expect_folder, take

KEYS = {"id": str, "image": str, "captions": list, "text": str, "split": str, "meta": dict}


@dataclass
class Report:
    """What validating found. counts: split -> collection -> number of good records."""

    faults: Faults
    counts: dict[str, dict[str, int]] = field(default_factory=dict)


def ingest_jsonl(corpus: Path, path: Path, *, images: Path | None = None, split: str = "train",
                 name: str | None = None, skip_faulty: bool = False) -> dict[str, dict[str, int]]:
    """Take custom data into the corpus; return the corpus's counts by split.

    images: the folder that relative image paths start from; by default the JSONL file's own. split: of the lines that
    name none.
    Raises UserError with every fault: `file:line: ...`.
    """
    home = images or path.parent
    if images:
        expect_folder(images)
    total = about([path], lambda packed, where: lines_of(content_of(packed, where), "", Faults()))

    def read(intake: Intake) -> Iterator[Entry]:
        return read_records(path, home, intake, split)

    fingerprint = f"jsonl {sha256_of(path)} {home.resolve()} {split}"
    return take(corpus, name or f"jsonl-{path.name.split('.')[0]}", fingerprint, read, total, "record", skip_faulty)


def validate_jsonl(path: Path, *, images: Path | None = None) -> Report:
    """Read custom data as `ingest_jsonl` does, write nothing, and return all faults and what is good."""
    if images:
        expect_folder(images)
    intake = Intake()
    report = Report(intake.faults)
    names = {Image: "images", Pair: "pairs"}
    for split, records in read_records(path, images or path.parent, intake):
        counts = report.counts.setdefault(split, {})
        for record in records:
            collection = names.get(type(record), "texts")
            counts[collection] = counts.get(collection, 0) + 1
    return report


def read_records(path: Path, images: Path, intake: Intake, default: str = "train") -> Iterator[Entry]:
    """Yield each good line's records: an Image and then its Pairs, or a Text; faults go to the intake.

    default: the split of a line that names none.
    """
    for number, line in read_lines(path, intake.faults):
        where = f"{path}:{number}"
        entry = _parse(line, where, intake.faults)
        if entry is None or not _is_sound(entry, where, intake.faults):
            continue
        split = intake.split(where, entry.get("split", default))
        if split:
            yield split, list(_records(entry, where, images, intake))


def _records(entry: dict[str, Any], where: str, images: Path, intake: Intake) -> Iterator[Stored]:
    if "text" in entry:
        text = intake.text(where, entry["id"], entry["text"])
        if text:
            yield text
        return
    if not entry["image"].strip():
        intake.faults.add(where, "the image name is empty")
        return
    image = intake.image(where, entry["id"], images / entry["image"])
    if not image:
        return
    yield image
    for number, caption in enumerate(entry.get("captions", [])):
        pair = intake.pair(f"{where}: captions[{number}]", f"{image.id}:{number}", image.id, caption)
        if pair:
            yield pair


def _parse(line: str, where: str, faults: Faults) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except json.JSONDecodeError as error:
        faults.add(where, f"column {error.colno} is not JSON: {error.msg}")
        return None
    except RecursionError:
        faults.add(where, "the JSON is nested too deeply to be read")
        return None
    if isinstance(entry, dict):
        return entry
    faults.add(where, f"a JSON object is wanted, not {line:.60}")
    return None


def _is_sound(entry: dict[str, Any], where: str, faults: Faults) -> bool:
    before = len(faults)
    for key, value in entry.items():
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, n=1)
            advice = f"did you mean {near[0]!r}?" if near else "what is your own belongs under `meta`"
            faults.add(where, f"{key!r} is not a key of this format; {advice}")
        elif not isinstance(value, KEYS[key]):
            faults.add(where, f"{key} is {value!r:.60}, not {KEYS[key].__name__}")
    if not entry.get("id"):
        faults.add(where, "the record has no id")
    if "text" in entry and ("image" in entry or "captions" in entry):
        faults.add(where, "a record is an image with captions or a text, not both")
    elif "captions" in entry and "image" not in entry:
        faults.add(where, "captions without an image")
    elif "text" not in entry and "image" not in entry:
        faults.add(where, "the record has neither an image nor a text")
    return len(faults) == before
