"""Visual Genome: each region's phrase becomes a caption of its picture, as UNIMO used it.

image_data.json: [{image_id, coco_id, flickr_id, ...}]; region_descriptions.json: [{id, regions: [{region_id, phrase,
x, y, width, height}]}], 5.4 million of them. Objects, attributes and relationships are not read: they say nothing to
pretraining that the detector, which learnt them, does not.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unimo_paddle.console import say
from unimo_paddle.corpus import Stored
from unimo_paddle.errors import UserError
from unimo_paddle.files import read_json, sha256_of
from unimo_paddle.prepare.ingest.held_out import held_out_coco, held_out_flickr30k
from unimo_paddle.prepare.ingest.intake import Entry, Intake, expect_folder, take
from unimo_paddle.prepare.ingest.json_items import read_items

IMAGES, REGIONS = "image_data.json", "region_descriptions.json"
FOLDERS = ("VG_100K", "VG_100K_2", "")


@dataclass(frozen=True)
class Choice:
    """Which pictures and captions are taken.

    split: of every picture, unless split_file (densecap_splits.json: split -> list of image ids) tells each one's; then
    pictures it does not name are left out. exclude_coco, exclude_flickr30k: Karpathy's files, whose val and test
    pictures are left out. captions: at most so many a picture, those of the largest boxes, which say most about the
    whole; 0: all.
    """

    split: str = "train"
    split_file: Path | None = None
    exclude_coco: Path | None = None
    exclude_flickr30k: Path | None = None
    captions: int = 0


@dataclass
class _Pictures:
    """What is known of the pictures. known: every id of image_data.json; of those that are taken, splits: id -> split,
    and paths: id -> path below the folder of images, where the URL is none of the web but such a path."""

    splits: dict[int, str] = field(default_factory=dict)
    paths: dict[int, str] = field(default_factory=dict)
    known: set[int] = field(default_factory=set)
    left_out: int = 0


def ingest_visual_genome(corpus: Path, folder: Path, images: Path, choice: Choice, *, name: str | None = None,
                         skip_faulty: bool = False) -> dict[str, dict[str, int]]:
    """Take pictures and region phrases into the corpus; return the corpus's counts by split.

    folder: with image_data.json and region_descriptions.json. images: with the folders VG_100K and VG_100K_2, or with
    all pictures; our small world's URLs are paths below it. Ids are `vg-` and a number, for COCO has the same numbers.
    Raises UserError with every fault: `file: [3].regions[5]: ...`.
    """
    expect_folder(folder, "the folder of the JSON files")
    expect_folder(images)
    if choice.captions < 0:
        raise UserError(f"captions an image: {choice.captions} is no number of captions; 0 means all")
    listing = read_json(folder / IMAGES)
    if not isinstance(listing, list):
        raise UserError(f"{folder / IMAGES}: a list of images is wanted")
    excluded = _excluded(choice)
    splits = _read_splits(choice.split_file) if choice.split_file else None

    def read(intake: Intake) -> Iterator[Entry]:
        pictures = _choose(listing, folder / IMAGES, choice.split, splits, excluded, intake)
        yield from _read_regions(folder / REGIONS, images, pictures, choice.captions, intake)
        _tell(pictures, choice)

    return take(corpus, name or "visual-genome", _fingerprint(folder, images, choice), read, len(listing), "image",
                skip_faulty)


def _fingerprint(folder: Path, images: Path, choice: Choice) -> str:
    files = (folder / IMAGES, folder / REGIONS, choice.split_file, choice.exclude_coco, choice.exclude_flickr30k)
    marks = [sha256_of(file) if file else "-" for file in files]
    return " ".join(["visual genome", *marks, choice.split, str(choice.captions), str(images.resolve())])


def _excluded(choice: Choice) -> dict[str, frozenset[int]]:
    """Return by the key in image_data.json the numbers of the pictures that are left out."""
    return {"coco_id": held_out_coco(choice.exclude_coco) if choice.exclude_coco else frozenset(),
            "flickr_id": held_out_flickr30k(choice.exclude_flickr30k) if choice.exclude_flickr30k else frozenset()}


def _read_splits(path: Path) -> dict[int, str]:
    value = read_json(path)
    if not isinstance(value, dict) or not all(isinstance(ids, list) for ids in value.values()):
        raise UserError(f"{path}: an object split -> list of image ids is wanted, as densecap_splits.json is")
    splits: dict[int, str] = {}
    for split, ids in value.items():
        for image_id in ids:
            if not isinstance(image_id, int) or splits.get(image_id, split) != split:
                raise UserError(f"{path}: {split}: {image_id!r} is no image id, or is in two splits")
            splits[image_id] = split
    return splits


def _choose(listing: list[Any], path: Path, split: str, splits: dict[int, str] | None,
            excluded: dict[str, frozenset[int]], intake: Intake) -> _Pictures:
    pictures = _Pictures()
    for number, entry in enumerate(listing):
        where = f"{path}: [{number}]"
        if not intake.has(where, entry, {"image_id": int}):
            continue
        image_id = entry["image_id"]
        pictures.known.add(image_id)
        if any(isinstance(entry.get(key), int) and entry[key] in ids for key, ids in excluded.items()):
            pictures.left_out += 1
        elif splits is None or image_id in splits:
            chosen = intake.split(where, split if splits is None else splits[image_id])
            pictures.splits.update({image_id: chosen} if chosen else {})
            url = entry.get("url")
            pictures.paths.update({image_id: url} if isinstance(url, str) and "://" not in url else {})
    return pictures


def _read_regions(path: Path, images: Path, pictures: _Pictures, captions: int, intake: Intake) -> Iterator[Entry]:
    for number, entry in enumerate(read_items(path)):
        where = f"{path}: [{number}]"
        entry.setdefault("id", entry.get("image_id"))   # the site's description says image_id, the files say id
        if not intake.has(where, entry, {"id": int, "regions": list}):
            continue
        if entry["id"] not in pictures.known:
            intake.faults.add(where, f"{IMAGES} has no image {entry['id']}")
        elif entry["id"] in pictures.splits:
            file = _find(images, entry["id"], pictures.paths)
            yield pictures.splits[entry["id"]], _records(entry, where, images, file, captions, intake)


def _find(images: Path, image_id: int, paths: dict[int, str]) -> Path | None:
    places = [images / folder / f"{image_id}.jpg" for folder in FOLDERS] + [images / paths.get(image_id, "")]
    return next((place for place in places if place.is_file()), None)


def _records(entry: dict[str, Any], where: str, images: Path, file: Path | None, captions: int,
             intake: Intake) -> list[Stored]:
    if not file:
        intake.faults.add(where, f"no {entry['id']}.jpg in {images}, nor in its {FOLDERS[0]} and {FOLDERS[1]}")
        return []
    image = intake.image(where, f"vg-{entry['id']}", file)
    if not image:
        return []
    kinds = {"region_id": int, "phrase": str, **({"width": int, "height": int} if captions else {})}
    regions = [(f"{where}.regions[{number}]", region) for number, region in enumerate(entry["regions"])]
    sound = [(place, region) for place, region in regions if intake.has(place, region, kinds)]
    pairs = (intake.pair(place, f"vg-{region['region_id']}", image.id, region["phrase"])
             for place, region in _largest(sound, captions))
    return [image, *(pair for pair in pairs if pair)]


def _largest(regions: list[tuple[str, Any]], count: int) -> list[tuple[str, Any]]:
    """Return the regions of the largest boxes, in the file's order; the earlier of two that are as large."""
    def rank(place: int) -> tuple[int, int]:
        region = regions[place][1]
        return region["width"] * region["height"], -place

    if not count:
        return regions
    return [regions[place] for place in sorted(heapq.nlargest(count, range(len(regions)), key=rank))]


def _tell(pictures: _Pictures, choice: Choice) -> None:
    if choice.exclude_coco or choice.exclude_flickr30k:
        say(f"left out {pictures.left_out:,} of {len(pictures.known):,} pictures, which are in a val or test split")
    unnamed = len(pictures.known) - pictures.left_out - len(pictures.splits)
    if choice.split_file:
        say(f"left out {unnamed:,} pictures that {choice.split_file} does not name")
