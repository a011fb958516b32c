"""A store that takes hours to make: it gets its name when it is whole, and a killed run goes on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unimo_paddle.errors import UserError
from unimo_paddle.files import is_vacant, leftovers, read_json, sync_directory, write_json
from unimo_paddle.region_shards import META_FILE

ORIGIN_FILE = "origin.json"
UNFINISHED = ".part"


@contextlib.contextmanager
def building(out: Path, origin: dict[str, Any]) -> Iterator[Path]:
    """Yield `out`.part, which takes the name `out` when the block ends well; else it stays, to be gone on with.

    origin: JSON that tells what the store is made of; kept in it. UserError when `out` is there already, or when an
    unfinished run was made of something else.
    """
    part = out.with_name(out.name + UNFINISHED)
    if not is_vacant(out):
        raise UserError(
            f"{out} exists and is not empty; name another folder (tools/extract.py merge joins stores); or, to make up "
            f"for damaged shards that you have deleted from it, rename it {part.name}"
        )
    part.mkdir(parents=True, exist_ok=True)
    noted = part / ORIGIN_FILE
    if not any(part.glob("shard-*.json")):  # nothing to lose
        (part / META_FILE).unlink(missing_ok=True)
        write_json(noted, origin)
    elif read_json(noted) != origin:
        raise UserError(f"{part} was begun with other files or settings ({noted} has them); remove it to begin anew")
    yield part
    if out.exists():
        leftovers(out)
        out.rmdir()
    part.rename(out)
    sync_directory(out.parent)


def stamp(paths: list[Path]) -> list[list[Any]]:
    """Return name, size and time of change of each file: what tells that they are the same as before.

    Names need not be UTF-8; the bytes that are not are shown as \\xe9.
    """
    names = [os.fsencode(path).decode("utf-8", "backslashreplace") for path in paths]
    return [[name, path.stat().st_size, path.stat().st_mtime_ns] for name, path in zip(names, paths, strict=True)]
