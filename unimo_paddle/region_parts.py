"""Shards of a region store that workers make and the one who holds the store enters.

A worker writes the arrays under the name they will have; they count when the one in charge has written the JSON.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unimo_paddle.files import atomic_write, write_json
from unimo_paddle.region_shards import Encoded, StoreMeta


@dataclass(frozen=True)
class Part:
    """A shard whose arrays are on the disk. path: of its JSON; index: what that is to say."""

    path: Path
    index: dict[str, Any]


def write_arrays(path: Path, images: Mapping[str, Encoded], meta: StoreMeta) -> Part:
    """Write the arrays of images, by id, beside `path`, the JSON of their shard.

    Raises OSError as the system gives it; nothing is left then.
    """
    digest, size, items = hashlib.sha256(), 0, images.values()
    with atomic_write(path.with_suffix(".bin")) as file:
        for name, _, _ in meta.layout:
            for item in items:
                data = item.arrays[name].tobytes()
                digest.update(data)
                size += file.write(data)
    return Part(path, {
        "ids": list(images), "counts": [len(item.arrays["boxes"]) for item in items],
        "widths": [item.width for item in items], "heights": [item.height for item in items],
        "bytes": size, "sha256": digest.hexdigest(),
    })  # fmt: skip


def shard_path(store: Path, number: int) -> Path:
    """Return the JSON of the shard with this number."""
    return store / f"shard-{number:05d}.json"


def shard_numbers(store: Path) -> set[int]:
    """Return the numbers of the shards that are complete."""
    names = (path.stem.removeprefix("shard-") for path in store.glob("shard-*.json"))
    return {int(name) for name in names if name.isdecimal()}


def enter(part: Part) -> None:
    """Make a part count; only for who holds the store's lock."""
    write_json(part.path, part.index)


def remove_orphans(store: Path) -> None:
    """Remove arrays that were never entered, of a run that was killed; only for who holds the store's lock."""
    for data in store.glob("shard-*.bin"):
        if not data.with_suffix(".json").exists():
            data.unlink()
