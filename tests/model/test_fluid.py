import struct

import numpy as np
import pytest

from tests.reference.fluid_writer import TYPES, description, variable
from unimo_paddle.errors import UserError
from unimo_paddle.model.fluid import read_variable, variable_names

NUMBERS = np.arange(6, dtype=np.float32).reshape(2, 3)


def read(tmp_path, data: bytes):
    (tmp_path / "fc.w_0").write_bytes(data)
    return read_variable(tmp_path / "fc.w_0")


@pytest.mark.parametrize("dtype", TYPES)
def test_every_type_loads_bit_for_bit(tmp_path, dtype):
    array = np.random.default_rng(1).integers(0, 256, (3, 5, 8), np.uint8).view(dtype if dtype != "bool" else "i1")
    array = array.astype("bool") if dtype == "bool" else array
    found = read(tmp_path, variable(array))
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert found.tobytes() == array.tobytes()


def test_the_layout_by_hand(tmp_path):
    data = bytes.fromhex("00000000 0000000000000000 00000000 06000000 0805 1002 1001".replace(" ", ""))
    assert read(tmp_path, data + struct.pack("<2f", 1.5, -2.0)).tolist() == [[1.5], [-2.0]]


def test_shapes_levels_and_packed_dims(tmp_path):
    assert read(tmp_path, variable(np.float32(3.0))).shape == ()
    assert read(tmp_path, variable(np.zeros((0, 4), np.float32))).shape == (0, 4)
    assert read(tmp_path, variable(np.zeros(300, np.int8))).shape == (300,)
    for levels in ((), (struct.pack("<2q", 0, 2),), (b"", struct.pack("<3q", 0, 1, 2))):
        for packed in (False, True):
            assert np.array_equal(read(tmp_path, variable(NUMBERS, levels, packed)), NUMBERS)


def test_bfloat16_widens(tmp_path):
    bits = np.array([0x3F80, 0xC020], np.uint16)
    assert read(tmp_path, variable(bits, kind=22)).tolist() == [1.0, -2.5]


def test_every_cut_names_file_and_offset(tmp_path):
    whole = variable(NUMBERS, levels=(bytes(16),))
    for end in range(len(whole)):
        with pytest.raises(UserError, match=r"fc\.w_0: byte \d+: "):
            read(tmp_path, whole[:end])


def patched(offset: int, layout: str, value: int) -> bytes:
    data = bytearray(variable(NUMBERS))
    struct.pack_into(layout, data, offset, value)
    return bytes(data)


LIES = {
    "left over": (variable(NUMBERS) + b"x", "byte 50: 1 bytes follow a float32 tensor of .2, 3."),
    "dims too large": (variable(NUMBERS, dims=(2, 4)), "byte 26: a float32 tensor of .2, 4. needs 32 bytes"),
    "dims too small": (variable(NUMBERS, dims=(2, 2)), "byte 42: 8 bytes follow"),
    "negative dim": (variable(NUMBERS, dims=(-2, -3)), "dims .-2, -3. are negative"),
    "product wraps to 24 bytes": (variable(NUMBERS, dims=(2**62 + 6,)), "needs 18446744073709551640 bytes"),
    "huge": (variable(NUMBERS, dims=(2**40, 2**40)), "needs 4835703278458516698824704 bytes"),
    "no memory holds it": (variable(NUMBERS[:0], dims=(0, 2**62, 2**62)), "array is too big"),
    "many dims": (variable(NUMBERS, dims=(1,) * 40), "too many"),
    "unknown type": (variable(NUMBERS, kind=7), "number type 7 is unknown"),
    "no type": (variable(NUMBERS, desc=description(5, (2, 3))[2:]), "number type None"),
    "unknown field": (variable(NUMBERS, desc=b"\x1a\x00"), "unknown field 0x1a"),
    "number without end": (variable(NUMBERS, desc=b"\x08" + b"\xff" * 12), "longer than 64 bits"),
    "number cut": (variable(NUMBERS, desc=b"\x08\x85"), "ends within a number"),
    "packed too long": (variable(NUMBERS, desc=b"\x08\x05\x12\x7f\x02"), "dims of 127 bytes"),
    "packed negative": (variable(NUMBERS, desc=b"\x08\x05\x12" + b"\xff" * 9 + b"\x01"), "dims of -1 bytes"),
    "version": (variable(NUMBERS, version=1), "byte 4: the version is not 0"),
    "tensor version": (variable(NUMBERS, tensor_version=9), "byte 16: the tensor's version"),
    "levels": (patched(4, "<Q", 2**40), "byte 12: 1099511627776 levels"),
    "one level too many": (patched(4, "<Q", 1), "byte 20: level 0 "),
    "level of odd size": (variable(NUMBERS, levels=(b"odd",)), "level 0 has 3 bytes"),
    "description negative": (patched(16, "<i", -1), "byte 20: a description of -1 bytes"),
    "description too long": (patched(16, "<i", 2**30), "a description of 1073741824 bytes, 30 are left"),
    "a pickle": (b"\x80\x02}q\x00." * 10, "byte 4: the version"),
    "empty": (b"", "byte 0: the version needs 4 bytes, 0 are left"),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_lies_name_file_and_offset(tmp_path, name):
    data, message = LIES[name]
    with pytest.raises(UserError, match=r"fc\.w_0: byte \d+: ") as caught:
        read(tmp_path, data)
    assert caught.match(message)


def test_random_damage_gives_an_array_or_a_clear_error(tmp_path):
    rng = np.random.default_rng(0)
    whole = variable(NUMBERS, levels=(bytes(16),), packed=True)
    for _ in range(400):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 2):
            damaged[place] = rng.integers(256)
        try:
            assert read(tmp_path, damaged).nbytes <= len(whole)
        except UserError as fault:
            assert "fc.w_0: byte" in str(fault)


def test_names_of_a_folder(tmp_path):
    for name in ("b.w_0", "a.b_0"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "inner").mkdir()
    assert variable_names(tmp_path) == ["a.b_0", "b.w_0"]
    for wrong in (tmp_path / "inner", tmp_path / "absent", tmp_path / "a.b_0"):
        with pytest.raises(UserError, match="one file per variable"):
            variable_names(wrong)
