"""Plain text for the text collection: one document a line or one a file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from unimo_paddle.errors import UserError
from unimo_paddle.files import files_below
from unimo_paddle.prepare.ingest.intake import Entry, Intake, digest, read_lines, take

SUFFIXES = (".txt", ".txt.gz")


def ingest_text(corpus: Path, sources: Sequence[Path], *, document: str = "line", split: str = "train",
                name: str | None = None, skip_faulty: bool = False) -> dict[str, dict[str, int]]:
    """Take documents into the corpus; return the corpus's counts by split.

    sources: UTF-8 files, plain or .gz, and folders, whose .txt and .txt.gz files are read.
    document: "line" or "file". A document's id is its place: `file.txt:12`, or `file.txt`. Empty lines are passed over.
    Raises UserError with every fault: `file:line: byte 3 is not UTF-8`.
    """
    if document not in ("line", "file"):
        raise UserError(f"a document is {document!r}; choose `line` or `file`")
    files = [found for source in sources for found in _files(source)]
    digests = [digest(path) for path, _ in files]
    listing = [f"{shown} {sha}" for (_, shown), (sha, _) in zip(files, digests, strict=True)]
    fingerprint = hashlib.sha256("\n".join([f"text {document} {split}", *listing]).encode()).hexdigest()
    total = sum(lines for _, lines in digests) if document == "line" else len(files)

    def read(intake: Intake) -> Iterator[Entry]:
        chosen = files if intake.split("--split", split) else []
        documents = (found for path, shown in chosen for found in _documents(path, shown, document, intake))
        for text_id, text in documents:
            record = intake.text(text_id, text_id, text)
            yield split, [record] if record else []

    return take(corpus, name or f"text-{sources[0].name.split('.')[0]}", fingerprint, read, total, "document",
                skip_faulty)


def _documents(path: Path, shown: str, document: str, intake: Intake) -> Iterator[tuple[str, str]]:
    if document == "line":
        for number, line in read_lines(path, intake.faults):
            yield f"{shown}:{number}", line
        return
    lines = "\n".join(line for _, line in read_lines(path, intake.faults))
    yield shown, lines


def _files(source: Path) -> list[tuple[Path, str]]:
    """Return the files of a source and the name that each has in ids: relative to the folder that was given."""
    if not source.exists():
        raise UserError(f"the text {source} does not exist")
    if source.is_file():
        return [(source, source.name)]
    files = files_below(source, SUFFIXES)
    if not files:
        raise UserError(f"the folder {source} has no file that ends in {' or '.join(SUFFIXES)}")
    return [(path, path.relative_to(source).as_posix()) for path in files]
