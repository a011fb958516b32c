"""A pickle machine that runs nothing: every name in the file is looked up in one fixed table.

A pickle names functions to call.  Here each allowed name stands for a stub that only records its
arguments; arrays are built afterwards, once every length has been compared with the bytes that are
really there.  Whatever else a pickle asks for is refused.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# Extension codes, foreign instances and out-of-band buffers refer to things outside the file.
_REFUSED_OPCODES = {"EXT1", "EXT2", "EXT4", "INST", "NEXT_BUFFER", "READONLY_BUFFER", "PERSID"}
_MEMO_OPCODES = {"PUT", "LONG_BINPUT"}
_PLAIN_KINDS = "biufc"


class Stub:
    """Stands for an object of the file; keeps what the file says about it and does nothing."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class ArrayStub(Stub):
    """numpy's `_reconstruct(...)`: the shape, type and bytes arrive as the state."""

    def build(self) -> Array:
        """Give the array, a read-only view of the file's bytes; ValueError when they do not fit."""
        _, shape, dtype, fortran, data = self.state
        return _from_bytes(data, dtype, shape, "F" if fortran else "C")


class _BufferArray(ArrayStub):
    """numpy's `_frombuffer(data, dtype, shape, order)` of pickle protocol 5."""

    def build(self) -> Array:
        return _from_bytes(*self.arguments)


class _Scalar(ArrayStub):
    """numpy's `scalar(dtype, data)`."""

    def build(self) -> Array:
        return _from_bytes(self.arguments[1], self.arguments[0], (), "C")


class _Dtype(Stub):
    """numpy's `dtype(name, ...)`; the byte order arrives in the state."""

    def resolve(self) -> np.dtype[Any]:
        name = self.arguments[0]
        if not isinstance(name, str) or len(name) > 8:
            raise ValueError("an array's number type has no plain name")
        dtype = np.dtype(name)
        dtype = dtype.newbyteorder(self.state[1]) if self.state else dtype
        if dtype.kind not in _PLAIN_KINDS:
            raise ValueError(f"an array of type {name!r} holds no plain numbers")
        return dtype


class _Latin1(Stub):
    """`_codecs.encode(text, "latin1")`: how bytes look in a pickle of protocol 2."""

    def resolve(self) -> bytes:
        text, codec = self.arguments
        if not isinstance(text, str) or codec != "latin1":
            raise ValueError("bytes are not written as latin1 text")
        return text.encode("latin1")


class _NoBytes(Stub):
    """`bytes()`: how empty bytes look in a pickle of protocol 2."""

    def resolve(self) -> bytes:
        if self.arguments:
            raise ValueError("bytes are asked for by a number")
        return b""


def are_sizes(values: Any) -> bool:
    """Tell whether `values` is a short row of whole numbers >= 0, as shapes, strides and offsets are."""
    is_row = isinstance(values, (tuple, list)) and len(values) <= 32
    return is_row and all(type(value) is int and value >= 0 for value in values)


def _from_bytes(data: Any, dtype: Any, shape: Any, order: Any) -> Array:
    resolved = dtype.resolve()
    data = data.resolve() if isinstance(data, (_Latin1, _NoBytes)) else data
    if not are_sizes(shape) or not isinstance(data, (bytes, bytearray)):
        raise ValueError(f"an array of type {resolved} has no shape or no bytes")
    if math.prod(shape) * resolved.itemsize != len(data):
        raise ValueError(f"an array of shape {shape} and type {resolved} has {len(data)} bytes")
    array = np.frombuffer(data, resolved).reshape(shape, order="F" if order == "F" else "C")
    return array.astype(resolved.newbyteorder("="), copy=False)


_TABLE: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("_codecs", "encode"): _Latin1,
    ("__builtin__", "bytes"): _NoBytes,
    ("builtins", "tuple"): tuple,
    ("__builtin__", "tuple"): tuple,
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "_reconstruct"): ArrayStub,
    ("numpy._core.multiarray", "_reconstruct"): ArrayStub,
    ("numpy.core.multiarray", "scalar"): _Scalar,
    ("numpy._core.multiarray", "scalar"): _Scalar,
    ("numpy.core.numeric", "_frombuffer"): _BufferArray,
    ("numpy._core.numeric", "_frombuffer"): _BufferArray,
}


def no_storages(pid: Any) -> Any:
    """Refuse every reference to data outside the pickle."""
    raise pickle.UnpicklingError("it refers to data outside itself")


class _TableUnpickler(pickle.Unpickler):
    def __init__(self, stream: BinaryIO, extra: dict[tuple[str, str], Any], outside: Callable[[Any], Any]) -> None:
        super().__init__(stream)
        self._table = {**_TABLE, **extra}
        self._outside = outside

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._table:
            raise pickle.UnpicklingError(f"it asks to run {module}.{name}, which no weights need")
        return self._table[(module, name)]

    def persistent_load(self, pid: Any) -> Any:
        return self._outside(pid)


def load_stubs(
    stream: BinaryIO,
    extra: dict[tuple[str, str], Any] | None = None,
    outside: Callable[[Any], Any] = no_storages,
) -> Any:
    """Read one pickle at the stream's place and leave the stream right behind it.

    extra: further names, (module, name) -> stub class.  outside: called for each reference to data
    outside the pickle.  Raises pickle.UnpicklingError or another error of a broken stream.
    """
    start = stream.tell()
    for opcode, argument, _ in pickletools.genops(stream):
        if opcode.name in _REFUSED_OPCODES:
            raise pickle.UnpicklingError(f"the instruction {opcode.name} is not allowed")
        # The C unpickler keeps a table as long as the largest index: 6 bytes could ask for 64 GB.
        if opcode.name in _MEMO_OPCODES and int(argument or 0) > stream.tell():
            raise pickle.UnpicklingError(f"memo index {argument} is larger than the file so far")
    length = stream.tell() - start
    stream.seek(start)
    return _TableUnpickler(io.BytesIO(stream.read(length)), extra or {}, outside).load()
