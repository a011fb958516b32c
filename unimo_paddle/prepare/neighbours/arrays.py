"""A folder of arrays that is whole or absent, and that worker processes map instead of reading.

`index.json` names the kind, the key (what the arrays were made from), and size and SHA-256 of every file beside it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.errors import UserError
from unimo_paddle.files import atomic_directory, read_json, sha256_of, write_json

SCHEMA = 2
META_FILE = "index.json"


class ArrayFolder:
    """An opened folder: `meta` as it was given, arrays mapped on demand."""

    def __init__(self, path: Path | str, kind: str) -> None:
        """Check the sizes of all files; UserError when the folder is absent, of another kind or schema, or damaged.

        Their content is not read here, where every worker process comes by; `is_current` has done that before.
        """
        self.path = Path(path)
        self.meta = read_meta(self.path, kind)
        listed = self.meta["files"].items()
        faults = [fault for name, mark in listed if (fault := _size_fault(self.path / name, mark["bytes"]))]
        if faults:
            raise UserError("\n  ".join([f"{self.path} is damaged:", *faults, _remedy(self.path)]))

    def array(self, name: str) -> NDArray[Any]:
        """Map an array; pages are private, so nothing that is done to it reaches the file."""
        file = self.path / f"{name}.npy"
        try:
            found = np.asarray(np.load(file, mmap_mode="c", allow_pickle=False))  # without memmap's slow indexing
        except (OSError, ValueError) as error:
            raise UserError(f"{file} holds no array: {error}; {_remedy(self.path)}") from None
        return found

    def csr(self, name: str, width: int) -> Any:
        """Return a matrix of `width` columns that `write_csr` has written, over mapped memory."""
        from scipy.sparse import csr_matrix

        data, indices, starts = (self.array(f"{name}_{part}") for part in ("data", "indices", "indptr"))
        return csr_matrix((data, indices, starts), shape=(len(starts) - 1, width), copy=False)


@contextmanager
def array_folder(path: Path | str, kind: str, meta: dict[str, Any]) -> Iterator[Path]:
    """Yield a fresh folder to write arrays into; it takes the place of an older index when the block ends well.

    UserError when `path` holds something that is no index: nothing of the user's is overwritten.
    """
    path = Path(path)
    if (path / META_FILE).is_file():
        shutil.rmtree(path)
    with atomic_directory(path) as work:
        yield work
        files = sorted(work.iterdir())
        marks = {file.name: {"bytes": file.stat().st_size, "sha256": sha256_of(file)} for file in files}
        write_json(work / META_FILE, {"schema": SCHEMA, "kind": kind, "files": marks, **meta})


def is_current(path: Path | str, kind: str, key: str) -> bool:
    """Tell whether a folder holds a whole index of this kind, made from what `key` stands for; reads every file."""
    try:
        meta = ArrayFolder(path, kind).meta
    except UserError:
        return False
    marks = meta["files"].items()
    return meta.get("key") == key and all(sha256_of(Path(path) / name) == mark["sha256"] for name, mark in marks)


def read_meta(path: Path, kind: str) -> dict[str, Any]:
    """Read index.json; UserError when it is absent or describes something else."""
    file = path / META_FILE
    if not file.is_file():
        raise UserError(f"{path} is no index of {kind} ({META_FILE} is missing); make it first")
    value = read_json(file)
    found = (value.get("schema"), value.get("kind")) if isinstance(value, dict) else None
    if found != (SCHEMA, kind) or not _is_listing(value.get("files")):
        raise UserError(f"{file}: (schema, kind) is {found}, not {(SCHEMA, kind)}; {_remedy(path)}")
    return dict(value)


def write_csr(work: Path, name: str, matrix: Any) -> None:
    """Write a CSR matrix as three arrays."""
    for part in ("data", "indices", "indptr"):
        np.save(work / f"{name}_{part}.npy", getattr(matrix, part))


def _is_listing(files: Any) -> bool:
    marks = files.values() if isinstance(files, dict) else [None]
    return all(isinstance(mark, dict) and mark.keys() == {"bytes", "sha256"} for mark in marks)


def _size_fault(file: Path, size: int) -> str:
    found = file.stat().st_size if file.is_file() else -1
    if found == size:
        return ""
    return f"{file.name} is missing" if found < 0 else f"{file.name} has {found} bytes, not {size}: it was cut short"


def _remedy(path: Path) -> str:
    return f"delete the folder {path} and run the same command again"
