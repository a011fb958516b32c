"""What the ranks of test_resume.py do with checkpoints: each prints one line of JSON per question.

Usage, under the launcher: python -m tests.distributed.checkpoint_work DIRECTORY
"""

import json
import sys
from pathlib import Path

import numpy as np

from unimo_paddle.config import load_run
from unimo_paddle.distributed import rank, world_size
from unimo_paddle.engine import checkpoint
from unimo_paddle.engine.checkpoint import Checkpoints
from unimo_paddle.engine.run_directory import claim_directory, note_data


def main(directory: Path) -> None:
    with claim_directory(load_run(directory / "run.yaml", [f"output.directory={directory / 'run'}"])) as folder:
        checkpoints = Checkpoints(folder / "checkpoints", keep_last=2)
        for step in (1, 2):
            tell(f"saved {step}", lambda step=step: save(checkpoints, step))
        tell("newest", lambda: summary(checkpoints.newest()))
        tell("whole state on rank 0 only", lambda: save(checkpoints, 3, owners=1))
        tell("no number on rank 1", lambda: save(checkpoints, 4, value=float("nan") if rank() else 1.0))
        with full_disk_on(1):
            for step in (5, 6, 7):
                tell(f"full disk {step}", lambda step=step: save(checkpoints, step))
        if rank() == 0:
            damage(folder / "checkpoints" / "step-00000003" / "model.safetensors")
        tell("damaged", lambda: summary(checkpoints.newest()))
        tell("same data", lambda: note_data(folder, {"captions": "a"}))
        tell("other data on rank 1", lambda: note_data(folder, {"captions": "ab"[rank()]}))


def save(checkpoints, step, owners=2, value=1.0):
    """Each rank owns one parameter's moment, or rank 0 both."""
    names = [f"moment1:p{k}" for k in range(world_size()) if (k if owners > 1 else 0) == rank()]
    model = {"w": np.full(3, step, "float32")} if rank() == 0 else {}
    path = checkpoints.save(step, model, {name: np.full(4, value, "float32") for name in names}, {"seed": 1})
    return path and sorted(file.name for file in path.iterdir())


def summary(snapshot):
    return snapshot.step, sorted(snapshot.model), sorted(snapshot.optimizer)


class full_disk_on:
    """Writing arrays fails on one rank."""

    def __init__(self, number):
        self.number, self.before = number, checkpoint.write_safetensors

    def __enter__(self):
        def write(path, arrays):
            raise OSError(28, "No space left on device", str(path))

        if rank() == self.number:
            checkpoint.write_safetensors = write

    def __exit__(self, *_):
        checkpoint.write_safetensors = self.before


def damage(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def tell(question, answer):
    try:
        told = answer()
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
    print("TOLD", json.dumps({question: told}), flush=True)


if __name__ == "__main__":
    assert len(sys.argv) == 2, __doc__
    main(Path(sys.argv[1]))
