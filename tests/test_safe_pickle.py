import io
import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from unimo_paddle.errors import UserError
from unimo_paddle.safe_pickle import read_numpy_pickle, read_torch_file, widen_bfloat16

GOLDEN = Path(__file__).parent / "golden" / "roberta"
MAGIC, PROTOCOL, SYSTEM = 0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}


def say(value) -> bytes:
    """Pickle instructions that push a plain value."""
    return pickle.dumps(value, 2)[2:-1]


def tensor(key="0", numel=6, offset=0, size=(2, 3), stride=(3, 1), kind="FloatStorage", pid="storage") -> bytes:
    """Pickle instructions that push a tensor as torch writes it."""
    storage = b"(" + say(pid) + b"ctorch\n" + kind.encode() + b"\n" + say(key) + say("cpu") + say(numel) + b"tQ"
    hooks = b"ccollections\nOrderedDict\n)R"
    rest = say(offset) + say(size) + say(stride) + say(False) + hooks
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + rest + b"tR"


def mapping(**values: bytes) -> bytes:
    """A whole pickle of a dict from names to what the instructions push."""
    return b"\x80\x02}(" + b"".join(say(name) + value for name, value in values.items()) + b"u."


def write_zip(path: Path, pickled: bytes, storages: dict[str, bytes], method=zipfile.ZIP_STORED, **more: bytes) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("archive/data.pkl", pickled)
        for key, data in storages.items():
            archive.writestr(f"archive/data/{key}", data)
        for name, data in more.items():
            archive.writestr(f"archive/{name}", data)
    return path


def write_legacy(path: Path, pickled: bytes, storages: list, system=SYSTEM, magic=MAGIC) -> Path:
    head = [pickle.dumps(value, 2) for value in (magic, PROTOCOL, system)]
    keys = pickle.dumps([key for key, _, _ in storages], 2)
    data = [struct.pack("<q", count) + raw for _, count, raw in storages]
    path.write_bytes(b"".join([*head, pickled, keys, *data]))
    return path


NUMBERS = np.arange(6, dtype="<f4")


def test_files_of_torch_hold_what_safetensors_holds():
    from unimo_paddle.tensor_files import read_safetensors

    expected = read_safetensors(GOLDEN / "model.safetensors")
    for name in ("zip.bin", "legacy.bin"):
        found = read_torch_file(GOLDEN / name)
        assert set(found) - set(expected) == {"lm_head.decoder.weight", "lm_head.decoder.bias"}
        assert all(np.array_equal(found[key], expected[key]) for key in expected)
    short = read_torch_file(GOLDEN / "bfloat16.bin")
    assert all(short[key].dtype == np.float32 for key in expected)
    # 8 bits of mantissa, rounded to nearest
    assert all(np.allclose(short[key], expected[key], rtol=2**-8, atol=0) for key in expected)


def test_bfloat16_is_the_upper_half_of_float32():
    bits = np.array([[0x3F80, 0xC020], [0x7F80, 0x0001]], np.uint16)
    assert np.array_equal(widen_bfloat16(bits), np.array([[1.0, -2.5], [np.inf, 2.0**-133]], np.float32))


KINDS = {"HalfStorage": "<f2", "DoubleStorage": "<f8", "LongStorage": "<i8", "BoolStorage": "?", "ByteStorage": "u1"}


@pytest.mark.parametrize(("kind", "dtype"), KINDS.items())
def test_each_number_type(tmp_path, kind, dtype):
    numbers = np.array([0, 1, 0, 1, 1, 0], dtype)
    found = read_torch_file(write_zip(tmp_path / "w.pth", mapping(w=tensor(kind=kind)), {"0": numbers.tobytes()}))
    assert found["w"].dtype == numbers.dtype
    assert np.array_equal(found["w"], numbers.reshape(2, 3))


def test_views_share_a_storage(tmp_path):
    pickled = mapping(
        turned=tensor(size=(3, 2), stride=(1, 3)),
        tail=tensor(offset=4, size=(2,), stride=(1,)),
        one=tensor(offset=5, size=(), stride=()),
        none=tensor(offset=6, size=(0, 3), stride=(3, 1)),
    )
    for path in (write_zip(tmp_path / "zip", pickled, {"0": NUMBERS.tobytes()}, version=b"3", byteorder=b"little"),
                 write_legacy(tmp_path / "legacy", pickled, [("0", 6, NUMBERS.tobytes())])):  # fmt: skip
        found = read_torch_file(path)
        assert np.array_equal(found["turned"], NUMBERS.reshape(2, 3).T)
        assert found["tail"].tolist() == [4, 5]
        assert found["one"].shape == () and found["one"] == 5
        assert found["none"].shape == (0, 3)


