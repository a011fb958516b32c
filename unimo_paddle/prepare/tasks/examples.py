"""TensorFlow examples in a file, each behind its length, as the "finished files" of CNN/DailyMail hold them.

A file is int64 length, protobuf message, and so on; Example { features = 1: Features { feature = 1: map of
{ key = 1, value = 2: Feature { bytes_list = 1: BytesList { value = 1 } } } } }. Only such features are read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from unimo_paddle.errors import UserError

_LONGEST = 64 << 20
_BYTES, _FIXED = 2, {1: 8, 5: 4}   # wire types


def read_examples(path: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Yield (place, feature -> its first value) of each example; UserError where the file is damaged or cut."""
    with path.open("rb") as file:
        number = 0
        while head := file.read(8):
            place = f"{path}: example {number}"
            (size,) = struct.unpack("<q", head) if len(head) == 8 else (-1,)
            data = file.read(size) if 0 <= size <= _LONGEST else b""
            if size < 0 or len(data) < size:
                raise UserError(f"{place}: the file is cut here or no file of examples; fetch it again")
            try:
                yield place, _features(data)
            except (IndexError, ValueError) as error:
                raise UserError(f"{place}: this is no TensorFlow example ({error}); fetch the file again") from None
            number += 1


def _features(data: bytes) -> dict[str, bytes]:
    found = {}
    for features in _members(data, 1):
        for entry in _members(features, 1):
            values = [value for one in _members(entry, 2) for listed in _members(one, 1)
                      for value in _members(listed, 1)]  # fmt: skip
            for name in _members(entry, 1) if values else []:
                found[name.decode()] = values[0]
    return found


def _members(data: bytes, wanted: int) -> Iterator[bytes]:
    """Yield each value, of bytes, that a message has under a number."""
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        kind = tag & 7
        if kind == 0:
            _, place = _varint(data, place)
            continue
        size, place = _varint(data, place) if kind == _BYTES else (_FIXED.get(kind, -1), place)
        if size < 0 or place + size > len(data):
            raise ValueError(f"wire type {kind} at byte {place}")
        if kind == _BYTES and tag >> 3 == wanted:
            yield data[place : place + size]
        place += size


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while data[place] & 0x80:
        value |= (data[place] & 0x7F) << shift
        place, shift = place + 1, shift + 7
    return value | data[place] << shift, place + 1
