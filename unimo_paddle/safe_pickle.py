"""Reads arrays out of pickles that other people made, without running anything they say.

Three layouts: a plain pickle of a mapping from names to numpy arrays (`.pdparams`), and the two that
`torch.save` has written: a zip archive (since 1.6) and the older row of five pickles followed by raw
storages.  A pickle names functions to call; here every name is looked up in one fixed table, of
which each entry only records its arguments.  Arrays are built afterwards, once every length has been
compared with the bytes that are really there.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.errors import UserError

Array = NDArray[Any]

_TORCH_MAGIC = 0x1950A86A20F9469CFC6C
_TORCH_PROTOCOL = 1001
# bfloat16 has no numpy type: its bits are read as uint16 and widened by `widen_bfloat16`.
_BFLOAT16 = "bfloat16"
_STORAGE_TYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": _BFLOAT16,
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}
_PLAIN_KINDS = "biufc"
# Extension codes and out-of-band buffers refer to things outside the file.
_REFUSED_OPCODES = {"EXT1", "EXT2", "EXT4", "INST", "NEXT_BUFFER", "READONLY_BUFFER", "PERSID"}
_MEMO_OPCODES = {"PUT", "LONG_BINPUT"}
# What numpy and pickle raise on a stream that contradicts itself; all of it is the file's fault.
_BROKEN = (pickle.UnpicklingError, ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError,
           OverflowError, MemoryError, UnicodeError, RecursionError)  # fmt: skip


def widen_bfloat16(bits: Array) -> Array:
    """Turn bfloat16 bit patterns, uint16 of any shape, into float32 of the same shape; exact."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def read_numpy_pickle(path: Path) -> dict[str, Array]:
    """Read the arrays of a pickled mapping such as a `.pdparams` file; values that are no arrays are left out.

    Raises UserError naming the file when it is no such pickle, is cut short, names a function outside
    the table, or an array's bytes do not fill its shape.
    """
    try:
        with path.open("rb") as stream:
            found = _load(stream, _no_storages)
            return _collect(found, str(path), lambda value: value.build())
    except _BROKEN as fault:
        raise _refusal(path, fault) from fault


def read_torch_file(path: Path) -> dict[str, Array]:
    """Read a state dict that `torch.save` wrote (zip or legacy layout), without torch.

    Returns name -> array in the saved shape; bfloat16 becomes float32, other types stay.  A mapping
    that holds its tensors under "state_dict" or "model" is opened.
    Raises UserError naming the file when it is cut short, has bytes to spare, names a function outside
    the table, or a tensor reaches outside its storage.
    """
    try:
        with path.open("rb") as stream:
            if zipfile.is_zipfile(stream):
                return _read_zip(stream, str(path))
            stream.seek(0)
            return _read_legacy(stream, str(path))
    except (*_BROKEN, zipfile.BadZipFile, zlib.error) as fault:
        raise _refusal(path, fault) from fault


def _refusal(path: Path, fault: BaseException) -> UserError:
    if isinstance(fault, UserError):
        return fault
    reason = str(fault) or type(fault).__name__
    return UserError(f"{path}: not a weight file that can be read safely: {reason}; fetch it again")


class _Stub:
    """Stands for an object of the file; keeps what the file says about it and does nothing."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Dtype(_Stub):
    def resolve(self) -> np.dtype[Any]:
        name = self.arguments[0]
        if not isinstance(name, str) or len(name) > 8:
            raise ValueError(f"unknown number type {name!r}")
        order = self.state[1] if self.state else "<"
        dtype = np.dtype(name).newbyteorder(order)
        if dtype.kind not in _PLAIN_KINDS or dtype.names:
            raise ValueError(f"an array of {name!r} holds no plain numbers")
        return dtype


class _Array(_Stub):
    """numpy's `_reconstruct(...)`: the shape, type and bytes arrive as the state."""

    def build(self) -> Array:
        _, shape, dtype, fortran, data = self.state
        return _from_bytes(data, dtype, shape, "F" if fortran else "C")


class _BufferArray(_Array):
    """numpy's `_frombuffer(data, dtype, shape, order)` of pickle protocol 5."""

    def build(self) -> Array:
        return _from_bytes(*self.arguments)


class _Scalar(_Array):
    """numpy's `scalar(dtype, data)`."""

    def build(self) -> Array:
        return _from_bytes(self.arguments[1], self.arguments[0], (), "C")