def test_a_training_checkpoint_is_opened(tmp_path):
    parameter = b"ctorch._utils\n_rebuild_parameter\n(" + tensor() + say(True) + b"ccollections\nOrderedDict\n)RtR"
    inner = b"}(" + say("w") + parameter + b"u"
    pickled = mapping(epoch=say(3), state_dict=inner)
    found = read_torch_file(write_zip(tmp_path / "w", pickled, {"0": NUMBERS.tobytes()}))
    assert np.array_equal(found["w"], NUMBERS.reshape(2, 3))


LYING = {
    "outside": ({"offset": 1}, "reaches outside its storage 0 of 6"),
    "stride too long": ({"stride": (3, 2)}, "reaches outside"),
    "stride 0 blows up": ({"size": (1000, 1000, 1000), "stride": (0, 0, 0)}, "reaches outside"),
    "product wraps around": ({"size": (2**32, 2**32), "stride": (0, 0)}, "reaches outside"),
    "negative offset": ({"offset": -1}, "whole numbers >= 0"),
    "negative size": ({"size": (-2, 3)}, "whole numbers >= 0"),
    "negative stride": ({"stride": (-3, 1)}, "whole numbers >= 0"),
    "fraction": ({"size": (2.0, 3)}, "whole numbers >= 0"),
    "ranks differ": ({"stride": (1,)}, "reaches outside"),
    "numel negative": ({"numel": -6}, "no length"),
    "numel too large": ({"numel": 2**40}, "has 24 bytes, its tensors need"),
    "unknown type": ({"kind": "QInt8Storage"}, "torch.QInt8Storage"),
    "unknown reference": ({"pid": "module"}, "no key or no length"),
}


@pytest.mark.parametrize("name", LYING)
def test_lying_tensors_are_refused(tmp_path, name):
    changes, message = LYING[name]
    path = write_zip(tmp_path / "lying.pth", mapping(w=tensor(**changes)), {"0": NUMBERS.tobytes()})
    with pytest.raises(UserError, match=f"lying.pth.*{message}"):
        read_torch_file(path)


def test_broken_archives_are_refused(tmp_path):
    good, raw = mapping(w=tensor()), NUMBERS.tobytes()
    whole = write_zip(tmp_path / "whole", good, {"0": raw}).read_bytes()
    damaged = bytearray(whole)
    damaged[whole.index(raw) + 8] ^= 1
    files = {
        "checksum": bytes(damaged),
        "cut": whole[:-30],
        "compressed": write_zip(tmp_path / "a", good, {"0": raw}, zipfile.ZIP_DEFLATED).read_bytes(),
        "no storage": write_zip(tmp_path / "b", good, {}).read_bytes(),
        "big endian": write_zip(tmp_path / "c", good, {"0": raw}, byteorder=b"big").read_bytes(),
        "no pickle": write_zip(tmp_path / "d", good, {}).read_bytes().replace(b"data.pkl", b"date.pkl"),
        "empty": b"",
        "text": b"<html>not found</html>",
        "no arrays": write_zip(tmp_path / "e", mapping(a=say(1)), {}).read_bytes(),
        "no mapping": write_zip(tmp_path / "f", pickle.dumps([1]), {}).read_bytes(),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UserError, match=f"{name}: cannot be read safely"):
            read_torch_file(tmp_path / name)


def test_every_cut_of_a_legacy_file_is_refused(tmp_path):
    good, raw = mapping(w=tensor()), NUMBERS.tobytes()
    whole = write_legacy(tmp_path / "w", good, [("0", 6, raw)]).read_bytes()
    for end in range(len(whole)):
        (tmp_path / "cut").write_bytes(whole[:end])
        with pytest.raises(UserError, match="cut: cannot be read safely"):
            read_torch_file(tmp_path / "cut")
    lies = [
        ([("0", 7, raw + bytes(4))], {}, "storage 0 at byte .* has 7 numbers, expected 6"),
        ([("0", 6, raw + b"x")], {}, "bytes left over from byte"),
        ([("1", 6, raw)], {}, "1"),
        ([], {}, "storage 0 of 6 numbers has no bytes"),
        ([("0", 6, raw)], {"system": {"little_endian": False}}, "big-endian"),
        ([("0", 6, raw)], {"magic": 1}, "first bytes"),
    ]
    for storages, options, message in lies:
        with pytest.raises(UserError, match=message):
            read_torch_file(write_legacy(tmp_path / "lie", good, storages, **options))


