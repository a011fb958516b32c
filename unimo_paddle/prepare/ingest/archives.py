"""Text files as they are published: plain or packed, alone or in tars within tars. Read as a stream, in little memory.

Nothing is unpacked to the disk, so a name like `../../etc/passwd` in a tar is only a name. A stream that grows out of
all proportion to its packed size, and a line without an end, are faults, so that no small file fills memory or disk.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from unimo_paddle.errors import UserError
from unimo_paddle.prepare.faults import Faults

KINDS = {".gz": "gzip", ".tgz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd"}
MOST_A_DOCUMENT = 64 << 20   # bytes; the longest books have 10 MB
MOST_TIMES = 500             # unpacked bytes a packed one; text has 3 to 10
FREE = 256 << 20             # bytes that may be unpacked whatever the packed size
DEEPEST = 3                  # tars in one another; OpenWebText has two
_BUFFER = 1 << 18
_SAMPLE = 8 << 20
_ZSTD_STEP = 1 << 10         # packed bytes at a time: zstd unpacks what it is given at once, up to 32,000 times as much
_FAULTS = (EOFError, zlib.error, lzma.LZMAError, tarfile.TarError)
_TAR_FAULTS = (tarfile.TarError, ValueError, OverflowError, RecursionError, struct.error)   # what odd headers raise


class DamagedError(Exception):
    """A packed stream cannot be read on; the message says why."""


class Unpacked(io.RawIOBase):
    """The content of a stream, unpacked as its name's ending says.

    size: of the stream in bytes. Reading raises DamagedError when the packed bytes are cut or wrong, or unpack to more
    than 500 times their size.
    """

    def __init__(self, source: IO[bytes], name: str, size: int) -> None:
        self._kind = KINDS.get(PurePosixPath(name).suffix.lower(), "")
        self._content = _unpack(source, self._kind)
        self._left = max(FREE, MOST_TIMES * size)

    def readable(self) -> bool:
        """Say that it is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as there is content; return how many bytes."""
        view = memoryview(buffer)
        try:
            data = self._content.read(len(view))
        except _FAULTS as error:
            raise DamagedError(f"the {self._kind or 'tar'} stream is damaged from here on: {error}") from None
        except OSError as error:
            if error.errno is not None:   # a fault of the disk; gzip's and bzip2's own have no number
                raise
            raise DamagedError(f"the {self._kind} stream is damaged from here on: {error}") from None
        self._left -= len(data)
        if self._kind and self._left < 0:
            raise DamagedError(f"the {self._kind} stream unpacks to more than {MOST_TIMES} times its size; "
                               f"if that is right, unpack it yourself")
        view[:len(data)] = data
        return len(data)


class _Zstd(io.RawIOBase):
    """zstd, frame by frame; unlike the library's own reader it notices when the last frame is cut."""

    def __init__(self, source: IO[bytes]) -> None:
        import zstandard

        self._fault = zstandard.ZstdError
        self._begin: Callable[[], Any] = zstandard.ZstdDecompressor().decompressobj
        self._source, self._frame, self._ready = source, self._begin(), b""
        self._inside = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        while not self._ready:
            packed = self._source.read(_ZSTD_STEP)
            if not packed and self._inside:
                raise EOFError("it ends within a frame")
            if not packed:
                return 0
            self._ready = self._feed(packed)
        data, self._ready = self._ready[:len(view)], self._ready[len(view):]
        view[:len(data)] = data
        return len(data)

    def _feed(self, packed: bytes) -> bytes:
        parts = []
        while packed:
            try:
                parts.append(self._frame.decompress(packed))
            except self._fault as error:
                raise EOFError(str(error)) from None
            self._inside, packed = not self._frame.eof, b""
            if not self._inside:
                packed, self._frame = self._frame.unused_data, self._begin()
        return b"".join(parts)


def _unpack(source: IO[bytes], kind: str) -> IO[bytes]:
    if kind == "gzip":
        return cast(IO[bytes], gzip.GzipFile(fileobj=source))
    if kind == "bzip2":
        return cast(IO[bytes], bz2.BZ2File(source))
    if kind == "xz":
        return cast(IO[bytes], lzma.LZMAFile(source))
    return io.BufferedReader(_Zstd(source), _BUFFER) if kind == "zstd" else source


def open_packed(path: Path) -> IO[bytes]:
    """Open a file as it lies on the disk; UserError when it is not there or a folder."""
    if not path.is_file():
        raise UserError(f"{path} is a folder; a file is wanted" if path.is_dir() else f"{path} does not exist")
    return path.open("rb")


def content_of(packed: IO[bytes], path: Path) -> io.BufferedReader:
    """Return what the file `path`, opened as `packed`, holds once it is unpacked."""
    return io.BufferedReader(Unpacked(packed, path.name, path.stat().st_size), _BUFFER)


