"""COCO captions, and every set that is published in the same two formats (Flickr30k's Karpathy file, our scenes).

Karpathy's file (dataset_coco.json): images[] with filename, filepath, split, cocoid and sentences[] of raw, sentid.
COCO's own file (captions_train2017.json): images[] with id, file_name; annotations[] with id, image_id, caption.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unimo_paddle.corpus import Image, Pair
from unimo_paddle.errors import UserError
from unimo_paddle.files import read_json, sha256_of
from unimo_paddle.prepare.ingest.intake import Entry, Intake, Split, expect_folder, take


def ingest_coco(corpus: Path, captions: Path, images: Path, *, split: str = "train", name: str | None = None,
                skip_faulty: bool = False) -> dict[str, dict[str, int]]:
    """Take images and captions into the corpus; return the corpus's counts by split.

    captions: either format. images: the folder of image files, with or without COCO's folders (`filepath`) inside.
    split: where COCO's own format goes; Karpathy's names its own, and its `restval` counts as train, as usual.
    Raises UserError with every fault: `file: images[3]: ...`.
    """
    value = read_json(captions)
    if not isinstance(value, dict) or not isinstance(value.get("images"), list):
        raise UserError(f"{captions}: an object with a list `images` is wanted (COCO captions or Karpathy's format)")
    expect_folder(images)

    def read(intake: Intake) -> Iterator[Entry]:
        if "annotations" not in value:
            return _read_karpathy(value["images"], captions, images, intake)
        return _read_official(value, captions, images, split, intake) if intake.split("--split", split) else iter(())

    annotations = value.get("annotations", [])
    if not isinstance(annotations, list):
        raise UserError(f"{captions}: annotations is {annotations!r:.60}, not a list")
    fingerprint = f"coco {sha256_of(captions)} {images.resolve()} {split}"
    return take(corpus, name or f"coco-{captions.stem}", fingerprint, read, len(value["images"]) + len(annotations),
                "entry", skip_faulty)


def _read_karpathy(entries: list[Any], captions: Path, images: Path, intake: Intake) -> Iterator[Entry]:
    for number, entry in enumerate(entries):
        where = f"{captions}: images[{number}]"
        if not intake.has(where, entry, {"filename": str, "split": str, "sentences": list}):
            continue
        split = intake.split(where, "train" if entry["split"] == "restval" else entry["split"])
        path = _find(images, str(entry.get("filepath", "")), entry["filename"])
        image = intake.image(where, image_id_of(entry), path)
        if image and split:
            yield split, [image, *_sentences(entry["sentences"], image, where, intake)]


def image_id_of(entry: dict[str, Any]) -> str:
    """Return the id of an image of Karpathy's file: COCO's number, else the name of its file."""
    return str(entry.get("cocoid", Path(entry["filename"]).stem))


def _sentences(sentences: list[Any], image: Image, where: str, intake: Intake) -> Iterator[Pair]:
    for number, sentence in enumerate(sentences):
        place = f"{where}.sentences[{number}]"
        if intake.has(place, sentence, {"raw": str}):
            pair = intake.pair(place, str(sentence.get("sentid", f"{image.id}:{number}")), image.id, sentence["raw"])
            if pair:
                yield pair


def _read_official(value: dict[str, Any], captions: Path, images: Path, split: Split,
                   intake: Intake) -> Iterator[Entry]:
    listed: dict[int, Image | None] = {}
    for number, entry in enumerate(value["images"]):
        where = f"{captions}: images[{number}]"
        if intake.has(where, entry, {"id": int, "file_name": str}):
            image = intake.image(where, str(entry["id"]), _find(images, "", entry["file_name"]))
            listed[entry["id"]] = image
            yield split, [image] if image else []
    for number, entry in enumerate(value["annotations"]):
        where = f"{captions}: annotations[{number}]"
        if not intake.has(where, entry, {"id": int, "image_id": int, "caption": str}):
            continue
        if entry["image_id"] not in listed:
            intake.faults.add(where, f"a caption without an image: no image has the id {entry['image_id']}")
            continue
        image = listed[entry["image_id"]]   # None when the image itself is a fault already told
        pair = intake.pair(where, str(entry["id"]), image.id, entry["caption"]) if image else None
        yield split, [pair] if pair else []


def _find(images: Path, folder: str, filename: str) -> Path:
    """Return the file where COCO has it, or straight in the folder, as many unpack it."""
    nested, flat = images / folder / filename, images / filename
    return flat if flat.is_file() and not nested.is_file() else nested
