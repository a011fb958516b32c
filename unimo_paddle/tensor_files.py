"""Arrays on disk, as safetensors: nothing in such a file can run."""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from unimo_paddle.errors import UserError
from unimo_paddle.safe_pickle import Array, widen_bfloat16

_BFLOAT16 = "BF16"
_DTYPES = {
    "BOOL": "|b1", "U8": "|u1", "I8": "|i1", "I16": "<i2", "I32": "<i4", "I64": "<i8",
    "F16": "<f2", "F32": "<f4", "F64": "<f8", _BFLOAT16: "<u2",
}  # fmt: skip


def read_safetensors(path: Path) -> dict[str, Array]:
    """Read name -> array, memory-mapped and read-only; bfloat16 becomes float32, other types stay.

    Raises UserError naming the file when the library finds the header or a length wrong.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist")
    try:
        with safe_open(path, framework="np"):
            pass  # the library checks header, offsets and file length; it cannot hand out bfloat16
    except SafetensorError as fault:
        raise UserError(f"{path}: is cut short or no safetensors file ({fault}); fetch it again") from fault
    data = np.memmap(path, np.uint8, "r")
    start = 8 + int.from_bytes(data[:8].tobytes(), "little")
    header = json.loads(data[8:start].tobytes())
    header.pop("__metadata__", None)
    strange = {name: entry["dtype"] for name, entry in header.items() if entry["dtype"] not in _DTYPES}
    if strange:
        raise UserError(f"{path}: holds number types that are not read here: {strange}")
    try:
        return {name: _array(data[start:], entry) for name, entry in header.items()}
    except ValueError as fault:  # shapes that the library lets pass and no array can have
        raise UserError(f"{path}: holds a shape that no array has: {fault}; fetch it again") from fault


def _array(data: Array, entry: Mapping[str, Any]) -> Array:
    begin, end = entry["data_offsets"]
    array = np.frombuffer(data[begin:end], _DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return widen_bfloat16(array) if entry["dtype"] == _BFLOAT16 else array


def write_safetensors(path: Path, weights: Mapping[str, Array]) -> None:
    """Write arrays to a new file, in C order, marked so that transformers takes it too.

    Raises OSError as the system gives it: the library wraps a full disk in an error of its own, and makes files
    that only their owner may read.
    """
    path.touch()
    mode = path.stat().st_mode
    try:
        save_file({name: np.ascontiguousarray(array) for name, array in weights.items()}, path, {"format": "pt"})
    except SafetensorError as fault:
        code = re.search(r"os error (\d+)", str(fault))
        raise OSError(int(code[1]) if code else errno.EIO, str(fault), str(path)) from fault
    path.chmod(mode)
