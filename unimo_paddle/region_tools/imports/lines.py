"""Reading files of long lines: plain or .gz, never whole in memory, and where each thing stood."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from unimo_paddle.errors import UserError
from unimo_paddle.files import read_text
from unimo_paddle.region_shards import Regions

LONGEST_LINE = 1 << 27  # bytes; a line of 100 regions has 2 MB


@dataclass(frozen=True)
class Item:
    """One image in a file, not decoded yet.

    where: `file:line`.  image_id: bytes that are not UTF-8 are lone surrogates (surrogateescape).
    content: what must be equal when the image comes again.  fault: why it cannot be read at all.
    build: decodes; raises FaultyItem.  size: bytes of the file since the last item, for the progress.
    """

    where: str
    image_id: str = ""
    content: tuple[bytes, ...] = ()
    build: Callable[[], Regions] | None = None
    fault: str = ""
    size: int = 0


@dataclass(frozen=True)
class Line:
    """A line without its end.  start: where it begins in the unpacked file.  size: bytes read from the disk for it."""

    where: str
    data: bytes
    start: int
    size: int
    fault: str = ""


def read_lines(path: Path) -> Iterator[Line]:
    """Yield the lines of a file that are not empty; one with a fault ends it, when the file is broken off."""
    with path.open("rb") as raw:
        file: IO[bytes] = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw  # type: ignore[assignment]
        number = start = seen = 0
        while True:
            number += 1
            data, fault = _next(file)
            now = raw.tell()
            if fault or data.strip():
                yield Line(f"{path}:{number}", data.rstrip(b"\r\n"), start, now - seen, fault)
                seen = now
            if fault or not data:
                return
            start += len(data)


def total_size(paths: Sequence[Path]) -> int:
    """Return how many bytes the files have together."""
    return sum(path.stat().st_size for path in paths)


def files_of(source: Path, endings: tuple[str, ...], listed: bool = False) -> list[Path]:
    """Return the files that `source` means: itself, those of a folder, or those a filelist names.

    listed: a file whose name ends in `filelist` or `.list` holds one path a line, absolute or beside the list.
    UserError when one is missing or there are none.
    """
    if not source.exists():
        raise UserError(f"{source} does not exist")
    if source.is_dir():
        found = sorted(p for p in source.rglob("*") if p.is_file() and p.name.endswith(endings) and p.name[0] != ".")
    elif listed and source.name.endswith(("filelist", ".list")):
        found = [_beside(source, line.strip()) for line in read_text(source).splitlines() if line.strip()]
    else:
        found = [source]
    if not found:
        raise UserError(f"{source} has no files that end in {', '.join(endings)}" if source.is_dir() else
                        f"{source} names no files")  # fmt: skip
    return found


def _beside(listed: Path, name: str) -> Path:
    """Find a path of a filelist: as it is, beside the list, or by its last part beside the list."""
    for path in (Path(name), listed.parent / name, listed.parent / Path(name).name):
        if path.is_file():
            return path
    raise UserError(f"{listed}: {name} does not exist, neither as it is nor beside the list")


def _next(file: IO[bytes]) -> tuple[bytes, str]:
    try:
        data = file.readline(LONGEST_LINE)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        return b"", f"the file is broken off or damaged ({error})"
    if len(data) == LONGEST_LINE:
        return b"", f"the line is longer than {LONGEST_LINE >> 20} MiB: this is no file of regions"
    return data, ""
