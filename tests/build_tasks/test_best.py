"""The checkpoint that is kept as the best one is the best one, and is what is judged and asked afterwards."""

import json
from pathlib import Path

import pytest

from tests.build_tasks.task_world import Places, World, finished, told
from unimo_paddle.build.task_sources import checkpoint_of

EPOCHS = 6


@pytest.fixture(scope="module")
def trained(places: Places, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Numbers, whose correlation moves with every step; at this rate the last epoch is not the best one."""
    more = {"train.epochs": EPOCHS, "optimizer.peak_lr": 0.03}
    return World(tmp_path_factory.mktemp("stsb"), places, "stsb", more=more).ready()


def looks(world: World) -> dict[int, dict[str, float]]:
    lines = map(json.loads, (world.run / "probes.jsonl").read_text().splitlines())
    return {one["step"]: one["values"] for one in lines}


def test_the_best_of_all_looks_at_dev_is_kept(trained: World) -> None:
    found = looks(trained)
    assert list(found) == list(range(2, 2 * EPOCHS + 1, 2))
    assert all(values.keys() == {"pearson_spearman"} for values in found.values()), "what picks the best, alone"
    best = max(found, key=lambda step: (found[step][trained.spec.best_by], step))
    assert best != max(found), "the case tells best from newest"
    checkpoints = trained.run / "checkpoints"
    assert (checkpoints / "best").resolve() == checkpoints / f"step-{best:08}" == checkpoint_of(trained.run).resolve()
    kept = {path.name for path in checkpoints.iterdir()}
    assert kept == {"best", f"step-{best:08}", f"step-{max(found):08}"}


def test_a_runs_folder_means_its_best_checkpoint(trained: World) -> None:
    whole = told(trained.evaluate())
    newest = trained.run / "checkpoints" / f"step-{2 * EPOCHS:08}"
    best, last = (told(trained.evaluate(weights=one)) for one in (trained.run / "checkpoints" / "best", newest))
    scores = [{name: value for name, value in one.items() if name != "weights"} for one in (whole, best, last)]
    assert scores[0] == scores[1] != scores[2]
    seen = max(looks(trained).values(), key=lambda values: values[trained.spec.best_by])
    assert {name: whole[name] for name in seen} == pytest.approx(seen, abs=1e-5), "as it was while training"


def test_a_look_is_at_the_first_examples_and_as_often_as_asked(places: Places, tmp_path: Path) -> None:
    more = {"evaluation.every": 1, "evaluation.examples": 2, "train.epochs": 2}
    world = World(tmp_path, places, "custom_generation", more=more).ready()
    lines = list(map(json.loads, (world.run / "probes.jsonl").read_text().splitlines()))
    assert [one["step"] for one in lines] == [1, 2, 3, 4]
    assert all(len(one["texts"]["answers"].splitlines()) == 2 for one in lines)


def test_without_a_dev_split_the_newest_is_kept(places: Places, tmp_path: Path) -> None:
    world = World(tmp_path, places, "sst2")
    finished(world.prepare())
    (world.records / "dev.jsonl").unlink()
    world.write_config()
    assert "has no split dev: the newest checkpoint is kept" in finished(world.train()).out
    assert checkpoint_of(world.run).name == "step-00000002" and not (world.run / "probes.jsonl").exists()
