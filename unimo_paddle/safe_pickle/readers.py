"""The layouts that hold arrays, read through the table of stubs.

Three: a plain pickle of a mapping from names to numpy arrays (`.pdparams`), and the two that
`torch.save` has written: a zip archive (since 1.6) and the older row of five pickles followed by raw
storages.  torch itself is not needed.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from unimo_paddle.errors import UserError
from unimo_paddle.safe_pickle.table import Array, ArrayStub, Stub, are_sizes, load_stubs

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_STORAGE_TYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": "<u2",  # numpy has no bfloat16: the bits are widened by `widen_bfloat16`
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}
# What a stream that contradicts itself makes numpy, zipfile and pickle raise; all of it is the file's fault.
_BROKEN = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    zlib.error,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    EOFError,
    OverflowError,
    MemoryError,
    RecursionError,
    NotImplementedError,
)


def widen_bfloat16(bits: Array) -> Array:
    """Turn bfloat16 bit patterns, uint16 of any shape, into float32 of the same shape; exact."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def read_numpy_pickle(path: Path) -> dict[str, Array]:
    """Read the arrays of a pickled mapping such as a `.pdparams` file; values that are no arrays are left out.

    Raises UserError naming the file when it is no such pickle, is cut short, asks to run a function,
    or an array's bytes do not fill its shape.
    """
    try:
        with path.open("rb") as stream:
            return _collect(load_stubs(stream))
    except _BROKEN as fault:
        raise _refusal(path, fault) from fault


def read_torch_file(path: Path) -> dict[str, Array]:
    """Read a state dict that `torch.save` wrote, in the zip or the legacy layout.

    Returns name -> array in the saved shape, read-only; bfloat16 becomes float32, other types stay.  A
    mapping that keeps its tensors under "state_dict" or "model" is opened.
    Raises UserError naming the file when it is cut short, has bytes to spare, asks to run a function,
    or a tensor reaches outside its storage.
    """
    try:
        with path.open("rb") as stream:
            is_zip = zipfile.is_zipfile(stream)
            stream.seek(0)
            return _read_zip(stream) if is_zip else _read_legacy(stream)
    except _BROKEN as fault:
        raise _refusal(path, fault) from fault


def _refusal(path: Path, fault: BaseException) -> UserError:
    reason = str(fault) or type(fault).__name__
    return UserError(f"{path}: cannot be read safely as weights: {reason}; fetch it again")


class _Storage:
    """A run of numbers that several tensors may share; `data` comes from elsewhere in the file."""

    def __init__(self, key: str, type_name: str, numel: int) -> None:
        self.key, self.numel = key, numel
        self.is_bfloat16 = type_name == "BFloat16Storage"
        self.dtype = np.dtype(_STORAGE_TYPES[type_name])
        self.nbytes = numel * self.dtype.itemsize
        self.data = b""


class _Tensor(Stub):
    """torch's `_rebuild_tensor_v2(storage, offset, size, stride, ...)`."""

    def build(self) -> Array:
        storage, offset, size, stride = self.arguments[:4]
        _check_view(storage, offset, size, stride)
        flat = np.frombuffer(storage.data, storage.dtype)[offset:]
        steps = [step * storage.dtype.itemsize for step in stride]
        array = np.lib.stride_tricks.as_strided(flat, size, steps, writeable=False)
        return widen_bfloat16(array) if storage.is_bfloat16 else array


class _Parameter(Stub):
    """torch's `_rebuild_parameter(tensor, requires_grad, hooks)`."""

    def build(self) -> Array:
        return self.arguments[0].build()


_TORCH_NAMES: dict[tuple[str, str], Any] = {
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
    ("torch._utils", "_rebuild_parameter"): _Parameter,
    **{("torch", name): name for name in _STORAGE_TYPES},
}


def _check_view(storage: Any, offset: Any, size: Any, stride: Any) -> None:
    if not isinstance(storage, _Storage) or not (are_sizes([offset]) and are_sizes(size) and are_sizes(stride)):
        raise ValueError("a tensor has no storage, or its size, stride and offset are no whole numbers >= 0")
    count = math.prod(size)
    last = offset + sum((dim - 1) * step for dim, step in zip(size, stride, strict=False))
    # A stride of 0 could blow 4 bytes up to any size, hence the count as well as the last place.
    if len(size) != len(stride) or count > storage.numel or (count and last >= storage.numel):
        raise ValueError(
            f"a tensor of size {size}, stride {stride}, offset {offset} reaches outside its storage "
            f"{storage.key} of {storage.numel} numbers"
        )
    if len(storage.data) != storage.nbytes:
        raise ValueError(f"storage {storage.key} of {storage.numel} numbers has no bytes in the file")


