"""TSV files of bottom-up-attention's tools/generate_tsv.py and of its relatives.

No header and no quotes; the number of columns tells which:
   6  image_id image_w image_h num_boxes boxes features                          (peteanderson80/bottom-up-attention)
   7  the same and cls_prob, of all classes with the background                  (ViLBERT, Conceptual Captions)
  10  img_id img_h img_w objects_id objects_conf attrs_id attrs_conf num_boxes boxes features   (LXMERT; ids int64,
      counted WITHOUT background and no-attribute)
Any other order of these columns, when a first line names them. Arrays are base64 of little-endian float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from unimo_paddle.region_shards import Regions
from unimo_paddle.region_tools.imports.fields import (
    Array,
    Floats,
    Names,
    array,
    distribution,
    fitted,
    floats,
    from_best,
    number,
    only_object,
)
from unimo_paddle.region_tools.imports.lines import Item, Line, files_of, read_lines

PLAIN = ("image_id", "image_w", "image_h", "num_boxes", "boxes", "features")
BEST = ("img_id", "img_h", "img_w", "objects_id", "objects_conf", "attrs_id", "attrs_conf", *PLAIN[3:])
COLUMNS = {6: PLAIN, 7: (*PLAIN, "cls_prob"), 10: BEST}
ALIASES = {"img_id": "image_id", "item_id": "image_id", "img_w": "image_w", "img_h": "image_h"}
CLASSES, ATTRIBUTES = 1601, 401  # of Visual Genome as bottom-up-attention counts it, where no list of names was given
Fields = dict[str, bytes]


def files(source: Path) -> list[Path]:
    """Return the TSV files: one, or those of a folder."""
    return files_of(source, (".tsv", ".csv", ".tsv.gz"))


def items(paths: Sequence[Path], names: Names, order: str) -> Iterator[Item]:
    """Yield the images of the files, line by line; `order` is not needed, the columns are named."""
    for path in paths:
        columns: tuple[str, ...] = ()
        for line in read_lines(path):
            parts = line.data.split(b"\t")
            if not columns and parts[0] in (b"image_id", b"img_id", b"item_id"):
                columns = tuple(part.decode("ascii", "replace") for part in parts)
                continue
            columns = columns or COLUMNS.get(len(parts), ())
            if line.fault or len(parts) != len(columns):
                yield Item(line.where, fault=line.fault or _wrong_columns(len(parts), columns), size=line.size)
            else:
                yield _item(line, {ALIASES.get(c, c): part for c, part in zip(columns, parts, strict=True)}, names)


def _item(line: Line, fields: Fields, names: Names) -> Item:
    missing = [name for name in PLAIN if name not in fields]
    if missing:
        return Item(line.where, fault=f"the first line names no column {', '.join(missing)}", size=line.size)
    image_id = fields["image_id"].decode("utf-8", "surrogateescape")
    return Item(line.where, image_id, tuple(fields.values())[1:], partial(_build, fields, names), size=line.size)


def _build(fields: Fields, names: Names) -> Regions:
    width, height = number(fields["image_w"], "image_w"), number(fields["image_h"], "image_h")
    rows = number(fields["num_boxes"], "num_boxes")
    boxes = fitted(floats(fields["boxes"], rows, "boxes", 4), width, height)
    return Regions(
        floats(fields["features"], rows, "features"), boxes, _classes(fields, rows, names), width, height,
        _best(fields, rows, "attrs", len(names.attributes) or ATTRIBUTES) if "attrs_id" in fields else None,
    )  # fmt: skip


def _classes(fields: Fields, rows: int, names: Names) -> Floats:
    if "cls_prob" in fields:
        return distribution(floats(fields["cls_prob"], rows, "cls_prob"), "cls_prob")
    if "objects_id" in fields:
        return _best(fields, rows, "objects", len(names.classes) or CLASSES)
    return only_object(rows)


def _best(fields: Fields, rows: int, what: str, count: int) -> Floats:
    ids: Array = array(fields[f"{what}_id"], "<i8", rows, f"{what}_id", 1)[:, 0] + 1
    return from_best(ids, floats(fields[f"{what}_conf"], rows, f"{what}_conf", 1)[:, 0], count, f"{what}_id")


def _wrong_columns(found: int, columns: tuple[str, ...]) -> str:
    if columns:
        return f"it has {found} columns, not the file's {len(columns)} ({', '.join(columns)})"
    return f"it has {found} columns; the known files have {', '.join(map(str, COLUMNS))}: name yours in a first line"
