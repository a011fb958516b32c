"""Reads the parameter folders of Paddle 1.x, one file per variable, with numpy alone.

Layout of a file (spec/release.md section 12), little-endian:

    u32 version = 0 | u64 levels | levels x (u64 size, size bytes) | u32 tensor version = 0
    | i32 size of description | description (protobuf: 1 = type, 2 = dims) | numbers, row by row
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from unimo_paddle.errors import UserError
from unimo_paddle.safe_pickle import Array, widen_bfloat16

_BFLOAT16 = 22
_TYPES = {0: "|b1", 1: "<i2", 2: "<i4", 3: "<i8", 4: "<f2", 5: "<f4", 6: "<f8", 20: "|u1", 21: "|i1", _BFLOAT16: "<u2"}
_MOST_LEVELS = 8
_MOST_DIMS = 16
_DTYPE_FIELD, _DIM_FIELD, _PACKED_DIMS_FIELD = 0x08, 0x10, 0x12


class _Cursor:
    """A place in a file's bytes; every step is checked against its end."""

    def __init__(self, path: Path, data: bytes) -> None:
        self.path, self.data, self.at = path, memoryview(data), 0

    def take(self, size: int, what: str) -> memoryview:
        """Return the next `size` bytes; UserError when the file ends before."""
        left = len(self.data) - self.at
        if size > left:
            self.refuse(f"{what} needs {size} bytes, {left} are left: cut short, or the header is wrong")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, layout: str, what: str) -> int:
        """Return one whole number of struct's `layout`."""
        return int(struct.unpack(layout, self.take(struct.calcsize(layout), what))[0])

    def varint(self, end: int) -> int:
        """Return protobuf's number of 7-bit groups, as signed 64 bits; it must end before `end`."""
        value = 0
        for group in range(10):
            if self.at >= end:
                self.refuse("the tensor's description ends within a number")
            byte = self.number("<B", "a byte of the description")
            value |= (byte & 0x7F) << (7 * group)
            if byte < 0x80:
                value &= (1 << 64) - 1
                return value - (1 << 64) if value >> 63 else value
        self.refuse("a number of the description is longer than 64 bits")

    def refuse(self, fault: str) -> NoReturn:
        """Raise UserError that names the file and this offset."""
        raise UserError(f"{self.path}: byte {self.at}: {fault}; not a whole Paddle 1.x variable, fetch it again")


def variable_names(folder: Path) -> list[str]:
    """List the variables of a folder, sorted; UserError when it is no folder or holds no files."""
    if not folder.is_dir():
        raise UserError(f"{folder}: is no folder; give the one that holds one file per variable")
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    if not names:
        raise UserError(f"{folder}: holds no files; give the one that holds one file per variable")
    return names


def read_variable(path: Path) -> Array:
    """Read one variable in its saved shape, read-only; bfloat16 becomes float32, other types stay.

    Raises UserError naming file and offset when the header lies, or bytes are missing or left over.
    """
    cursor = _Cursor(path, path.read_bytes())
    _read_levels(cursor)
    kind, dims = _read_description(cursor)
    dtype = np.dtype(_TYPES[kind])
    data = cursor.take(math.prod(dims) * dtype.itemsize, f"a {dtype.name} tensor of {dims}")
    if cursor.at != len(cursor.data):
        cursor.refuse(f"{len(cursor.data) - cursor.at} bytes follow a {dtype.name} tensor of {dims}")
    try:
        array: Array = np.frombuffer(data, dtype).reshape(dims)
    except ValueError as error:  # one dimension is 0 and the others beyond all memory
        cursor.refuse(f"a {dtype.name} tensor of {dims}: {error}")
    return widen_bfloat16(array) if kind == _BFLOAT16 else array


def _read_levels(cursor: _Cursor) -> None:
    """Step over the level-of-detail table: weights have none, but the layout allows it."""
    if cursor.number("<I", "the version") != 0:
        cursor.refuse("the version is not 0")
    levels = cursor.number("<Q", "the number of levels")
    if levels > _MOST_LEVELS:
        cursor.refuse(f"{levels} levels, expected at most {_MOST_LEVELS}")
    for level in range(levels):
        size = cursor.number("<Q", f"the size of level {level}")
        if size % 8:
            cursor.refuse(f"level {level} has {size} bytes, which are no 64-bit offsets")
        cursor.take(size, f"level {level}")
    if cursor.number("<I", "the tensor's version") != 0:
        cursor.refuse("the tensor's version is not 0")


def _read_description(cursor: _Cursor) -> tuple[int, list[int]]:
    size = cursor.number("<i", "the size of the description")
    if size <= 0 or size > len(cursor.data) - cursor.at:
        cursor.refuse(f"a description of {size} bytes, {len(cursor.data) - cursor.at} are left")
    end = cursor.at + size
    kind: Any = None
    dims: list[int] = []
    while cursor.at < end and len(dims) <= _MOST_DIMS:
        field = cursor.varint(end)
        if field == _DTYPE_FIELD:
            kind = cursor.varint(end)
        elif field == _DIM_FIELD:
            dims.append(cursor.varint(end))
        elif field == _PACKED_DIMS_FIELD:
            dims += _packed(cursor, end)
        else:
            cursor.refuse(f"unknown field {field:#x} in the description")
    if kind not in _TYPES:
        cursor.refuse(f"number type {kind} is unknown")
    if len(dims) > _MOST_DIMS or min(dims, default=0) < 0:
        cursor.refuse(f"dims {dims[:_MOST_DIMS]} are negative or too many")
    return kind, dims


def _packed(cursor: _Cursor, end: int) -> list[int]:
    size = cursor.varint(end)
    stop = cursor.at + size
    if not 0 <= size <= end - cursor.at:
        cursor.refuse(f"dims of {size} bytes reach behind the description")
    dims: list[int] = []
    while cursor.at < stop and len(dims) <= _MOST_DIMS:
        dims.append(cursor.varint(stop))
    return dims
