"""A run that dies between two checkpoints and is started again is bit for bit the run that did not: also where steps
draw, mine or perturb more than their batch."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from tests.build_tasks.task_world import Places, World, finished, losses
from unimo_paddle.engine.checkpoint import paths_in
from unimo_paddle.engine.log import StepRecord
from unimo_paddle.engine.snapshot import read_snapshot
from unimo_paddle.engine.trainer import Trainer

EPOCHS, STEPS, DIES_AT = 3, 6, 5  # two steps an epoch; the fourth is saved
SHARED = {"train.epochs": EPOCHS, "train.save_every": 2, "model.dropout": 0.1, "model.attention_dropout": 0.1}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "answers": ("vqa", {}),
    "perturbed captions": ("coco_caption", {"adversarial.steps": 2}),
    "perturbed as released": ("coco_caption", {"adversarial.steps": 2, "adversarial.project": "gradient",
                                               "adversarial.kl_over_steps": "sum"}),
    "perturbed text": ("sst2", {"adversarial.steps": 2, "adversarial.on": "text"}),
    "hard negatives": ("flickr30k", {"data.hard_negatives": 1}),
    "rewards": ("coco_caption", {"reward.samples": 2}),
    "micro-batches": ("coqa", {"train.accumulate": 2}),
}  # fmt: skip


class Died(Exception):
    """What a test kills a run with."""


@contextlib.contextmanager
def dying() -> Iterator[None]:
    """Let every run die in step DIES_AT."""
    whole = Trainer.train_step

    def train_step(self: Trainer, step: int) -> StepRecord:
        if step == DIES_AT - 1:
            raise Died
        return whole(self, step)

    with mock.patch.object(Trainer, "train_step", train_step), pytest.raises(Died):
        yield


@pytest.mark.parametrize("case", CASES)
def test_it_goes_on_bit_for_bit(case: str, tmp_path: Path, places: Places, no_java: None) -> None:
    task, more = CASES[case]
    world = World(tmp_path, places, task, more=SHARED | more).ready()
    broken = f"output.directory={tmp_path}/broken"
    with dying():
        world.train(broken)
    assert [path.name for path in paths_in(tmp_path / "broken" / "checkpoints")][-1] == f"step-{DIES_AT - 1:08}"
    done = finished(world.train(broken))
    assert f"training from step {DIES_AT - 1} to {STEPS}" in done.out
    one, other = (read_snapshot(paths_in(run / "checkpoints")[-1]) for run in (world.run, tmp_path / "broken"))
    assert one.step == other.step == STEPS
    for kind in ("model", "optimizer"):
        first, second = getattr(one, kind), getattr(other, kind)
        assert first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)
    wanted = "step", "losses", "grad_norm", "lr"
    told = [[[step[name] for name in wanted] for step in losses(run)] for run in (world.run, tmp_path / "broken")]
    assert told[0] == told[1] and len(told[0]) == STEPS
    assert probes(world.run) == probes(tmp_path / "broken")


def probes(run: Path) -> list[list[Any]]:
    lines = [json.loads(line) for line in (run / "probes.jsonl").read_text().splitlines()]
    return [[one["step"], one["values"], one["texts"]] for one in lines]
