"""Base-sized RoBERTa against torch and transformers themselves, both ways.

They live in a second environment, because torch and Paddle in one process disturb each other:

    python -m venv .venv-slow && .venv-slow/bin/pip install -r requirements-slow.txt

UNIMO_SLOW_PYTHON names the Python of another one.
"""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.model.text_runner import build, run
from unimo_paddle.model.convert import from_roberta, to_hf
from unimo_paddle.model.loading import load_weights
from unimo_paddle.model.model_folder import read_model, write_model

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tests" / "golden" / "make_roberta.py"
SHAPES = {
    # Weights as spread as a trained RoBERTa's; twelve layers of wider ones turn rounding into visible differences.
    "base": {"layers": 12, "width": 768, "heads": 12, "vocab": 50265, "positions": 514, "length": 40, "spread": 0.04},
    "tiny": {"layers": 3, "width": 48, "heads": 4, "vocab": 300, "positions": 40, "length": 30, "spread": 0.2},
}


@pytest.fixture(scope="module")
def torch_python():
    python = Path(os.environ.get("UNIMO_SLOW_PYTHON", ROOT / ".venv-slow" / "bin" / "python"))
    if not python.exists():
        pytest.skip(f"{python} is absent: make it from requirements-slow.txt, or set UNIMO_SLOW_PYTHON")
    return python


def call(python, *arguments):
    done = subprocess.run([python, SCRIPT, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def make(python, folder, name):
    options = [part for key, value in SHAPES[name].items() for part in (f"--{key}", value)]
    call(python, "make", folder, "--only-safetensors", *options)
    return np.load(folder / "outputs.npz")


@pytest.mark.parametrize("name", SHAPES)
def test_ours_and_transformers_agree_both_ways(tmp_path, torch_python, name):
    golden = make(torch_python, tmp_path / "theirs", name)
    is_pad = golden["ids"] == 1

    from_roberta(tmp_path / "theirs", tmp_path / "ours")
    sizes, _ = read_model(tmp_path / "ours")
    model = build(sizes)
    load_weights(model, tmp_path / "ours")
    hidden, logits = run(model, golden["ids"], is_pad)

    to_hf(tmp_path / "ours", tmp_path / "back")
    options = ["--inputs", tmp_path / "theirs" / "outputs.npz", "--out", tmp_path / "back.npz"]
    call(torch_python, "run", tmp_path / "back", *options)
    back = np.load(tmp_path / "back.npz")
    assert np.abs(golden["hidden"]).max() > 1
    for ours, key in ((hidden, "hidden"), (logits, "logits")):
        for theirs in (golden[key], back[key]):
            difference = np.abs(ours - theirs)[~is_pad].max()
            print(f"{name} {key}: largest difference {difference:.2e} of {np.abs(theirs).max():.2f}")
            assert difference < 1e-4


def test_an_encoder_without_a_head_loads_as_roberta_model(tmp_path, torch_python):
    golden = make(torch_python, tmp_path / "theirs", "tiny")
    from_roberta(tmp_path / "theirs", tmp_path / "ours")
    sizes, arrays = read_model(tmp_path / "ours")
    (tmp_path / "bare").mkdir()
    write_model(tmp_path / "bare", sizes, {name: array for name, array in arrays.items() if "head" not in name})
    to_hf(tmp_path / "bare", tmp_path / "back")
    options = ["--inputs", tmp_path / "theirs" / "outputs.npz", "--out", tmp_path / "back.npz"]
    call(torch_python, "run", tmp_path / "back", "--bare", *options)
    real = golden["ids"] != 1
    assert np.abs(np.load(tmp_path / "back.npz")["hidden"] - golden["hidden"])[real].max() < 1e-4
