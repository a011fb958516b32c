"""Greedy and beam search against transformers.generate, weights converted: the same texts with the same scores."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.bench.left_to_right import Continuing
from tests.model.text_runner import build
from unimo_paddle.generation import Ids, generate
from unimo_paddle.model.cache import CachedDecoder
from unimo_paddle.model.convert import from_roberta
from unimo_paddle.model.loading import load_weights
from unimo_paddle.model.model_folder import read_model
from unimo_paddle.task_spec import Decoding

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
# Weights small enough that texts do not stick to one token; the end is one that comes now and then.
SHAPE = {"layers": 2, "width": 48, "heads": 4, "vocab": 300, "positions": 60, "spread": 0.12}
NEW, END = 12, 274


@pytest.fixture(scope="module")
def python():
    found = Path(os.environ.get("UNIMO_SLOW_PYTHON", ROOT / ".venv-slow" / "bin" / "python"))
    if not found.exists():
        pytest.skip(f"{found} is absent: make it from requirements-slow.txt, or set UNIMO_SLOW_PYTHON")
    return found


@pytest.fixture(scope="module")
def twin(tmp_path_factory, python):
    """(folder of a RoBERTa, our model with its weights)."""
    folder = tmp_path_factory.mktemp("generation")
    options = [str(part) for key, value in SHAPE.items() for part in (f"--{key}", value)]
    script = ROOT / "tests" / "golden" / "make_roberta.py"
    subprocess.run([python, script, "make", folder / "theirs", "--only-safetensors", *options], check=True)
    from_roberta(folder / "theirs", folder / "ours")
    model = build(read_model(folder / "ours")[0])
    load_weights(model, folder / "ours")
    return folder / "theirs", model.eval()


def theirs(python, folder, prompts, options, where):
    np.save(where / "prompts.npy", prompts)
    asked = {"folder": str(folder), "prompts": str(where / "prompts.npy"), "out": str(where / "out.npz"), "threads": 1,
             "options": {"max_new_tokens": NEW, "eos_token_id": END, **options}}  # fmt: skip
    script = ROOT / "tests" / "bench" / "torch_generate.py"
    subprocess.run([python, script, json.dumps(asked)], input="1\n", text=True, check=True, capture_output=True)
    found = np.load(where / "out.npz")
    rows = [row[prompts.shape[1] :].tolist() for row in found["ids"]]
    return [tuple(row[: row.index(END)] if END in row else row) for row in rows], found["scores"]


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("penalty", [None, 0.0, 1.0, 2.0, -0.5])
def test_texts_and_scores_equal_transformers(twin, python, tmp_path, batch, penalty):
    folder, model = twin
    prompts = np.random.default_rng(batch).integers(4, SHAPE["vocab"], (batch, 8))
    prompts[:, -1] = 0
    beams = {"num_beams": 4, "num_return_sequences": 4, "length_penalty": penalty, "early_stopping": "never",
             "output_scores": True}  # fmt: skip
    texts, scores = theirs(python, folder, prompts, {} if penalty is None else beams, tmp_path)
    decoding = Decoding("greedy", most=NEW) if penalty is None else \
        Decoding("beam", 4, length_penalty=penalty, normalise="length", most=NEW)  # fmt: skip
    stepper = Continuing(CachedDecoder(model.encoder, model.language_head), prompts[:, :-1])
    found = [one for some in generate(stepper, decoding, Ids(0, END, 1)) for one in some]
    assert [one.ids for one in found] == texts
    if penalty is not None:
        np.testing.assert_allclose([one.score for one in found], scores, rtol=1e-4, atol=1e-4)
        assert penalty > 1 or len({len(text) for text in texts}) > 1
