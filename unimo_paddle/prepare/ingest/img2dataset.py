"""Folders that img2dataset has written as files: 00000/000000012.jpg, and beside it .json (caption, url) and .txt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from unimo_paddle.console import say
from unimo_paddle.corpus import Stored
from unimo_paddle.errors import UserError
from unimo_paddle.files import read_json, read_text
from unimo_paddle.prepare.faults import Faults
from unimo_paddle.prepare.ingest.intake import Entry, Intake, take
from unimo_paddle.prepare.ingest.walk import fingerprint_of, walk


def ingest_img2dataset(corpus: Path, folder: Path, name: str, *, is_excluded: Callable[[str], bool] = lambda url: False,
                       split: str = "train", skip_faulty: bool = False) -> dict[str, dict[str, int]]:
    """Take the pictures and captions into the corpus; return the corpus's counts by split.

    is_excluded: tells by its URL whether a picture is left out. An id is `NAME-KEY`, e.g. `cc-train-000000012`.
    What img2dataset could not fetch is told, from its *_stats.json, and so are files that are no pictures.
    Raises UserError with every picture that has no caption beside it.
    """
    fingerprint, total = fingerprint_of(f"img2dataset {split} {folder.resolve()}", walk(folder))
    if not total:
        raise UserError(f"the folder {folder} has no images; is it one of img2dataset, written with "
                        f"--output_format files?")

    def read(intake: Intake) -> Iterator[Entry]:
        unreadable, excluded = Faults(), 0
        for shown in walk(folder) if intake.split("--split", split) else ():
            caption, url = _read_beside(folder / shown, intake.faults)
            if is_excluded(url):
                excluded += 1
            elif caption is not None:
                yield split, _records(folder / shown, f"{name}-{Path(shown).stem}", caption, intake, unreadable)
        say(f"pictures: {total:,}; not fetched: {_not_fetched(folder):,}; no picture that can be read: "
            f"{len(unreadable):,}; held out: {excluded:,}")
        if unreadable:
            say(unreadable.report())

    return take(corpus, name, fingerprint, read, total, "picture", skip_faulty)


def expect_no_images(folder: Path, images: Path | None) -> None:
    """Raise UserError when another folder of pictures was named beside a folder of img2dataset, which has its own."""
    if images:
        raise UserError(f"{folder} is a folder, so it is taken for img2dataset's, which holds its pictures; name a "
                        f"list of captions with --from, or leave --images {images} out")


def _records(path: Path, record_id: str, caption: str, intake: Intake, unreadable: Faults) -> list[Stored]:
    image = intake.image(str(path), record_id, path, unreadable)
    pair = intake.pair(str(path), record_id, record_id, caption) if image else None
    return [image, pair] if image and pair else []


def _read_beside(picture: Path, faults: Faults) -> tuple[str | None, str]:
    """Return (caption, URL) from the .json beside a picture, else the .txt; a fault and None when neither has one."""
    told, plain = picture.with_suffix(".json"), picture.with_suffix(".txt")
    try:
        value = read_json(told) if told.is_file() else {}
        caption = _field(value, "caption") or (read_text(plain) if plain.is_file() else "")
    except UserError as error:
        faults.add(str(picture), str(error))
        return None, ""
    if not caption.strip():
        faults.add(str(picture), f"there is no caption in {told.name} or {plain.name} beside it")
        return None, ""
    return caption, _field(value, "url")


def _field(value: Any, key: str) -> str:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def _not_fetched(folder: Path) -> int:
    stats = [read_json(path) for path in sorted(folder.glob("*_stats.json"))]
    return sum(int(value.get("count", 0)) - int(value.get("successes", 0)) for value in stats
               if isinstance(value, dict))
