"""COCO instances JSON to what a detector learns from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.errors import UserError
from unimo_paddle.files import read_json

MOST_SHOWN = 20  # faults in one message


@dataclass(frozen=True)
class Scene:
    """An annotated image.

    boxes: float32 [n, 4], x1 y1 x2 y2, pixels.  labels: int32 [n], from 0, no background.
    attributes: of each box its attributes, from 0 without "none"; empty when attributes are not annotated.
    """

    id: str
    path: Path
    width: int
    height: int
    boxes: NDArray[np.float32]
    labels: NDArray[np.int32]
    attributes: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class Annotations:
    """classes, attributes: names in the order of the labels.  scenes: in the order of the file."""

    classes: tuple[str, ...]
    scenes: tuple[Scene, ...]
    attributes: tuple[str, ...] = ()


def read_annotations(file: Path, images: Path) -> Annotations:
    """Read COCO instances; the images lie in the folder `images`.

    Crowds and boxes thinner than a pixel (COCO has some) are left out.
    UserError naming the file and everything that is wrong: missing fields, unknown images or categories, bad boxes.
    """
    value = read_json(file)
    parts = ("images", "annotations", "categories")
    missing = [part for part in parts if not isinstance(value, dict) or not isinstance(value.get(part), list)]
    if missing:
        raise UserError(f"{file} is no COCO instances file: it has no list {', '.join(map(repr, missing))}")
    faults = [fault for part in parts for fault in _field_faults(value[part], part)] or list(_reference_faults(value))
    refuse(file, faults)
    categories = sorted(value["categories"], key=lambda category: category["id"])
    label_of = {category["id"]: label for label, category in enumerate(categories)}
    found: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for annotation in value["annotations"]:
        if not annotation.get("iscrowd") and min(annotation["bbox"][2:]) >= 1:
            found[annotation["image_id"]].append(annotation)
    scenes = tuple(_scene(image, images, found[image["id"]], label_of) for image in value["images"])
    return Annotations(tuple(str(category["name"]) for category in categories), scenes)


def refuse(file: Path, faults: Sequence[str]) -> None:
    """Raise UserError naming the file and its first faults, if there are any."""
    if faults:
        more = f"; and {len(faults) - MOST_SHOWN} more" if len(faults) > MOST_SHOWN else ""
        raise UserError(f"{file}: {'; '.join(faults[:MOST_SHOWN])}{more}")


_FIELDS = {
    "images": ("id", "file_name", "width", "height"),
    "annotations": ("image_id", "category_id", "bbox"),
    "categories": ("id", "name"),
}


def _field_faults(rows: list[Any], part: str) -> Iterator[str]:
    for number, row in enumerate(rows):
        lacking = [name for name in _FIELDS[part] if not isinstance(row, dict) or name not in row]
        if lacking:
            yield f"{part}[{number}] has no {', '.join(map(repr, lacking))}"


def _reference_faults(value: dict[str, Any]) -> Iterator[str]:
    images = {image["id"] for image in value["images"]}
    categories = {category["id"] for category in value["categories"]}
    for number, annotation in enumerate(value["annotations"]):
        where = f"annotations[{number}]"
        if annotation["image_id"] not in images:
            yield f"{where}: image_id {annotation['image_id']!r} is not among the images"
        if annotation["category_id"] not in categories:
            yield f"{where}: category_id {annotation['category_id']!r} is not among the categories"
        if not is_box(annotation["bbox"]):
            yield f"{where}: bbox {annotation['bbox']!r} is not four finite numbers: x, y, width, height"


def is_box(box: Any) -> bool:
    """Tell whether this is a list of four finite numbers."""
    numbers = isinstance(box, list) and len(box) == 4 and all(isinstance(v, (int, float)) for v in box)
    return numbers and bool(np.isfinite(box).all())


def _scene(image: dict[str, Any], folder: Path, rows: list[dict[str, Any]], label_of: dict[Any, int]) -> Scene:
    boxes = np.array([row["bbox"] for row in rows], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    labels = np.array([label_of[row["category_id"]] for row in rows], np.int32)
    size = int(image["width"]), int(image["height"])
    return Scene(str(image["id"]), folder / image["file_name"], *size, boxes, labels)
