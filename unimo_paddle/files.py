"""Files that are whole or absent: written under a temporary name, synced to the disk, then renamed."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from unimo_paddle.errors import UserError

TEMPORARY = ".tmp-"


@contextlib.contextmanager
def atomic_write(path: Path | str, mode: str = "wb") -> Iterator[IO[Any]]:
    """Open a file that takes the name `path` only when the block ends well; otherwise nothing is left.

    mode: "wb" for bytes or "w" for UTF-8 text. Raises OSError as the system gives it (disk full, no permission).
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=TEMPORARY + path.name + "-", dir=path.parent)
    try:
        with _naming(path), os.fdopen(descriptor, mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(path)
        sync_directory(path.parent)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def atomic_directory(path: Path | str) -> Iterator[Path]:
    """Yield a fresh directory that becomes `path` when the block ends well; otherwise it is removed.

    Raises UserError when `path` is there already and not empty: nothing of the user's is ever overwritten.
    """
    path = Path(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(f"{path} exists and is not empty; name another folder or remove it")
    path.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=TEMPORARY + path.name + "-", dir=path.parent))
    try:
        with _naming(path):
            yield work
        for file in sorted(work.rglob("*")):
            if file.is_file():
                sync_file(file)
        sync_directory(work)
        work.chmod(0o777 & ~_umask())
        work.replace(path)
        sync_directory(path.parent)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let an error of the system name the file: a write to an open file (disk full) does not."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def sync_file(path: Path) -> None:
    """Push a file's bytes to the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    """Push a directory's entries to the disk, so that a rename outlives a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lock_directory(path: Path) -> int:
    """Keep other writers out of a folder; return the descriptor whose closing lets them in again.

    The lock goes with the process, however it ends. UserError when another process holds it.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise UserError(f"another process is writing to {path}; wait until it has ended") from None
    return descriptor


def leftovers(directory: Path | str) -> list[Path]:
    """Remove what a killed run left under temporary names directly in `directory`; return what was removed."""
    stale = sorted(Path(directory).glob(TEMPORARY + "*"))
    for path in stale:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    return stale


def write_json(path: Path | str, value: Any) -> None:
    """Write `value` as indented JSON, atomically."""
    with atomic_write(path, "w") as file:
        json.dump(value, file, ensure_ascii=False, indent=1)
        file.write("\n")


def read_text(path: Path | str) -> str:
    """Return a UTF-8 file's text; UserError names the file when it is absent or the byte that is not UTF-8."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder; a file is wanted here") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from None


def read_json(path: Path | str) -> Any:
    """Return a JSON file's value; UserError names file, line and column of the first fault."""
    return _parse(read_text(path), str(path))


def read_jsonl(path: Path | str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, object) of each filled line; UserError names file and line of the first fault."""
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            value = _parse(line, f"{path}:{number}")
            if not isinstance(value, dict):
                raise UserError(f"{path}:{number}: a JSON object is wanted, not {type(value).__name__}")
            yield number, value


def sha256_of(path: Path | str) -> str:
    """Return a file's SHA-256 as 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{where}: line {error.lineno} column {error.colno} is not JSON: {error.msg}") from None
    except RecursionError:
        raise UserError(f"{where}: the JSON is nested too deeply to be read") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
