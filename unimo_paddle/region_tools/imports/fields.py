"""The parts that all formats have: base64 arrays, numbers, boxes, distributions, lists of names."""

from __future__ import annotations

import base64
import binascii
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.errors import UserError
from unimo_paddle.files import read_json, read_text

BACKGROUND, NONE = "__background__", "__none__"
OVERHANG = 1.0  # pixels: extractors round the scaled picture's size, so that boxes stick out by less than one
SUM_TOLERANCE = 0.01  # float16 probabilities of 1,601 classes sum to 1 within a thousandth
Array = NDArray[Any]
Floats = NDArray[np.float32]


class FaultyItem(ValueError):
    """A line or file that cannot be taken: the message says why; whoever reads it adds file and line."""


@dataclass(frozen=True)
class Names:
    """Names that the user gave, [0] the background or no attribute; empty where none were given."""

    classes: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()


def number(text: str | bytes, name: str, least: int = 1) -> int:
    """Read a whole number of at least `least`; some writers put 640.0 for 640."""
    shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    try:
        value = float(shown)
    except ValueError:
        raise FaultyItem(f"{name} is {_short(shown)}, a number is wanted") from None
    if not math.isfinite(value) or value != int(value) or not least <= value < 2**31:
        raise FaultyItem(f"{name} is {_short(shown)}, a whole number of at least {least} is wanted")
    return int(value)


def array(text: str | bytes, kind: str, rows: int, name: str, width: int | None = None) -> Array:
    """Decode base64 to little-endian numbers [rows, width]; without a width, the bytes tell it.

    A Python 2 writer run under Python 3 leaves b'...' around the digits; that is taken off.
    """
    data = text.encode("ascii", "replace") if isinstance(text, str) else text
    if data[:2] == b"b'" and data[-1:] == b"'":
        data = data[2:-1]
    try:
        raw = base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise FaultyItem(f"{name} is not base64: {error}") from None
    size = np.dtype(kind).itemsize
    wanted = rows * (width or 1) * size
    if len(raw) != wanted if width else (not raw or len(raw) % wanted):
        shape = f"{rows} x {width}" if width else f"{rows} rows"
        raise FaultyItem(f"{name} has {len(raw):,} bytes, which are not {shape} of {np.dtype(kind).name}")
    return np.frombuffer(raw, kind).reshape(rows, -1)


def floats(text: str | bytes, rows: int, name: str, width: int | None = None) -> Floats:
    """Decode base64 float32 [rows, width], all finite."""
    return finite(array(text, "<f4", rows, name, width), name)


def finite(values: Array, name: str) -> Floats:
    """Return the values as float32; FaultyItem when one is no finite number."""
    bad = ~np.isfinite(values)
    if bad.any():
        raise FaultyItem(f"{name} hold {values[bad][0]} in row {int(np.argwhere(bad)[0, 0])}, which is no number")
    return values.astype(np.float32)


def fitted(boxes: Floats, width: int, height: int) -> Floats:
    """Return boxes [N, 4] cut at the borders of a picture; FaultyItem when one is farther outside than rounding."""
    x1, y1, x2, y2 = boxes.T
    outside = (x1 < -OVERHANG) | (y1 < -OVERHANG) | (x2 > width + OVERHANG) | (y2 > height + OVERHANG)
    wrong = np.flatnonzero(outside | (x2 < x1) | (y2 < y1))
    if len(wrong):
        raise FaultyItem(f"box {boxes[wrong[0]].tolist()} of region {wrong[0]} is not inside {width} x {height} pixels")
    edge = np.array([width, height, width, height], np.float32)
    return np.clip(boxes, 0, edge)


def distribution(probs: Floats, name: str) -> Floats:
    """Return probabilities [N, C] as they are; FaultyItem when a row is not a distribution."""
    if probs.min() < 0:
        row, column = np.argwhere(probs < 0)[0]
        raise FaultyItem(f"{name} hold {probs[row, column]} in row {row}: a probability is never negative")
    away = np.abs(probs.sum(1) - 1)
    if away.max() > SUM_TOLERANCE:
        row = int(away.argmax())
        raise FaultyItem(f"{name} of region {row} sum to {probs[row].sum():.4f}, not 1: they are no distribution")
    return probs


def from_best(ids: Array, confidence: Floats, count: int, name: str) -> Floats:
    """Make distributions [N, count] of the best id and its probability: what is left of 1 goes evenly to the others.

    ids: [N], counted with the background (or no attribute) as 0.
    """
    wrong = np.flatnonzero((ids < 0) | (ids >= count))
    if len(wrong):
        raise FaultyItem(f"{name} {ids[wrong[0]]} of region {wrong[0]} is not one of 0 to {count - 1}")
    beyond = np.flatnonzero((confidence < 0) | (confidence > 1 + 1e-3))
    if len(beyond):
        raise FaultyItem(f"{name} of region {beyond[0]} has the confidence {confidence[beyond[0]]}, not 0 to 1")
    sure = confidence.clip(0, 1).astype(np.float32)
    probs = np.repeat(((1 - sure) / (count - 1))[:, None], count, axis=1).astype(np.float32)
    probs[np.arange(len(ids)), ids] = sure
    return probs


def only_object(rows: int) -> Floats:
    """Return the distributions [rows, 2] of features without any class: each region is surely an `object`."""
    return np.tile(np.array([0, 1], np.float32), (rows, 1))


def read_names(path: Path, first: str, key: str) -> tuple[str, ...]:
    """Read a list of names: one a line (`tree,trees` gives tree), or JSON with name -> number under `key`.

    first: the name at 0, put in front when the list lacks it. UserError when names are doubled or there are none.
    """
    names = _from_json(path, key) if path.suffix == ".json" else [
        line.split(",")[0].strip() for line in read_text(path).splitlines() if line.strip()
    ]  # fmt: skip
    names = names if names[:1] == [first] else [first, *names]
    if len(names) < 2 or len(set(names)) < len(names):
        doubled = sorted({name for name in names if names.count(name) > 1})
        raise UserError(f"{path}: {'doubled names: ' + ', '.join(doubled[:5]) if doubled else 'there are no names'}")
    return tuple(names)


def numbered(given: tuple[str, ...], count: int, first: str, what: str) -> tuple[str, ...]:
    """Return the given names, or numbers where none were given; FaultyItem when there are not `count` of them."""
    if not given:
        return (first, *map(str, range(1, count)))
    if len(given) != count:
        raise FaultyItem(f"there are {count} {what} with {first}, but {len(given)} names were given")
    return given


def _from_json(path: Path, key: str) -> list[str]:
    value = read_json(path)
    numbers = value.get(key) if isinstance(value, dict) else None
    if not isinstance(numbers, dict):
        raise UserError(f"{path}: no {key!r} with names and numbers")
    names = [str(name) for name, _ in sorted(numbers.items(), key=lambda item: int(item[1]))]
    if sorted(map(int, numbers.values())) not in ([*range(len(names))], [*range(1, len(names) + 1)]):
        raise UserError(f"{path}: the numbers of {key!r} have gaps")
    return names


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")
