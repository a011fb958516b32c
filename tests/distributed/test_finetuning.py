"""Two processes fine-tune and judge as one does: a class, a text, images and texts."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.build_tasks.task_world import Places, World, finished, losses
from tests.distributed.finetuning_work import scores, train
from tests.distributed.launch import launch
from unimo_paddle.engine.checkpoint import paths_in
from unimo_paddle.engine.snapshot import read_snapshot

TOLERANCE = 1e-5  # relative: float32 sums in another order
# Batches that four judged examples do not fill, or not both processes alike. No random deltas: like dropout, a process
# draws its own.
TASKS: dict[str, dict[str, Any]] = {
    "mnli": {"evaluation.batch": 3},
    "custom_captioning": {"evaluation.batch": 1, "train.accumulate": 2},
    "flickr30k": {"data.hard_negatives": 1, "evaluation.batch": 7},
    "vqa": {"evaluation.batch": 3},
}
# What shifts all scores alike has no gradient but round-off, which Adam blows up (test_training.py).
WITHOUT_GRADIENT = ("match_head.score.bias", "key.bias")


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, World]:
    """Prepared tasks, each trained by one process."""
    root = tmp_path_factory.mktemp("finetuning")
    places = Places.make(root / "shared")
    made = {name: World(root / name, places, name, more={"train.epochs": 2, **more}) for name, more in TASKS.items()}
    for world in made.values():
        finished(world.prepare())
        world.write_config()
        train("alone", world.config)
    return made


@pytest.fixture(scope="module")
def told(worlds: dict[str, World], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict]]:
    """Task -> the scores that each of two processes, which trained it as well, has of it."""
    configs = [world.config for world in worlds.values()]
    logs = launch("tests.distributed.finetuning_work", ["two", *configs], tmp_path=tmp_path_factory.mktemp("two"))
    lines = [[json.loads(line[7:]) for line in log.splitlines() if line.startswith("SCORES ")] for log in logs]
    return {name: [of_rank[place] for of_rank in lines] for place, name in enumerate(worlds)}


@pytest.mark.parametrize("name", TASKS)
def test_losses_and_weights_are_those_of_one(name: str, worlds: dict[str, World], told: dict) -> None:
    runs = [worlds[name].root / run for run in ("alone", "two")]
    one, two = map(losses, runs)
    assert len(one) == len(two) == 4
    for a, b in zip(one, two, strict=True):
        assert b["losses"] == pytest.approx(a["losses"], rel=TOLERANCE)
        assert b["grad_norm"] == pytest.approx(a["grad_norm"], rel=10 * TOLERANCE)
        assert b["examples"] == a["examples"]
    first, second = (read_snapshot(paths_in(run / "checkpoints")[-1]).model for run in runs)
    for key in first:
        if not key.endswith(WITHOUT_GRADIENT):
            np.testing.assert_allclose(second[key], first[key], rtol=10 * TOLERANCE, atol=1e-4, err_msg=key)


@pytest.mark.parametrize("name", TASKS)
def test_scores_are_those_of_one(name: str, worlds: dict[str, World], told: dict) -> None:
    """Of the same weights, and every process knows them."""
    first, second = told[name]
    assert first == second
    assert first == scores("two", worlds[name].config)


def test_both_processes_look_at_dev_and_keep_the_best(worlds: dict[str, World], told: dict) -> None:
    for name, world in worlds.items():
        lines = [json.loads(line) for line in Path(world.root / "two" / "probes.jsonl").read_text().splitlines()]
        assert [one["step"] for one in lines] == [2, 4]
        best = max(lines, key=lambda one: (one["values"][world.spec.best_by], one["step"]))
        assert told[name][0][world.spec.best_by] == pytest.approx(best["values"][world.spec.best_by], abs=1e-5)
