"""Real weights of the BERT architecture through our layers: the same post-LayerNorm Transformer, other constants."""

from pathlib import Path

import numpy as np
import pytest

from tests.model.text_runner import build, run
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.sentence_encoder import minilm_folder, minilm_weights, set_bert_epsilon

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "minilm.npz"  # made by tests/golden/make_minilm.py


@pytest.fixture(scope="module")
def model():
    try:
        folder = minilm_folder()
    except UserError as absent:
        pytest.skip(str(absent))
    sizes, weights = minilm_weights(folder)
    model = build(sizes)
    state = model.state_dict()
    for name, array in weights.items():
        state[name].set_value(array)
    set_bert_epsilon(model)
    return model


def test_sentences_are_those_of_transformers(model):
    golden = np.load(GOLDEN)
    is_pad = np.arange(golden["ids"].shape[1]) >= golden["lengths"][:, None]
    hidden, _ = run(model, golden["ids"], is_pad, first_position=0)
    mean = (hidden * ~is_pad[:, :, None]).sum(axis=1) / golden["lengths"][:, None]
    assert np.abs(mean - golden["mean"]).max() < 1e-4
    assert np.abs(hidden[:, 0] - golden["first"]).max() < 1e-4
    assert np.abs(golden["mean"]).max() > 0.5  # the numbers compared are no small ones
