"""Captions whose pictures were fetched from the web: Conceptual Captions and SBU.

A list of captions and URLs tells nothing of files, and downloaders name those by row or by a hash of the URL. Links
rot: a row without a picture is counted and told, not a fault; so is a file that is no picture (an error page, often).
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from unimo_paddle.console import say
from unimo_paddle.corpus import Stored
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.faults import Faults
from unimo_paddle.prepare.ingest.intake import Entry, Intake, expect_folder, take
from unimo_paddle.prepare.ingest.walk import fingerprint_of, is_image, stem, walk

_IS_HASH = re.compile(r"[0-9a-f]+").fullmatch
ENOUGH = 1000   # files that must fit a way of naming before it is believed without looking at the other rows


@dataclass(frozen=True)
class Row:
    """A caption and the URL of its picture. number: of the row, from 0; where: its place, for faults."""

    number: int
    where: str
    url: str
    caption: str


@dataclass(frozen=True)
class WebPairs:
    """A list of captions and URLs. rows: reads them, noting faults.  mark: changes when the list does.

    is_excluded: tells by its URL whether a picture is left out.
    """

    name: str
    mark: str
    rows: Callable[[Faults], Iterator[Row]]
    is_excluded: Callable[[str], bool] = lambda url: False


NAMINGS: dict[str, Callable[[int, str], str]] = {
    "the number of the row": lambda row, url: str(row),
    "the CRC-32 of the URL": lambda row, url: str(zlib.crc32(url.encode())),
    "the MD5 of the URL": lambda row, url: hashlib.md5(url.encode(), usedforsecurity=False).hexdigest(),
    "the SHA-1 of the URL": lambda row, url: hashlib.sha1(url.encode(), usedforsecurity=False).hexdigest(),
    "the SHA-256 of the URL": lambda row, url: hashlib.sha256(url.encode()).hexdigest(),
    "the last part of the URL": lambda row, url: stem(unquote(urlsplit(url).path)),
}


def ingest_web_pairs(corpus: Path, pairs: WebPairs, images: Path, *, first_row: int = 0, split: str = "train",
                     skip_faulty: bool = False) -> dict[str, dict[str, int]]:
    """Take the rows that have a picture into the corpus; return the corpus's counts by split.

    images: the folder of this list's pictures, in subfolders or not, each named in one of the ways of NAMINGS, which is
    found out and told. first_row: the number that the first row's file has, 0 or 1. An id is `NAME-ROW`, from 0.
    Raises UserError when no file fits, and with every fault of the list.
    """
    if first_row not in (0, 1):
        raise UserError(f"the first row is {first_row}; downloaders count rows from 0 or 1")
    files = _index(images)
    fingerprint, _ = fingerprint_of(f"web {pairs.mark} {split} {first_row} {images.resolve()}", iter(files.values()))
    naming, total = _find_naming(pairs, files, images, first_row)
    say(f"pictures in {images}: {len(files):,}, named by {naming}"
        + (f", counted from {first_row}" if NAMINGS[naming](7, "") == "7" else ""))

    def read(intake: Intake) -> Iterator[Entry]:
        told = Counter[str]()
        unreadable = Faults()
        for row in pairs.rows(intake.faults) if intake.split("--split", split) else ():
            file = files.get(NAMINGS[naming](row.number + first_row, row.url))
            told["rows"] += 1
            told["no picture"] += file is None
            if file and pairs.is_excluded(row.url):
                told["excluded"] += 1
            elif file:
                yield split, _records(row, images / file, pairs.name, intake, unreadable)
        _tell(told, unreadable)

    return take(corpus, pairs.name, fingerprint, read, total, "row", skip_faulty)


def _records(row: Row, path: Path, name: str, intake: Intake, unreadable: Faults) -> list[Stored]:
    record_id = f"{name}-{row.number}"
    image = intake.image(row.where, record_id, path, unreadable)
    pair = intake.pair(row.where, record_id, record_id, row.caption) if image else None
    return [image, pair] if image and pair else []


def _tell(told: Counter[str], unreadable: Faults) -> None:
    say(f"rows: {told['rows']:,}; without a picture: {told['no picture']:,}; whose file is no picture: "
        f"{len(unreadable):,}; held out: {told['excluded']:,}")
    if unreadable:
        say(unreadable.report())


def _index(images: Path) -> dict[str, str]:
    """Return file name without folder and ending -> path below the folder; numbers lose their leading zeros.

    About 180 bytes of memory a file. Files without an ending count, if a number or a hash is their name.
    """
    expect_folder(images)
    files: dict[str, str] = {}
    for path in walk(images, lambda name: is_image(name) or _IS_HASH(name) is not None):
        key = stem(path)
        key = str(int(key)) if key.isascii() and key.isdecimal() else key
        if key in files:
            raise UserError(f"{images} has two files named {key}: {files[key]} and {path}; name the folder that holds "
                            f"the pictures of this list alone")
        files[key] = path
    if not files:
        raise UserError(f"the folder {images} has no images")
    if any(images.glob("*_stats.json")) or (images / next(iter(files.values()))).with_suffix(".json").is_file():
        raise UserError(f"{images} is a folder of img2dataset, which holds the captions too: take it with --from "
                        f"{images} and without --images, because its numbers need not be those of the rows")
    return files


def _find_naming(pairs: WebPairs, files: Collection[str], images: Path, first_row: int) -> tuple[str, int]:
    """Return how the files are named and about how many rows there are.

    UserError when no file fits, or when rows seem to be counted otherwise, which would pair every caption wrongly.
    """
    hits, rows = Counter[str](), 0
    for row in pairs.rows(Faults()):
        rows = row.number + 1
        if max(hits.values(), default=0) < ENOUGH:
            hits.update(name for name, key in NAMINGS.items() if key(row.number + first_row, row.url) in files)
    if not hits:
        raise UserError(f"none of the {len(files):,} files in {images} belongs to one of the {rows:,} rows; files may "
                        f"be named by {', '.join(NAMINGS)}")
    naming = hits.most_common(1)[0][0]
    other = {0: str(rows), 1: "0"}[first_row]   # a file that only the other way of counting has
    if naming == next(iter(NAMINGS)) and other in files:
        raise UserError(f"{images} has a file numbered {other}, but the {rows:,} rows are counted from {first_row}; "
                        f"are they counted from {1 - first_row}? Say so with --first-row {1 - first_row}")
    return naming, rows
