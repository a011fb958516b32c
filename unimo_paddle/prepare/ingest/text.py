"""Text for the text collection: a document a line, a file, or an article of Wikipedia; plain, packed and in tars."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO

from unimo_paddle.errors import UserError
from unimo_paddle.files import files_below, sha256_of
from unimo_paddle.prepare.faults import Faults
from unimo_paddle.prepare.ingest.archives import KINDS, MOST_A_DOCUMENT, about, lines_of, open_packed, streams
from unimo_paddle.prepare.ingest.intake import Entry, Intake, take
from unimo_paddle.prepare.ingest.wikipedia import articles

ENDINGS = (".txt", ".tar", ".tgz")
Document = tuple[str, str, str]   # where it stands (for faults), id, text
Lines = Iterator[tuple[int, str]]


def ingest_text(corpus: Path, sources: Sequence[Path], *, document: str = "line", split: str = "train",
                name: str | None = None, skip_faulty: bool = False) -> dict[str, dict[str, int]]:
    """Take documents into the corpus; return the corpus's counts by split.

    sources: UTF-8 files; tars of them, also within tars; all of it plain or as .gz, .bz2, .xz, .zst; and folders.
    document: "line", "file", or "wikipedia" for what WikiExtractor writes, with or without --json.
    A document's id is its place, `file.txt:12`, `file.txt`, `dump.tar/a.txt`, or `wikipedia:12` for article 12.
    Empty lines, files and articles are passed over.
    Raises UserError with every fault: `file:line: byte 3 is not UTF-8`.
    """
    if document not in READERS:
        raise UserError(f"a document is {document!r}; choose one of {', '.join(READERS)}")
    files = [found for source in sources for found in _files(source, document)]
    listing = [f"{shown} {sha256_of(path)}" for path, shown in files]
    fingerprint = hashlib.sha256("\n".join([f"text {document} {split}", *listing]).encode()).hexdigest()
    total = about([path for path, _ in files],
                  lambda packed, path: _documents(packed, path, path.name, document, Faults()))

    def read(intake: Intake) -> Iterator[Entry]:
        for path, shown in files if intake.split("--split", split) else []:
            with open_packed(path) as packed:
                for where, text_id, text in _documents(packed, path, shown, document, intake.faults):
                    record = intake.text(where, text_id, text)
                    yield split, [record] if record else []

    return take(corpus, name or f"text-{sources[0].name.split('.')[0]}", fingerprint, read, total, "document",
                skip_faulty)


def _documents(packed: IO[bytes], path: Path, shown: str, document: str, faults: Faults) -> Iterator[Document]:
    for inside, stream in streams(packed, path, lambda name: _is_wanted(name, document), faults):
        where = f"{path}{inside}"
        yield from READERS[document](lines_of(stream, where, faults), where, shown + inside, faults)


def _lines(lines: Lines, where: str, shown: str, faults: Faults) -> Iterator[Document]:
    for number, line in lines:
        yield f"{where}:{number}", f"{shown}:{number}", line


def _whole(lines: Lines, where: str, shown: str, faults: Faults) -> Iterator[Document]:
    kept, size = [], 0
    for _, line in lines:
        size += len(line)
        if size > MOST_A_DOCUMENT:
            faults.add(where, f"the file has more than {MOST_A_DOCUMENT:,} characters; is it one document?")
            return
        kept.append(line)
    if kept:
        yield where, shown, "\n".join(kept)


READERS: dict[str, Callable[[Lines, str, str, Faults], Iterator[Document]]] = {
    "line": _lines, "file": _whole, "wikipedia": articles}


def _is_wanted(name: str, document: str) -> bool:
    """Tell by its name whether a file in a folder or a tar is a text; WikiExtractor's files have no ending."""
    path = PurePosixPath(name.lower())
    is_packed = path.suffix in KINDS and path.suffix != ".tgz"
    ending = PurePosixPath(path.stem).suffix if is_packed else path.suffix
    bare = is_packed or document == "wikipedia"
    return not name.startswith(".") and (ending in ENDINGS or (bare and not ending))


def _files(source: Path, document: str) -> list[tuple[Path, str]]:
    """Return the files of a source and the name that each has in ids: relative to the folder that was given."""
    if not source.exists():
        raise UserError(f"the text {source} does not exist")
    if source.is_file():
        return [(source, source.name)]
    files = [path for path in files_below(source, ("",)) if _is_wanted(path.name, document)]
    if not files:
        raise UserError(f"the folder {source} has no file that ends in {', '.join(ENDINGS)}, plain or as "
                        f"{', '.join(kind for kind in KINDS if kind != '.tgz')}")
    return [(path, path.relative_to(source).as_posix()) for path in files]