class _Storage:
    """A run of numbers that several tensors may share; `data` comes from elsewhere in the file."""

    def __init__(self, key: str, type_name: str, numel: int) -> None:
        self.key, self.numel = key, numel
        kind = _STORAGE_TYPES[type_name]
        self.is_bfloat16 = kind == _BFLOAT16
        self.dtype = np.dtype("<u2" if self.is_bfloat16 else kind)
        self.data = b""

    @property
    def nbytes(self) -> int:
        return self.numel * self.dtype.itemsize


class _Tensor(_Stub):
    """torch's `_rebuild_tensor_v2(storage, offset, size, stride, ...)`."""

    def build(self) -> Array:
        storage, offset, size, stride = self.arguments[:4]
        _check_view(storage, offset, size, stride)
        flat = np.frombuffer(storage.data, storage.dtype)[offset:]
        steps = [step * storage.dtype.itemsize for step in stride]
        array = np.lib.stride_tricks.as_strided(flat, size, steps).copy()
        return widen_bfloat16(array) if storage.is_bfloat16 else array


def _check_view(storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> None:
    if not isinstance(storage, _Storage) or len(size) != len(stride):
        raise ValueError(f"a tensor of size {size} has no storage or strides {stride} that do not fit it")
    # Plain integers, so that no product wraps around; a stride of 0 could blow 4 bytes up to any size.
    count, last = 1, offset
    for dim, step in zip(size, stride):
        count *= dim
        last += (dim - 1) * step
    if min((offset, *size, *stride)) < 0 or count > storage.numel or (count and last >= storage.numel):
        raise ValueError(
            f"a tensor of size {size}, stride {stride}, offset {offset} reaches outside its storage "
            f"{storage.key} of {storage.numel} numbers"
        )


def _from_bytes(data: Any, dtype: Any, shape: Any, order: Any) -> Array:
    resolved = dtype.resolve()
    count = 1
    for dim in shape:
        count *= dim
    if min(shape, default=0) < 0 or not isinstance(data, (bytes, bytearray)):
        raise ValueError(f"an array of shape {shape} has no bytes")
    if count * resolved.itemsize != len(data):
        raise ValueError(f"an array of shape {shape} and type {resolved} has {len(data)} bytes")
    array = np.frombuffer(data, resolved).reshape(shape, order="F" if order == "F" else "C")
    return array.astype(resolved.newbyteorder("="))


def _parameter(data: Any, *_ignored: Any) -> Any:
    return data


def _encode(text: str, codec: str) -> bytes:
    if codec != "latin1":
        raise ValueError(f"bytes written in {codec!r}, expected 'latin1'")
    return text.encode("latin1")


def _tuple(items: Any = ()) -> tuple[Any, ...]:
    return tuple(items)


_TABLE: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("_codecs", "encode"): _encode,
    ("builtins", "tuple"): _tuple,
    ("__builtin__", "tuple"): _tuple,
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): _Dtype,
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
}
for _core in ("numpy.core", "numpy._core"):
    _TABLE[(f"{_core}.multiarray", "_reconstruct")] = _Array
    _TABLE[(f"{_core}.multiarray", "scalar")] = _Scalar
    _TABLE[(f"{_core}.numeric", "_frombuffer")] = _BufferArray
for _name in _STORAGE_TYPES:
    _TABLE[("torch", _name)] = _name

_Storages = Callable[[Any], _Storage]


class _TableUnpickler(pickle.Unpickler):
    def __init__(self, stream: BinaryIO, storages: _Storages) -> None:
        super().__init__(stream)
        self._storages = storages

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _TABLE:
            raise pickle.UnpicklingError(f"it asks to run {module}.{name}, which no weights need")
        return _TABLE[(module, name)]

    def persistent_load(self, pid: Any) -> _Storage:
        return self._storages(pid)


def _no_storages(pid: Any) -> _Storage:
    raise pickle.UnpicklingError(f"it refers to something outside itself: {str(pid)[:60]}")


def _load(stream: BinaryIO, storages: _Storages) -> Any:
    """Read one pickle at the stream's place and leave the stream right behind it."""
    start = stream.tell()
    for opcode, argument, _ in pickletools.genops(stream):
        if opcode.name in _REFUSED_OPCODES:
            raise pickle.UnpicklingError(f"the instruction {opcode.name} is not allowed")
        # The C unpickler keeps a table as long as the largest index: 6 bytes could ask for 64 GB.
        if opcode.name in _MEMO_OPCODES and argument > stream.tell():
            raise pickle.UnpicklingError(f"memo index {argument} is larger than the file so far")
    end = stream.tell()
    stream.seek(start)
    found = _TableUnpickler(io.BytesIO(stream.read(end - start)), storages).load()
    return found