def about(files: Sequence[Path], read: Callable[[IO[bytes], Path], Iterator[Any]]) -> int:
    """Estimate how many things `read` yields of all files, from the first 8 MiB that they have on the disk."""
    count = seen = 0
    for path in files:
        with open_packed(path) as packed:
            for _ in read(packed, path):
                count += 1
                if seen + packed.tell() > _SAMPLE:
                    break
            seen += packed.tell()
        if seen > _SAMPLE:
            break
    return round(count * sum(path.stat().st_size for path in files) / max(seen, 1))


def streams(packed: IO[bytes], path: Path, is_wanted: Callable[[str], bool],
            faults: Faults) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield (place within the file, content) of each text that a file holds, one after the other.

    packed: the file `path`, opened. The place is "" for a file that is a text, `/folder/member.txt` in a tar, and so on
    for tars in tars. is_wanted: tells by a member's name whether it is a text or a tar to be opened. A content has to
    be read before the next one is asked for. What is damaged is a fault, and reading goes on behind it if it can.
    """
    return _texts(content_of(packed, path), path, "", is_wanted, faults, 0)


def _texts(stream: io.BufferedReader, path: Path, inside: str, is_wanted: Callable[[str], bool],
           faults: Faults, depth: int) -> Iterator[tuple[str, IO[bytes]]]:
    try:
        if not _is_tar(stream, inside or path.name):
            yield inside, stream
        elif depth == DEEPEST:
            faults.add(f"{path}{inside}", f"a tar within {DEEPEST} tars is not opened")
        else:
            for name, content in _members(stream):
                if is_wanted(PurePosixPath(name).name):
                    yield from _texts(content, path, f"{inside}/{name}", is_wanted, faults, depth + 1)
    except DamagedError as error:
        faults.add(f"{path}{inside}", str(error))


def _is_tar(stream: io.BufferedReader, name: str) -> bool:
    """Tell by the content: OpenWebText's inner tars are called `urlsf_subset00-1_data.xz`."""
    return stream.peek(512)[257:262] == b"ustar" or name.lower().endswith(".tar")


def _members(stream: IO[bytes]) -> Iterator[tuple[str, io.BufferedReader]]:
    try:
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            while member := tar.next():
                tar.members.clear()   # type: ignore[attr-defined]  # it would keep every header it has read
                content = tar.extractfile(member) if member.isreg() and not member.issparse() else None
                if content:
                    raw = Unpacked(content, member.name, member.size)
                    yield member.name, io.BufferedReader(raw, _BUFFER)
            _expect_end(cast(IO[bytes], tar.fileobj))
    except _TAR_FAULTS as error:
        raise DamagedError(f"the tar is damaged from here on: {error}") from None


def _expect_end(rest: IO[bytes]) -> None:
    """Read to the end, where the packed stream's checksum is: tarfile itself ends silently at a damaged header."""
    zeros = 0
    while block := rest.read(1 << 20):
        if block.strip(b"\0"):
            raise DamagedError("the tar is damaged: after its last readable member there is something else")
        zeros += len(block)
    if not zeros:
        raise DamagedError("the tar is cut: its end is missing")


def read_lines(path: Path, faults: Faults) -> Iterator[tuple[int, str]]:
    """Yield (line number, text without its line end) of each filled line of a file, plain or packed.

    Lines that are not UTF-8 or longer than 64 MiB are faults; so is a damaged stream, from where on nothing is read.
    """
    with open_packed(path) as packed:
        yield from lines_of(content_of(packed, path), str(path), faults)


def lines_of(stream: IO[bytes], where: str, faults: Faults) -> Iterator[tuple[int, str]]:
    """Yield the filled lines of a stream as `read_lines` does those of a file."""
    number = 0
    try:
        while line := stream.readline(MOST_A_DOCUMENT + 1):
            number += 1
            if len(line) > MOST_A_DOCUMENT:
                faults.add(f"{where}:{number}", f"the line has more than {MOST_A_DOCUMENT:,} bytes")
                _pass_over(line, stream)
                continue
            text = decode(line, f"{where}:{number}", faults)
            if text and text.strip():
                yield number, text.rstrip("\r\n")
    except DamagedError as error:
        faults.add(f"{where}:{number + 1}", str(error))


def _pass_over(line: bytes, stream: IO[bytes]) -> None:
    while line and not line.endswith(b"\n"):
        line = stream.readline(1 << 20)


def decode(data: bytes, where: str, faults: Faults) -> str | None:
    """Return bytes as text; a fault and None when they are not UTF-8. A byte order mark at the start goes."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        faults.add(where, f"byte {error.start} (0x{data[error.start]:02x}) is not UTF-8; save the file as UTF-8")
        return None
