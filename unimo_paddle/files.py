"""Files that are whole or absent: written under a temporary name, synced to the disk, then renamed."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Sequence
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
    with _naming(path):
        descriptor, name = tempfile.mkstemp(prefix=TEMPORARY + path.name + "-", dir=path.parent)
        try:
            with os.fdopen(descriptor, mode, encoding=None if "b" in mode else "utf-8") as file:
                _mark_as_ours(descriptor)
                yield file
                file.flush()
                os.fsync(descriptor)
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
    target = path.resolve()  # a folder cannot take the place of a link to one, nor of "."
    target.parent.mkdir(parents=True, exist_ok=True)
    with _naming(path):
        work = Path(tempfile.mkdtemp(prefix=TEMPORARY + target.name + "-", dir=target.parent))
        mark = os.open(work, os.O_RDONLY)
        try:
            _mark_as_ours(mark)
            yield work
            for file in sorted(work.rglob("*")):
                if file.is_file():
                    sync_file(file)
            sync_directory(work)
            work.chmod(0o777 & ~_umask())
            work.replace(target)
            sync_directory(target.parent)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
        finally:
            os.close(mark)


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let an error of the system name the file: a write (disk full) gives no name, and others a temporary one."""
    try:
        yield
    except OSError as error:
        if error.filename is None or f"/{TEMPORARY}" in f"/{error.filename}":
            error.filename = str(path)
        raise


def _mark_as_ours(descriptor: int) -> None:
    """Lock something temporary as long as the descriptor is open, so that no other process takes it for a leftover."""
    with contextlib.suppress(OSError):  # some network drives have no locks
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


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


def lock_directory(path: Path, wait: bool = False) -> int:
    """Keep other writers out of a folder; return the descriptor whose closing lets them in again.

    The lock goes with the process, however it ends. UserError when another process holds it, unless we shall wait.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(descriptor)
        raise UserError(f"another process is writing to {path}; wait until it has ended") from None
    return descriptor


def leftovers(directory: Path | str) -> list[Path]:
    """Remove what a killed run left under temporary names directly in `directory`; return what was removed.

    What a process that is still running writes there stays.
    """
    stale = [path for path in sorted(Path(directory).glob(TEMPORARY + "*")) if not _is_in_use(path)]
    for path in stale:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    return stale


def files_below(folder: Path, endings: Collection[str]) -> list[Path]:
    """Return the files below a folder whose names end so, in any case, sorted; links to folders are followed once.

    UserError when a file's name is not UTF-8: no index could hold it.
    """
    found, seen = [], set()
    for root, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(root)
        if real in seen:
            folders.clear()  # a link that leads back
            continue
        seen.add(real)
        found += [Path(root) / name for name in names if name.lower().endswith(tuple(endings))]
    strange = [path for path in found if "\ufffd" in os.fsencode(path).decode("utf-8", "replace")]
    if strange:
        raise UserError(f"{len(strange)} file names are not UTF-8, e.g. {os.fsencode(strange[0])!r}; rename them")
    return sorted(found)


def is_vacant(directory: Path) -> bool:
    """Tell whether a folder is absent, or holds nothing but what a killed run left under temporary names."""
    return not directory.exists() or (
        directory.is_dir() and all(path.name.startswith(TEMPORARY) for path in directory.iterdir())
    )


def _is_in_use(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def write_json(path: Path | str, value: Any) -> None:
    """Write `value` as indented JSON, atomically."""
    with atomic_write(path, "w") as file:
        json.dump(value, file, ensure_ascii=False, indent=1)
        file.write("\n")


def require_writable(path: Path, inputs: Sequence[Path] = ()) -> None:
    """Raise UserError, before any work, for a file that cannot be written or is one of the inputs, which it would
    replace."""
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file")
    if any(path.exists() and one.exists() and path.samefile(one) for one in inputs):
        raise UserError(f"{path} is what is read; name another file, or it would be replaced")
    folder = next(parent for parent in path.resolve().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UserError(f"{path} cannot be written: {folder} is no folder to write to; name another place")


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
    except ValueError as error:  # a number of more than 4,300 digits
        raise UserError(f"{where}: the JSON cannot be read: {error}") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
