"""The files below a folder of millions, in order, with one folder's names in memory at a time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

IMAGES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


def is_image(name: str) -> bool:
    """Tell by its ending whether a file is a picture. `._x.jpg` is what macOS leaves beside x.jpg."""
    return name.lower().endswith(IMAGES) and not name.startswith("._")


def walk(folder: Path, is_wanted: Callable[[str], bool] = is_image) -> Iterator[str]:
    """Yield the paths, relative to the folder, of the files whose names are wanted; sorted as paths are.

    Links to folders are followed, each folder once.
    """
    return _below(str(folder), "", is_wanted, set())


def _below(folder: str, shown: str, is_wanted: Callable[[str], bool], seen: set[str]) -> Iterator[str]:
    real = os.path.realpath(folder)
    if real in seen:
        return   # a link that leads back
    seen.add(real)
    with os.scandir(folder) as entries:
        found = sorted((entry.name, entry.is_dir()) for entry in entries if entry.is_dir() or is_wanted(entry.name))
    for name, is_folder in found:
        if is_folder:
            yield from _below(f"{folder}/{name}", f"{shown}{name}/", is_wanted, seen)
        else:
            yield shown + name


def fingerprint_of(head: str, names: Iterator[str]) -> tuple[str, int]:
    """Return (the SHA-256 of a heading and names, how many names there are)."""
    total, count = hashlib.sha256(head.encode(errors="surrogateescape")), 0
    for count, name in enumerate(names, start=1):   # noqa: B007 - the last count is what is wanted
        total.update(b"\n" + name.encode(errors="surrogateescape"))
    return total.hexdigest(), count


def stem(name: str) -> str:
    """Return a file's name without folders and the ending of a picture: `train_0/0a1b.jpg` gives `0a1b`."""
    last = name.rpartition("/")[2]
    return last.rpartition(".")[0] if last.lower().endswith(IMAGES) else last