class _StorageTable:
    """The storages that a torch pickle speaks of, by key."""

    def __init__(self) -> None:
        self.by_key: dict[str, _Storage] = {}

    def __call__(self, pid: Any) -> _Storage:
        kind, type_name, key, _location, numel = pid[:5]
        if kind != "storage" or not isinstance(key, str) or not are_sizes([numel]):
            raise pickle.UnpicklingError("a storage has no key or no length")
        if any(rest is not None for rest in pid[5:]):
            raise pickle.UnpicklingError(f"storage {key} is a view of another one, which is not read here")
        known = self.by_key.setdefault(key, _Storage(key, type_name, numel))
        if known.numel != numel:
            raise pickle.UnpicklingError(f"storage {key} has {known.numel} numbers and also {numel}")
        return known


def _read_zip(stream: BinaryIO) -> dict[str, Array]:
    with zipfile.ZipFile(stream) as archive:
        names = archive.namelist()
        pickles = [name for name in names if name.rpartition("/")[2] == "data.pkl"]
        if len(pickles) != 1:
            raise ValueError(f"{len(pickles)} entries called data.pkl, expected 1")
        root = pickles[0][: -len("data.pkl")]
        if f"{root}byteorder" in names and _member(archive, f"{root}byteorder") != b"little":
            raise ValueError("its numbers are big-endian, which is not read here")
        storages = _StorageTable()
        found = load_stubs(io.BytesIO(_member(archive, pickles[0])), _TORCH_NAMES, storages)
        for storage in storages.by_key.values():
            storage.data = _member(archive, f"{root}data/{storage.key}", storage.nbytes)
        return _collect(found)


def _member(archive: zipfile.ZipFile, name: str, nbytes: int | None = None) -> bytes:
    info = archive.getinfo(name)
    # torch never compresses; a compressed entry could unpack to any size.
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
        raise ValueError(f"entry {name} is compressed or encrypted")
    if info.header_offset < 0:
        raise ValueError(f"entry {name} begins before the file")
    if nbytes is not None and info.file_size != nbytes:
        raise ValueError(f"entry {name} has {info.file_size} bytes, its tensors need {nbytes}")
    return archive.read(info)


def _read_legacy(stream: BinaryIO) -> dict[str, Array]:
    magic, protocol = load_stubs(stream), load_stubs(stream)
    if magic != _MAGIC or protocol != _PROTOCOL:
        raise ValueError("its first bytes are not those of torch.save")
    system = load_stubs(stream)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ValueError("its numbers are big-endian, which is not read here")
    storages = _StorageTable()
    found = load_stubs(stream, _TORCH_NAMES, storages)
    for key in load_stubs(stream):
        _fill(stream, storages.by_key[key])
    if stream.read(1):
        raise ValueError(f"bytes left over from byte {stream.tell() - 1} on")
    return _collect(found)


def _fill(stream: BinaryIO, storage: _Storage) -> None:
    start = stream.tell()
    count = int.from_bytes(stream.read(8), "little")
    if count != storage.numel:
        raise ValueError(f"storage {storage.key} at byte {start} has {count} numbers, expected {storage.numel}")
    storage.data = stream.read(storage.nbytes)
    if len(storage.data) != storage.nbytes:
        raise ValueError(
            f"storage {storage.key} at byte {start} is cut short: {len(storage.data)} bytes, "
            f"expected {storage.nbytes}"
        )


def _collect(found: Any) -> dict[str, Array]:
    if not isinstance(found, Mapping):
        raise ValueError(f"it holds a {type(found).__name__}, expected a mapping from names to arrays")
    arrays = {}
    for name, value in found.items():
        # Paddle writes a tensor outside a state dict as the pair (name, array).
        item = value[1] if isinstance(value, tuple) and len(value) == 2 else value
        if isinstance(name, str) and isinstance(item, (ArrayStub, _Tensor, _Parameter)):
            arrays[name] = item.build()
    for inner in ("state_dict", "model"):
        if not arrays and isinstance(found.get(inner), Mapping):
            return _collect(found[inner])
    if not arrays:
        raise ValueError("it holds no arrays")
    return arrays
