"""PyTorch's side of `make bench`: its last layer for the labelled rows alone against transformers' own model."""

import os
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
CODE = """
import torch
from torch_step import labelled_loss, make_batch, make_model
shape = {"vocab": 99, "width": 24, "layers": 3, "heads": 3, "batch": 4, "tokens": 20, "stride": 7, "attention": "sdpa"}
ids, mask, labels = make_batch(shape)
model, losses, gradients = make_model(shape).eval(), [], []
for loss in (model(ids, attention_mask=mask, labels=labels).loss, labelled_loss(model, ids, labels)):
    model.zero_grad()
    loss.backward()
    losses.append(loss.item())
    gradients.append([p.grad.clone() for p in model.parameters()])
print(max(abs(losses[0] - losses[1]), *((a - b).abs().max().item() for a, b in zip(*gradients))))
"""


def test_the_labelled_rows_alone_give_the_loss_and_gradients_of_all_rows():
    python = Path(os.environ.get("UNIMO_SLOW_PYTHON", ROOT / ".venv-slow" / "bin" / "python"))
    if not python.exists():
        pytest.skip(f"{python} is absent: make it from requirements-slow.txt, or set UNIMO_SLOW_PYTHON")
    words, folder = [python, "-c", CODE], ROOT / "tests" / "bench"
    done = subprocess.run(words, capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 1e-6
