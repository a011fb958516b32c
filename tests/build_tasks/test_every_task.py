"""Every task from its download, public or released, through training to scores, as a user does it."""

import json
import shutil
from pathlib import Path

import pytest

from tests.build_tasks.downloads import JUDGED
from tests.build_tasks.task_world import Places, World, losses, told
from unimo_paddle.records import TaskData
from unimo_paddle.task_spec import Answer, Generate, Match, Regress
from unimo_paddle.tasks import TASKS

CASES = [(name, layout) for name, task in TASKS.items() for layout in task.formats]
LEAST, MOST = {"matthews": -100, "pearson": -100, "spearman": -100, "pearson_spearman": -100}, {"CIDEr": 1000}
JAVA = ("METEOR", "METEOR-marks")
LOSS = {"Classify": "cross_entropy", "Regress": "squared_error", "Answer": "answers", "Generate": "words",
        "Match": "circle"}  # fmt: skip


@pytest.mark.parametrize(("name", "layout"), CASES)
def test_it_is_trained_and_judged(name: str, layout: str, tmp_path: Path, places: Places, no_java: None) -> None:
    world = World(tmp_path, places, name, layout).ready()
    steps = losses(world.run)
    assert [one["step"] for one in steps] == [1, 2]
    assert all(0 < one["loss"] < 100 and one["grad_norm"] > 0 for one in steps)
    assert {key for one in steps for key in one["losses"]} == {LOSS[type(world.spec.head).__name__]}
    assert (world.run / "checkpoints" / "best").resolve().name == "step-00000002", "an epoch ends with a look at dev"
    split, wants_lines = world.spec.evaluated[0], not isinstance(world.spec.head, Match)
    words = ["--predictions", tmp_path / "said.jsonl"] if wants_lines else []
    done = world.evaluate(*words)
    found = told(done)
    assert (found["task"], found["split"], found["weights"]) == (name, split, str(world.run))
    assert_scores(world, found)
    if wants_lines:
        assert_said(world, split, tmp_path / "said.jsonl")
    rows = [line.split()[0] for line in done.out.splitlines() if " .. " in line]
    assert set(metrics(world)) <= set(rows), "each metric has its line in the table"


def metrics(world: World) -> list[str]:
    return [one for one in world.spec.metrics if one not in JAVA or shutil.which("java")]


def assert_scores(world: World, found: dict) -> None:
    """Each metric of the task: within its range, within its interval, and what is reached without a model."""
    records = TaskData(world.records).records(found["split"])
    assert found["example_count"] == len(records) >= JUDGED
    for metric in metrics(world):
        low, value, high = (found[f"{metric}{end}"] for end in ("_low", "", "_high"))
        assert LEAST.get(metric, 0) <= low <= value <= high <= MOST.get(metric, 100), metric
        assert LEAST.get(metric, 0) <= found[f"{metric}_baseline"] <= MOST.get(metric, 100), metric
    assert not [key for key in found if key.startswith("METEOR") and not shutil.which("java")]
    groups = {record.group for record in records} - {None}
    assert {f"{metric}/{group}" for metric in metrics(world) for group in groups} <= found.keys()


def assert_said(world: World, split: str, path: Path) -> None:
    """One answer a record, in their order, each something that the task can say."""
    records, lines = TaskData(world.records).records(split), list(map(json.loads, path.read_text().splitlines()))
    assert [one["id"] for one in lines] == [record.id for record in records]
    head, labels = world.spec.head, TaskData(world.records).labels
    for one in lines:
        assert isinstance(one["answer"], float if isinstance(head, Regress) else str)
        assert not labels or one["answer"] in labels
        scores = [score for _, score in one["ranked"]]
        assert scores == sorted(scores, reverse=True)
        assert isinstance(head, Generate) or all(0 <= one <= 1 for one in scores)
    if isinstance(head, Answer):
        assert {one["image"] for one in lines} == {record.image for record in records}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("java") is None, reason="METEOR is a Java program")
def test_meteor_is_there_with_java(tmp_path: Path, places: Places) -> None:
    world = World(tmp_path, places, "coco_caption", more={"evaluation.every": 100}).ready()
    found = told(world.evaluate())
    assert_scores(world, found)
    assert found["METEOR_baseline"] > 0


def test_a_split_by_name(tmp_path: Path, places: Places) -> None:
    world = World(tmp_path, places, "mnli").ready()
    assert told(world.evaluate("--split", "dev_mm"))["split"] == "dev_mm"
    assert told(world.evaluate("-o", "evaluation.split=dev_mm"))["split"] == "dev_mm"
