"""Visual Genome's JSON, with bottom-up-attention's vocabularies, to what a detector learns from.

A folder with image_data.json, objects.json and attributes.json as the project publishes them (objects and attributes
are nested under their picture), objects_vocab.txt and attributes_vocab.txt as in data/genome/1600-400-20: one entry a
line, synonyms after commas, the first one is the name. All are read whole: the real objects.json takes about 4 GB.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unimo_paddle.errors import UserError
from unimo_paddle.files import read_json
from unimo_paddle.vision.annotations import Annotations, Scene, is_box, refuse

IMAGES, OBJECTS, ATTRIBUTES = "image_data.json", "objects.json", "attributes.json"
OBJECT_NAMES, ATTRIBUTE_NAMES = "objects_vocab.txt", "attributes_vocab.txt"
Numbers = Mapping[str, int]
Thing = tuple[int, int, Any]  # an object's id, label and [x, y, width, height]


@dataclass(frozen=True)
class Vocabulary:
    """names: of the labels, in order.  numbers: every name and synonym, in small letters -> label, from 0."""

    names: tuple[str, ...]
    numbers: Numbers


def read_vocabulary(path: Path) -> Vocabulary:
    """Read one vocabulary; UserError naming the lines that are empty or repeat a name or synonym."""
    if not path.is_file():
        raise UserError(f"{path} does not exist; it is one of bottom-up-attention's vocabulary files (1600-400-20)")
    names, numbers, faults = [], dict[str, int](), []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        words = [word.strip().lower() for word in line.split(",")]
        if not all(words):
            faults.append(f"line {number + 1} has an empty name: {line!r}")
        doubled = [word for word in words if numbers.get(word, number) != number]
        faults += [f"line {number + 1}: {word!r} is there already" for word in doubled]
        numbers.update(dict.fromkeys(words, number))
        names.append(line.split(",")[0].strip())
    refuse(path, faults if names else ["it has no entry"])
    return Vocabulary(tuple(names), numbers)


def read_genome(folder: Path, listed: Path, images: Path) -> Annotations:
    """Read the pictures that `listed` names, in its order.

    listed: a text file with a picture's path first on each line (VG_100K/1.jpg), the number being Visual Genome's, as
    bottom-up-attention's train.txt; or any COCO JSON, of which only the images count.  images: folder of those paths.
    Objects and attributes outside the vocabularies are left out, as are boxes without a pixel inside the picture.
    UserError naming every listed picture that Visual Genome lacks, and what is wrong in its files.
    """
    objects, attributes = read_vocabulary(folder / OBJECT_NAMES), read_vocabulary(folder / ATTRIBUTE_NAMES)
    files = dict(_listed(listed))
    sizes = {row["image_id"]: (int(row["width"]), int(row["height"]))
             for row in _rows(folder / IMAGES, {"image_id": int, "width": int, "height": int})}  # fmt: skip
    refuse(listed, [f"picture {number} is not in {folder / IMAGES}" for number in files if number not in sizes])
    told = _attributes(folder / ATTRIBUTES, files, attributes.numbers)
    found = dict(_objects(folder / OBJECTS, files, objects.numbers))
    scenes = tuple(
        _scene(number, images / file, sizes[number], found.get(number, []), told) for number, file in files.items()
    )
    return Annotations(objects.names, scenes, attributes.names)


def _listed(path: Path) -> Iterator[tuple[int, str]]:
    """Yield each picture's number and path."""
    if path.suffix == ".json":
        value = read_json(path)
        rows = value.get("images") if isinstance(value, dict) else None
        if not isinstance(rows, list):
            raise UserError(f"{path} has no list 'images'; name a COCO JSON, or a text file with one picture a line")
        fields = {"id": int, "file_name": str}
        refuse(path, [fault for k, row in enumerate(rows) for fault in _faults(f"images[{k}]", row, fields)])
        yield from ((row["id"], row["file_name"]) for row in rows)
        return
    if not path.is_file():
        raise UserError(f"{path} does not exist; name a text file with one picture a line, or a COCO JSON")
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        file = line.split()[0] if line.split() else ""
        if not Path(file).stem.isdigit():
            raise UserError(f"{path}, line {number}: {line!r:.60} does not begin with a path such as VG_100K/1.jpg")
        yield int(Path(file).stem), file


def _rows(path: Path, fields: Mapping[str, type]) -> list[dict[str, Any]]:
    """Return a JSON list of objects that have these fields; UserError naming those that do not."""
    rows = read_json(path)
    if not isinstance(rows, list):
        raise UserError(f"{path}: a list, one entry a picture, is wanted")
    refuse(path, [fault for number, row in enumerate(rows) for fault in _faults(f"[{number}]", row, fields)])
    return rows


def _faults(where: str, row: Any, fields: Mapping[str, type]) -> Iterator[str]:
    for name, kind in fields.items():
        value = row.get(name) if isinstance(row, dict) else None
        if not isinstance(value, kind):
            yield f"{where} has no {name!r}" if value is None else f"{where}: {name} is {value!r:.40}"


def _attributes(path: Path, files: Mapping[int, str], numbers: Numbers) -> dict[tuple[int, int], tuple[int, ...]]:
    """Return (picture, object) -> its known attributes, each once."""
    found, faults = {}, []
    for number, row in enumerate(_rows(path, {"image_id": int, "attributes": list})):
        if row["image_id"] not in files:
            continue
        for place, thing in enumerate(row["attributes"]):
            wrong = [*_faults(f"[{number}].attributes[{place}]", thing, {"object_id": int})]
            faults += wrong
            words = [str(word).strip().lower() for word in thing.get("attributes") or ()] if not wrong else []
            if words:
                known = dict.fromkeys(numbers[word] for word in words if word in numbers)
                found[row["image_id"], thing["object_id"]] = tuple(known)
    refuse(path, faults)
    return found


def _objects(path: Path, files: Mapping[int, str], numbers: Numbers) -> Iterator[tuple[int, list[Thing]]]:
    """Yield each picture's number and its known objects."""
    faults: list[str] = []
    for number, row in enumerate(_rows(path, {"image_id": int, "objects": list})):
        if row["image_id"] not in files:
            continue
        found = []
        for place, thing in enumerate(row["objects"]):
            box = [thing.get(side) for side in ("x", "y", "w", "h")] if isinstance(thing, dict) else None
            if not is_box(box) or not isinstance(thing.get("object_id"), int):
                faults.append(f"[{number}].objects[{place}] has no object_id, or no numbers x, y, w, h")
                continue
            label = _label(thing, numbers)
            if label is not None:
                found.append((thing["object_id"], label, box))
        yield row["image_id"], found
    refuse(path, faults)


def _label(thing: Mapping[str, Any], numbers: Numbers) -> int | None:
    """Return the label of the first name that the vocabulary knows; early versions have `name` for `names`."""
    names = thing.get("names") or [thing.get("name", "")]
    return next((numbers[word] for name in names if (word := str(name).strip().lower()) in numbers), None)


def _scene(
    number: int, path: Path, size: tuple[int, int], things: list[Thing],
    told: Mapping[tuple[int, int], tuple[int, ...]],
) -> Scene:  # fmt: skip
    boxes = np.array([box for _, _, box in things], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    boxes = boxes.clip(0, np.array(size * 2, np.float32))
    kept = np.flatnonzero((boxes[:, 2:] - boxes[:, :2] >= 1).all(1))
    labels = np.array([things[row][1] for row in kept], np.int32)
    attributes = tuple(told.get((number, things[row][0]), ()) for row in kept)
    return Scene(str(number), path, *size, boxes[kept], labels, attributes)
