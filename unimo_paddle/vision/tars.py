"""Pictures inside tar files, as WebDataset packs them: found by the headers, read where they lie, never unpacked."""

from __future__ import annotations

import io
import struct
import tarfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from unimo_paddle.errors import UserError

TAR_FAULTS = (tarfile.TarError, ValueError, OverflowError, struct.error, EOFError)  # what odd headers raise


@dataclass(frozen=True, slots=True)
class TarMember:
    """A file inside a tar. offset: of its first byte in the tar; size: bytes."""

    path: Path
    name: str
    offset: int
    size: int

    def __str__(self) -> str:
        return f"{self.path}/{self.name}"

    def open(self) -> io.BytesIO:
        """Read the whole member; EOFError when the tar ends before it does, OSError as the system gives it."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            data = file.read(self.size)
        if len(data) < self.size:
            raise EOFError(f"the tar is cut short: {len(data):,} of {self.size:,} bytes are there")
        return io.BytesIO(data)


def key_of(name: str) -> str:
    """Return WebDataset's key of a member: its name up to the first dot behind the folders.

    >>> key_of("a.b/000000012.seg.jpg"), key_of("./7.jpg")
    ('a.b/000000012', '7')
    """
    path = PurePosixPath(name)
    return str(path.with_name(path.name.partition(".")[0] or path.name))


def tar_members(path: Path, endings: Collection[str]) -> Iterator[TarMember]:
    """Yield the members whose names end so, in the order of the tar; only headers are read.

    Raises UserError when the file is no plain tar, or, after the readable ones, saying from where on it is damaged.
    """
    found = 0
    try:
        with tarfile.open(path, "r:") as tar:
            while member := tar.next():
                tar.members.clear()  # type: ignore[attr-defined]  # it would keep every header it has read
                if member.isreg() and not member.issparse() and member.name.lower().endswith(tuple(endings)):
                    found += 1
                    yield TarMember(path, member.name, member.offset_data, member.size)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except TAR_FAULTS as error:
        what = f"is damaged after {found:,} pictures" if found else "is no plain tar (unpack a compressed one)"
        raise UserError(f"{path} {what}: {error}") from None