class _StorageTable:
    """The storages that a torch pickle speaks of, by key."""

    def __init__(self) -> None:
        self.by_key: dict[str, _Storage] = {}

    def __call__(self, pid: Any) -> _Storage:
        kind, type_name, key, _location, numel = pid[:5]
        if kind != "storage" or any(rest is not None for rest in pid[5:]):
            raise pickle.UnpicklingError(f"storage {pid!r} is of a kind that is not read here")
        if not isinstance(key, str) or not isinstance(numel, int) or numel < 0:
            raise pickle.UnpicklingError(f"storage {key!r} of {numel!r} numbers")
        known = self.by_key.setdefault(key, _Storage(key, type_name, numel))
        if known.numel != numel:
            raise pickle.UnpicklingError(f"storage {key} has {known.numel} numbers and also {numel}")
        return known


def _read_zip(stream: BinaryIO, where: str) -> dict[str, Array]:
    with zipfile.ZipFile(stream) as archive:
        names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(names) != 1:
            raise ValueError(f"{len(names)} entries called data.pkl, expected 1")
        root = names[0][: -len("data.pkl")]
        storages = _StorageTable()
        found = _load(io.BytesIO(_member(archive, names[0])), storages)
        if f"{root}byteorder" in archive.namelist() and archive.read(f"{root}byteorder") != b"little":
            raise ValueError("its numbers are big-endian, which is not read here")
        for storage in storages.by_key.values():
            storage.data = _member(archive, f"{root}data/{storage.key}", storage.nbytes)
        return _collect(found, where, lambda value: value.build())


def _member(archive: zipfile.ZipFile, name: str, nbytes: int | None = None) -> bytes:
    info = archive.getinfo(name)
    # torch never compresses; a compressed entry could unpack to any size.
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
        raise ValueError(f"entry {name} is compressed or encrypted")
    if nbytes is not None and info.file_size != nbytes:
        raise ValueError(f"entry {name} has {info.file_size} bytes, its tensors need {nbytes}")
    return archive.read(info)


def _read_legacy(stream: BinaryIO, where: str) -> dict[str, Array]:
    storages = _StorageTable()
    magic = _load(stream, _no_storages)
    protocol = _load(stream, _no_storages)
    if magic != _TORCH_MAGIC or protocol != _TORCH_PROTOCOL:
        raise ValueError(f"its first bytes ({str(magic)[:40]}, {str(protocol)[:40]}) are not those of torch.save")
    system = _load(stream, _no_storages)
    if not isinstance(system, dict) or not system.get("little_endian"):
        raise ValueError("its numbers are big-endian, which is not read here")
    found = _load(stream, storages)
    for key in _load(stream, _no_storages):
        storage = storages.by_key[key]
        count = int.from_bytes(stream.read(8), "little")
        if count != storage.numel:
            raise ValueError(f"storage {key} says {count} numbers at byte {stream.tell()}, expected {storage.numel}")
        storage.data = stream.read(storage.nbytes)
        if len(storage.data) != storage.nbytes:
            raise ValueError(f"storage {key} is cut short at byte {stream.tell()}: {storage.nbytes} bytes expected")
    if stream.read(1):
        raise ValueError(f"bytes left over after byte {stream.tell() - 1}")
    return _collect(found, where, lambda value: value.build())


def _collect(found: Any, where: str, build: Callable[[Any], Array]) -> dict[str, Array]:
    if not isinstance(found, Mapping):
        raise ValueError(f"it holds a {type(found).__name__}, expected a mapping from names to arrays")
    arrays = {}
    for name, value in found.items():
        # Paddle writes a tensor outside a state dict as the pair (name, array).
        item = value[1] if isinstance(value, tuple) and len(value) == 2 else value
        if isinstance(name, str) and isinstance(item, (_Array, _Tensor)):
            arrays[name] = build(item)
    for inner in ("state_dict", "model"):
        if not arrays and isinstance(found.get(inner), Mapping):
            return _collect(found[inner], where, build)
    if not arrays:
        raise UserError(f"{where}: holds no arrays (its keys: {', '.join(map(str, list(found)[:5]))})")
    return arrays
