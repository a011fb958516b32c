"""The archives that were released with UNIMO: Flickr30k, SNLI-VE and COCO captions (release, sections 5.3 to 5.5).

Three layouts, told apart by their fields; arrays are base64 of little-endian float32, N rows:
  Flickr30k  7 fields between TABs: name, W, H, N, boxes, features, class probabilities
  SNLI-VE   14 fields between ';': 0 image, 7 W, 8 H, 9 N, 10 boxes, 11 features
  COCO      16 fields between ';': 0 image, 8 H, 9 W, 10 N, 11 boxes, 12 class, 13 attribute probabilities, 14 features
The readers of the release disagree on which size comes first, so the boxes decide (see orientation.py). SNLI-VE and
COCO repeat an image on the line of each of its texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from unimo_paddle.region_shards import Regions
from unimo_paddle.region_tools.imports.fields import (
    FaultyItem,
    Names,
    distribution,
    fitted,
    floats,
    number,
    only_object,
)
from unimo_paddle.region_tools.imports.lines import Item, Line, files_of, read_lines
from unimo_paddle.region_tools.imports.orientation import Sized, order_of


@dataclass(frozen=True)
class Layout:
    """Where the fields of a line are. sizes: the two numbers of the size, in the order of the line."""

    name: str
    separator: bytes
    fields: int
    sizes: tuple[int, int]
    count: int
    boxes: int
    features: int
    class_probs: int | None = None
    attr_probs: int | None = None


LAYOUTS = (
    Layout("Flickr30k", b"\t", 7, (1, 2), 3, 4, 5, 6),
    Layout("SNLI-VE", b";", 14, (7, 8), 9, 10, 11),
    Layout("COCO captions", b";", 16, (8, 9), 10, 11, 14, 12, 13),
)


def files(source: Path) -> list[Path]:
    """Return the archives' files: one, those of a folder, or those of a filelist."""
    return files_of(source, ("",), listed=True)


def items(paths: Sequence[Path], names: Names, order: str) -> Iterator[Item]:
    """Yield the images of the files, line by line. order: "auto", "width-first" or "height-first"."""
    for path in paths:
        layout: Layout | None = None
        width_first: bool | None = None
        for line in read_lines(path):
            found = _layout(line)
            layout = layout or found
            if line.fault or layout is None or found is not layout:
                yield Item(line.where, fault=line.fault or _wrong_fields(line, layout), size=line.size)
                continue
            if width_first is None:
                width_first = order_of(_sizes(path, layout), order, path)
            yield _item(line, layout, width_first)


def _item(line: Line, layout: Layout, width_first: bool) -> Item:
    parts = line.data.split(layout.separator)
    used = (*layout.sizes, layout.count, layout.boxes, layout.features, layout.class_probs, layout.attr_probs)
    return Item(
        line.where,
        parts[0].decode("utf-8", "surrogateescape"),
        tuple(parts[i] for i in used if i is not None),
        partial(_build, parts, layout, width_first),
        size=line.size,
    )


def _build(parts: list[bytes], layout: Layout, width_first: bool) -> Regions:
    width, height = (number(parts[i], "the size") for i in layout.sizes[:: 1 if width_first else -1])
    rows = number(parts[layout.count], "the number of boxes")
    classes = only_object(rows)
    if layout.class_probs is not None:
        classes = distribution(floats(parts[layout.class_probs], rows, "class probabilities"), "class probabilities")
    attributes = None
    if layout.attr_probs is not None:
        attributes = distribution(
            floats(parts[layout.attr_probs], rows, "attribute probabilities"), "attribute probabilities"
        )
    boxes = fitted(floats(parts[layout.boxes], rows, "boxes", 4), width, height)
    return Regions(floats(parts[layout.features], rows, "features"), boxes, classes, width, height, attributes)


def _sizes(path: Path, layout: Layout) -> Iterator[Sized]:
    """Yield what tells the order of width and height; lines that cannot be read tell nothing."""
    for line in read_lines(path):
        if line.fault or _layout(line) is not layout:
            continue
        parts = line.data.split(layout.separator)
        try:
            first, second = (number(parts[i], "the size") for i in layout.sizes)
            boxes = floats(parts[layout.boxes], number(parts[layout.count], "boxes"), "boxes", 4)
        except FaultyItem:
            continue
        yield Sized(line.where, first, second, float(boxes[:, 2].max()), float(boxes[:, 3].max()))


def _layout(line: Line) -> Layout | None:
    return next((la for la in LAYOUTS if line.data.count(la.separator) == la.fields - 1), None)


def _wrong_fields(line: Line, layout: Layout | None) -> str:
    found = f"{line.data.count(b';') + 1} fields between ';' and {line.data.count(9) + 1} between TABs"
    if layout is None:
        known = ", ".join(f"{la.fields} ({la.name})" for la in LAYOUTS)
        return f"it has {found}; the released layouts have {known}"
    return f"it has {found}, not the {layout.fields} of the file's first line ({layout.name})"
