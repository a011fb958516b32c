"""VinVL's TSV files: what scene_graph_benchmark writes, and what was released for Oscar+ (see docs/regions.md).

Each line is a key, a TAB, and the rest. Found by their names in one folder, with any prefix (`train.`):
  predictions.tsv   key, JSON {"objects": [{"rect", "class", "conf", "feature", ...}], ["image_w", "image_h"]}
  features.tsv      key, number of boxes, base64 features;  its boxes are in predictions.tsv
  feature.tsv       key, JSON {"num_boxes", "features"};    its boxes are in label.tsv: key, JSON [{"class", ...}]
  hw.tsv            key, JSON [{"height", "width"}]: the sizes, where the others lack them
  *.lineidx         where each line of the TSV of that name begins: tells a broken-off copy
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from unimo_paddle.errors import UserError
from unimo_paddle.region_shards import Regions
from unimo_paddle.region_tools.imports.fields import (
    BACKGROUND,
    NONE,
    Array,
    FaultyItem,
    Floats,
    Names,
    distribution,
    finite,
    fitted,
    floats,
    from_best,
    number,
)
from unimo_paddle.region_tools.imports.line_index import KeyedLines, line_starts
from unimo_paddle.region_tools.imports.lines import Item, Line, read_lines

Json = Any


@dataclass(frozen=True)
class Tables:
    """The files of one folder and prefix. main: whose lines are the images.  boxes: where the objects are, if apart."""

    main: Path
    boxes: Path | None
    sizes: Path | None

    @property
    def all(self) -> list[Path]:
        """Every file, the main one first."""
        return [path for path in (self.main, self.boxes, self.sizes) if path]


def files(source: Path) -> list[Path]:
    """Return the main TSV files of a folder, or the one that is named."""
    if source.is_file():
        return [source]
    found = [path for ending in ("feature.tsv", "features.tsv") for path in sorted(source.rglob(f"*{ending}"))]
    found = found or sorted(source.rglob("*predictions.tsv"))
    if not found:
        raise UserError(f"{source} has no *feature.tsv, *features.tsv or *predictions.tsv")
    return found


def tables(main: Path) -> Tables:
    """Find the files that belong to a main one; UserError when its boxes are missing."""
    for ending, other in (("features.tsv", "predictions.tsv"), ("feature.tsv", "label.tsv")):
        if main.name.endswith(ending):
            prefix = main.name.removesuffix(ending)
            boxes = main.with_name(prefix + other)
            if not boxes.is_file():
                raise UserError(f"{main} has the features alone; its boxes belong in {boxes}, which is missing")
            return Tables(main, boxes, _sizes(main, prefix))
    return Tables(main, None, _sizes(main, main.name.removesuffix("predictions.tsv")))


def collect_names(paths: Sequence[Path], given: Names) -> Names:
    """Return the names of all classes and attributes in the files, sorted, in place of those that were not given."""
    if given.classes and given.attributes:
        return given
    classes, attributes = set[str](), set[str]()
    for main in paths:
        for line in read_lines(tables(main).boxes or main):
            try:
                objects = _objects(_json(line.data.partition(b"\t")[2]))
                classes.update(str(one["class"]) for one in objects)
                attributes.update(name for one in objects for name in _attribute_names(one))
            except (FaultyItem, KeyError):
                continue  # told when the line is taken
    return Names(
        given.classes or (BACKGROUND, *sorted(classes - {BACKGROUND})),
        given.attributes or ((NONE, *sorted(attributes - {NONE})) if attributes else ()),
    )


def items(paths: Sequence[Path], names: Names, order: str) -> Iterator[Item]:
    """Yield the images of the files, line by line; `order` is not needed, the sizes are named."""
    for main in paths:
        found = tables(main)
        boxes = KeyedLines(found.boxes) if found.boxes else None
        sizes = KeyedLines(found.sizes) if found.sizes else None
        starts = line_starts(main)
        count = 0
        for line in read_lines(main):
            if starts is not None and not line.fault and line.start != starts.get(count):
                raise UserError(f"{line.where} begins at byte {line.start:,}, but {main.with_suffix('.lineidx')} has "
                                f"{starts.get(count)}: the two do not belong together; copy both again")  # fmt: skip
            count += 1
            yield _item(line, boxes, sizes, names)
        if starts is not None and count < len(starts):
            yield Item(str(main), fault=f"it has {count:,} lines, its .lineidx {len(starts):,}: it was cut short")


def _item(line: Line, boxes: KeyedLines | None, sizes: KeyedLines | None, names: Names) -> Item:
    key, _, rest = line.data.partition(b"\t")
    image_id = key.decode("utf-8", "surrogateescape").strip()
    if line.fault or not rest:
        return Item(line.where, fault=line.fault or "it has one column; a key and the rest are wanted", size=line.size)
    beside = boxes.find(key) if boxes else b""
    if beside is None:
        fault = f"{boxes and boxes.path} has no line of the key {image_id!r}"
        return Item(line.where, image_id, fault=fault, size=line.size)
    build = partial(_build, rest, beside, sizes.find(key) if sizes else None, names)
    return Item(line.where, image_id, (rest, beside), build, size=line.size)


def _build(rest: bytes, beside: bytes, size: bytes | None, names: Names) -> Regions:
    about = _json(beside or rest)
    objects = _objects(about)
    width, height = _size(about, size)
    rows = len(objects)
    told = about.get("num_boxes", rows) if isinstance(about, dict) else rows
    if told != rows:
        raise FaultyItem(f"num_boxes is {str(told)[:40]}, but {rows} objects are listed")
    rects = [_get(one, "rect", list) for one in objects]
    if not rows or any(len(rect) != 4 for rect in rects):
        raise FaultyItem(f"it has {rows} objects; each needs a rect of 4 numbers, and there must be one")
    boxes = fitted(_numbers(rects, "rect"), width, height)
    features = _features(rest, rows) if beside else np.concatenate(
        [floats(_get(one, "feature", str), 1, "feature") for one in objects]
    )  # fmt: skip
    attributes = _attributes(objects, names.attributes) if names.attributes else None
    return Regions(features, boxes, _classes(objects, names.classes), width, height, attributes)


def _features(rest: bytes, rows: int) -> Floats:
    """Read `number TAB base64`, or JSON with both."""
    if rest.lstrip()[:1] == b"{":
        value = _json(rest)
        told, data = _get(value, "num_boxes", int), _get(value, "features", str).encode()
    else:
        count, _, data = rest.partition(b"\t")
        told = number(count, "the number of boxes")
    if told != rows:
        raise FaultyItem(f"it has the features of {str(told)[:40]} boxes, but {rows} objects are listed for it")
    return floats(data, rows, "features")


def _classes(objects: list[Json], names: tuple[str, ...]) -> Floats:
    if all("scores_all" in one for one in objects):
        rows = [floats(_get(one, "scores_all", str), 1, "scores_all", len(names)) for one in objects]
        return distribution(np.concatenate(rows), "scores_all")
    numbers = {name: i for i, name in enumerate(names)}
    unknown = sorted({str(_get(one, "class", str)) for one in objects} - numbers.keys())
    if unknown:
        raise FaultyItem(f"the class {unknown[0]!r} is not among the {len(names)} names that were given")
    ids = np.array([numbers[one["class"]] for one in objects], np.int64)
    return from_best(ids, _numbers([_get(one, "conf", (int, float)) for one in objects], "conf"), len(names), "class")


def _attributes(objects: list[Json], names: tuple[str, ...]) -> Floats:
    """Spread what the listed attributes leave of 1 over the others; a score of 0 was below the threshold."""
    numbers = {name: i for i, name in enumerate(names)}
    probs = np.zeros((len(objects), len(names)), np.float32)
    for row, one in enumerate(objects):
        listed, scores = _attribute_names(one), one.get("attr_scores", [])
        if not isinstance(scores, list) or len(scores) != len(listed):
            shown = f"{len(scores)} numbers" if isinstance(scores, list) else repr(str(scores)[:40])
            raise FaultyItem(f"the attributes of object {row} are {len(listed)}, but its attr_scores {shown}")
        ranked = zip(listed, _numbers(scores, "attr_scores").tolist(), strict=True)
        known = {numbers[name]: score for name, score in ranked if name in numbers and score > 0}
        rest = (1 - sum(known.values())) / (len(names) - len(known)) if len(names) > len(known) else 0.0
        probs[row] = max(rest, 0.0)
        probs[row, list(known)] = list(known.values())
    return distribution(probs, "attributes")


def _attribute_names(one: Json) -> list[str]:
    names = one.get("attributes", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise FaultyItem(f"an object's attributes are {str(names)[:40]!r}, a list of names is wanted")
    return names


def _size(about: Json, beside: bytes | None) -> tuple[int, int]:
    if isinstance(about, dict) and "image_w" in about:
        return number(str(about["image_w"]), "image_w"), number(str(about.get("image_h")), "image_h")
    value = _json(beside) if beside else None
    entry = value[0] if isinstance(value, list) and value else value
    if not isinstance(entry, dict):
        raise FaultyItem("its size is neither in the line (image_w, image_h) nor in a .hw.tsv beside it")
    return number(str(entry.get("width")), "width"), number(str(entry.get("height")), "height")


def _objects(value: Json) -> list[Json]:
    objects = value.get("objects") if isinstance(value, dict) else value
    if not isinstance(objects, list) or not all(isinstance(one, dict) for one in objects):
        raise FaultyItem("it has no list of objects")
    return objects


def _json(data: bytes) -> Json:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FaultyItem(f"what follows the key is not JSON: {error}") from None


def _get(value: Json, name: str, kind: Any) -> Any:
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, kind):
        raise FaultyItem(f"an object's {name} is {str(found)[:40]!r}")
    return found


def _numbers(values: list[Json], name: str) -> Floats:
    try:
        found: Array = np.array(values, np.float32)
    except (TypeError, ValueError, OverflowError):
        raise FaultyItem(f"{name} holds something that is no number, or too large a one") from None
    return finite(found, name)


def _sizes(main: Path, prefix: str) -> Path | None:
    found = sorted(main.parent.glob(f"{prefix}*hw.tsv"))
    if len(found) > 1:
        raise UserError(f"{main}: which of {', '.join(p.name for p in found)} has its sizes? Leave one in the folder")
    return found[0] if found else None
