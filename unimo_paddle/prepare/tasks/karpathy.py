"""Karpathy's files of COCO and Flickr30k, and our scenes in the same format: for captioning and for retrieval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unimo_paddle.errors import UserError
from unimo_paddle.files import read_json
from unimo_paddle.prepare.faults import Faults
from unimo_paddle.prepare.ingest.coco import image_id_of
from unimo_paddle.prepare.tasks.sources import filled, member, noted

SPLITS = {"restval": "train", "val": "dev"}   # as they call it -> as we do; restval is trained on, as usual
_ORDER = ("train", "dev", "test")


@dataclass(frozen=True)
class Entry:
    """An image and its captions. place: for faults.  split: as we call it.  sentences: id, words as they are."""

    place: str
    split: str
    image: str
    sentences: tuple[tuple[str, str], ...]


def find_dataset(source: Path, names: Sequence[str]) -> Path:
    """Return the file itself, or the first of its names in a folder or in one of its folders.

    Raises UserError when there is none.
    """
    if source.is_file():
        return source
    for name in names:
        found = sorted([*source.glob(name), *source.glob(f"*/{name}")])
        if found:
            return found[0]
    raise UserError(f"{source} holds no {' or '.join(names)} (Karpathy's splits); name the folder of it or the file")


def read_entries(path: Path, faults: Faults) -> Iterator[Entry]:
    """Yield the images with their captions, train first; what is wrong with single ones is noted among the faults."""
    listed = member(read_json(path), "images", list, str(path))
    entries = []
    for number, told in enumerate(listed):
        with noted(faults):
            entries.append(_entry(told, f"{path}: images[{number}]"))
    others = [entry.split for entry in entries if entry.split not in _ORDER]
    for split in (*_ORDER, *dict.fromkeys(others)):
        yield from (entry for entry in entries if entry.split == split)


def _entry(told: Any, place: str) -> Entry:
    member(told, "filename", str, place)
    split = member(told, "split", str, place)
    image = image_id_of(told)
    said = []
    for number, sentence in enumerate(member(told, "sentences", list, place)):
        here = f"{place}.sentences[{number}]"
        raw = " ".join(filled(member(sentence, "raw", str, here), f"{here}: raw").split())
        said.append((str(sentence.get("sentid", f"{image}:{number}")), raw))
    return Entry(place, SPLITS.get(split, split), image, tuple(said))