def test_arrays_of_a_numpy_pickle_come_back(tmp_path):
    arrays = OrderedDict(
        rows=NUMBERS.reshape(2, 3), columns=np.asfortranarray(NUMBERS.reshape(2, 3)), big=NUMBERS.astype(">f8"),
        none=np.zeros((0, 4)), one=np.float32(2.5), whole=np.arange(3), bits=np.array([True, False]),
    )  # fmt: skip
    mixed = {**arrays, "StructuredToParameterName@@": {"a": "linear_0.w_0"}, "pair": ("linear_0.w_0", NUMBERS)}
    for protocol in range(2, 6):
        (tmp_path / "w.pdparams").write_bytes(pickle.dumps(mixed, protocol))
        found = read_numpy_pickle(tmp_path / "w.pdparams")
        assert set(found) == {*arrays, "pair"}
        assert all(np.array_equal(found[name], arrays[name]) for name in arrays)
        assert found["big"].dtype == np.float64


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def array_lie(shape=(6,), code="f4", data=b"x" * 24) -> bytes:
    """A numpy array in pickle instructions, with a state of its own."""
    dtype = b"cnumpy\ndtype\n" + say((code, False, True)) + b"R" + say((3, "<", None, None, None, -1, -1, 0)) + b"b"
    start = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n" + say((0,)) + say("b") + b"tR"
    raw = b"c__builtin__\nbytes\n(J\xff\xff\xff\x7ftR" if data is None else b"C" + bytes([len(data)]) + data
    return start + b"(" + say(1) + say(shape) + dtype + say(False) + raw + b"tb"


HOSTILE = {
    "eval": (mapping(w=b"cbuiltins\neval\n" + say(("1",)) + b"R"), "builtins.eval"),
    "attribute": (mapping(w=b"cnumpy\nload\n"), "numpy.load"),
    "memo bomb": (b"\x80\x02}r" + struct.pack("<I", 0xFFFFFFFF) + b".", "memo index"),
    "length bomb": (b"\x80\x04\x8e" + struct.pack("<Q", 2**50) + b"x.", "expected|MemoryError"),
    "bytes bomb": (mapping(w=array_lie(data=None)), "by a number"),
    "extension": (b"\x80\x02\x82\x01.", "EXT1"),
    "outside": (mapping(w=say("key") + b"Q"), "refers to data outside"),
    "shape lies": (mapping(w=array_lie(shape=(7,))), "shape .7,. .* has 24 bytes"),
    "shape wraps": (mapping(w=array_lie(shape=(2**62, 8), data=b"")), "has 0 bytes"),
    "negative shape": (mapping(w=array_lie(shape=(-1,))), "no shape"),
    "objects": (mapping(w=array_lie(code="O8")), "no plain numbers"),
    "unknown type": (mapping(w=array_lie(code="zz")), "zz"),
    "call a name": (mapping(w=b"cnumpy\nndarray\n)R"), "not callable"),
    "patch the table": (b"\x80\x02c_codecs\nencode\n" + say((None, {"resolve": 1})) + b"b.", "__setstate__"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_are_refused(tmp_path, name):
    data, message = HOSTILE[name]
    (tmp_path / "w.pdparams").write_bytes(data)
    with pytest.raises(UserError, match=f"w.pdparams: cannot be read safely.*{message}"):
        read_numpy_pickle(tmp_path / "w.pdparams")


def test_nothing_is_run(tmp_path):
    mark = tmp_path / "PWNED"
    pickled = pickle.dumps({"w": NUMBERS, "x": Evil(mark)}, 4)
    (tmp_path / "evil").write_bytes(pickled)
    for read, path in ((read_numpy_pickle, tmp_path / "evil"),
                       (read_torch_file, write_zip(tmp_path / "zip", pickled, {})),
                       (read_torch_file, write_legacy(tmp_path / "legacy", pickled, []))):  # fmt: skip
        with pytest.raises(UserError, match=r"(posix|nt|os)\.system"):
            read(path)
    assert not mark.exists()
    pickle.Unpickler(io.BytesIO(pickled)).load()
    assert mark.exists()  # the test of the test: it would have run


@pytest.mark.parametrize("seed", range(3))
def test_random_damage_never_escapes(tmp_path, seed):
    """Whatever byte is wrong, the answer is an array of the right size or a UserError."""
    rng = np.random.default_rng(seed)
    sources = [GOLDEN / "legacy.bin", write_zip(tmp_path / "z", mapping(w=tensor()), {"0": NUMBERS.tobytes()})]
    for source in sources:
        whole = bytearray(source.read_bytes())
        for _ in range(60):
            damaged = bytearray(whole)
            for place in rng.integers(0, min(len(whole), 20000), 3):
                damaged[place] = rng.integers(256)
            (tmp_path / "damaged").write_bytes(damaged)
            try:
                read_torch_file(tmp_path / "damaged")
            except UserError as fault:
                assert "damaged" in str(fault)
