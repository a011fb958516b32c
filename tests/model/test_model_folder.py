import errno
import json
import struct

import numpy as np
import pytest
from safetensors import SafetensorError

from tests.model.text_runner import build
from unimo_paddle import tensor_files
from unimo_paddle.errors import UserError
from unimo_paddle.model.loading import load_weights
from unimo_paddle.model.model_folder import ModelSizes, read_model, write_model
from unimo_paddle.tensor_files import read_safetensors

SIZES = ModelSizes(vocab_size=9, width=4, layers=1, heads=2, max_positions=6)


def raw(header: dict, data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype: str, shape: list[int], begin: int, end: int) -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def test_a_model_comes_back(tmp_path):
    weights = {"turned": np.arange(6, dtype=np.float32).reshape(2, 3).T, "none": np.zeros((0, 3), np.float32)}
    write_model(tmp_path, SIZES, weights)
    sizes, found = read_model(tmp_path)
    assert sizes == SIZES
    assert found.keys() == weights.keys()
    assert all(np.array_equal(found[name], weights[name]) for name in weights)
    assert json.loads((tmp_path / "model.json").read_text())["feature_width"] is None


def test_number_types_and_bfloat16(tmp_path):
    data = struct.pack("<2H", 0x3F80, 0xC020) + struct.pack("<2e", 0.5, -1) + struct.pack("<q", -3)
    header = {"b": entry("BF16", [2], 0, 4), "h": entry("F16", [1, 2], 4, 8), "i": entry("I64", [], 8, 16)}
    (tmp_path / "w").write_bytes(raw({"__metadata__": {"format": "pt"}, **header}, data))
    found = read_safetensors(tmp_path / "w")
    assert found["b"].tolist() == [1.0, -2.5]
    assert found["b"].dtype == np.float32
    assert found["h"].tolist() == [[0.5, -1.0]]
    assert found["i"] == -3


FAULTS = {
    "cut": raw({"a": entry("F32", [2], 0, 8)}, bytes(7)),
    "left over": raw({"a": entry("F32", [2], 0, 8)}, bytes(9)),
    "shape lies": raw({"a": entry("F32", [3], 0, 8)}, bytes(8)),
    "overlap": raw({"a": entry("F32", [1], 0, 4), "b": entry("F32", [1], 2, 6)}, bytes(6)),
    "no header": b"\xff" * 20,
    "empty": b"",
    "too large": raw({"a": entry("F32", [0, 2**62, 2**62], 0, 0)}, b""),
    "too many dimensions": raw({"a": entry("F32", [1] * 40, 0, 4)}, bytes(4)),
    "unknown type": raw({"a": entry("F8_E4M3", [2], 0, 2)}, bytes(2)),
}


@pytest.mark.parametrize("name", FAULTS)
def test_broken_safetensors_name_the_file(tmp_path, name):
    (tmp_path / "w.safetensors").write_bytes(FAULTS[name])
    with pytest.raises(UserError, match="w.safetensors: .*(cut short|F8_E4M3|a shape that no array has)"):
        read_safetensors(tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    ("change", "message"),
    [({"width": 0}, "above 0: {'width': 0}"), ({"heads": "2"}, "'heads': '2'"), ({"depth": 3}, "nothing unknown")],
)
def test_wrong_sizes_name_the_file(tmp_path, change, message):
    write_model(tmp_path, SIZES, {})
    found = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(found | change))
    with pytest.raises(UserError, match=f"model.json: .*{message}"):
        read_model(tmp_path)


def test_loading_lists_every_misfit_and_changes_nothing(tmp_path):
    model = build(SIZES)
    before = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    good = "encoder.text_norm.weight"
    bad = {"encoder.text_norm.bias": np.ones(5), "match_head.score.weight": np.ones((5, 1)), "strange": np.ones(1)}
    write_model(tmp_path, SIZES, {good: np.full(4, 7, np.float32), **bad})
    with pytest.raises(UserError, match="does not fit this model") as caught:
        load_weights(model, tmp_path)
    assert all(name in str(caught.value) for name in bad)
    assert all(np.array_equal(tensor.numpy(), before[name]) for name, tensor in model.state_dict().items())
    write_model(tmp_path, SIZES, {good: np.full(4, 7, np.float16)})
    missing = load_weights(model, tmp_path)
    assert set(missing) == set(before) - {good}
    assert model.encoder.text_norm.weight.tolist() == [7, 7, 7, 7]


def test_a_full_disk_is_an_error_of_the_system(tmp_path, monkeypatch):
    def full(*_):
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(tensor_files, "save_file", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_model(tmp_path, SIZES, {})
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "model.safetensors"))
