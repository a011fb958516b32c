"""Folders of .npz files, one an image: bottom-up-attention.pytorch, and the files of MCAN and OpenVQA.

Read are: x or features [N, D] ([D, N] in MCAN's), bbox or boxes [N, 4], image_w and image_h or width and height, and,
where they are there, num_bbox, cls_prob [N, C], attr_prob [N, A], objects_id with objects_conf, attrs_id with
attrs_conf (ids without background and no-attribute). `info` is not read: it is a pickled dictionary, and a pickle runs
whatever code its author wanted.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from unimo_paddle.region_shards import Regions
from unimo_paddle.region_tools.imports.bottom_up_tsv import ATTRIBUTES, CLASSES
from unimo_paddle.region_tools.imports.fields import (
    Array,
    FaultyItem,
    Floats,
    Names,
    distribution,
    finite,
    fitted,
    from_best,
    number,
    only_object,
)
from unimo_paddle.region_tools.imports.lines import Item, files_of

ALIASES = {"features": "x", "boxes": "bbox", "num_boxes": "num_bbox", "width": "image_w", "height": "image_h"}
NEEDED = ("x", "bbox", "image_w", "image_h")


def files(source: Path) -> list[Path]:
    """Return the .npz files of a folder and of the folders in it."""
    return files_of(source, (".npz",))


def items(paths: Sequence[Path], names: Names, order: str) -> Iterator[Item]:
    """Yield an image a file; its id is the file's name. `order` is not needed, the numbers are named."""
    for path in paths:
        content = path.read_bytes()
        yield Item(str(path), path.stem, (content,), partial(_build, content, names), size=len(content))


def _build(content: bytes, names: Names) -> Regions:
    found = _load(content)
    lacking = [name for name in NEEDED if name not in found]
    if lacking:
        raise FaultyItem(_lacking(lacking, found))
    boxes = _matrix(found, "bbox")
    rows = len(boxes)
    told = _scalar(found, "num_bbox") if "num_bbox" in found else rows
    if boxes.shape[1] != 4 or rows == 0 or told != rows:
        raise FaultyItem(f"bbox has the shape {boxes.shape}, num_bbox is {told}; [N, 4] is wanted")
    width, height = _scalar(found, "image_w"), _scalar(found, "image_h")
    features = _matrix(found, "x")
    features = features if len(features) == rows else features.T
    if len(features) != rows:
        raise FaultyItem(f"x has the shape {found['x'].shape}, which does not belong to {rows} boxes")
    attributes = _probs(found, "attr_prob", "attrs", rows, len(names.attributes) or ATTRIBUTES)
    classes = _probs(found, "cls_prob", "objects", rows, len(names.classes) or CLASSES)
    return Regions(
        features, fitted(boxes, width, height), only_object(rows) if classes is None else classes,
        width, height, attributes,
    )  # fmt: skip


def _load(content: bytes) -> dict[str, Array]:
    """Return the arrays that need no pickle, under our names; the others as empty object arrays."""
    if content[:2] != b"PK":
        raise FaultyItem("it is no .npz file, which is a zip of arrays")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as packed:
            return {ALIASES.get(name, name): _member(packed, name) for name in packed.files}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise FaultyItem(f"it is no whole .npz file ({error})") from None


def _member(packed: Any, name: str) -> Array:
    try:
        return np.asarray(packed[name])
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise FaultyItem(f"{name} is no whole array ({error})") from None
        return np.empty(0, object)


def _lacking(lacking: list[str], found: dict[str, Array]) -> str:
    pickled = [name for name, value in found.items() if value.dtype == object]
    message = f"it has no {', '.join(lacking)}, but {', '.join(found) or 'nothing'}"
    if pickled:
        message += (f"; {', '.join(pickled)} is a pickled object, which is not read, because it could run any code: "
                    f"write what is in it as arrays of their own")  # fmt: skip
    return message


def _probs(found: dict[str, Array], whole: str, best: str, rows: int, count: int) -> Floats | None:
    if whole in found:
        probs = distribution(_matrix(found, whole), whole)
        if len(probs) != rows:
            raise FaultyItem(f"{whole} has {len(probs)} rows for {rows} boxes")
        return probs
    if f"{best}_id" not in found or f"{best}_conf" not in found:
        return None
    ids, sure = found[f"{best}_id"], found[f"{best}_conf"]
    if ids.shape != (rows,) or sure.shape != (rows,) or ids.dtype.kind not in "iu":
        raise FaultyItem(f"{best}_id and {best}_conf have the shapes {ids.shape} and {sure.shape} for {rows} boxes")
    return from_best(ids.astype(np.int64) + 1, finite(sure, f"{best}_conf"), count, f"{best}_id")


def _scalar(found: dict[str, Array], name: str) -> int:
    value = found[name]
    return number(str(value.reshape(-1)[0]) if value.size == 1 else f"an array of the shape {value.shape}", name)


def _matrix(found: dict[str, Array], name: str) -> Floats:
    value = found[name]
    if value.ndim != 2 or value.dtype.kind not in "fiu":
        raise FaultyItem(f"{name} is {value.dtype} of the shape {value.shape}; numbers [N, width] are wanted")
    return finite(value, name)
