"""Writes variables of Paddle 1.x byte by byte, from the layout in spec/release.md section 12."""

import struct

TYPES = {"bool": 0, "int16": 1, "int32": 2, "int64": 3, "float16": 4, "float32": 5, "float64": 6}
TYPES |= {"uint8": 20, "int8": 21}


def varint(value):
    value &= (1 << 64) - 1
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def description(kind, dims, packed=False):
    rows = b"".join(varint(dim) for dim in dims)
    fields = b"\x12" + varint(len(rows)) + rows if packed else b"".join(b"\x10" + varint(dim) for dim in dims)
    return b"\x08" + varint(kind) + fields


def variable(array, levels=(), packed=False, kind=None, dims=None, version=0, tensor_version=0, desc=None):
    """One variable's file; the keywords tell lies about it."""
    kind = TYPES[array.dtype.name] if kind is None else kind
    desc = description(kind, array.shape if dims is None else dims, packed) if desc is None else desc
    table = b"".join(struct.pack("<Q", len(level)) + level for level in levels)
    head = struct.pack("<IQ", version, len(levels)) + table + struct.pack("<Ii", tensor_version, len(desc)) + desc
    return head + array.tobytes()
