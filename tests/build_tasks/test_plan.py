"""Learning rates, the plan that --dry-run prints, and what rewards are judged by."""

import re
from pathlib import Path

import numpy as np
import pytest

from tests.build_tasks.task_world import Places, World, finished
from tests.mini_world import CONFIGS, call
from unimo_paddle.build.finetuning import judge_of_rewards, rate_of_epochs
from unimo_paddle.build.task_sources import open_sources
from unimo_paddle.config import FinetuneRun, load_run
from unimo_paddle.metrics.cider import CiderD
from unimo_paddle.records import TaskData
from unimo_paddle.tasks import TASKS

SHIPPED = sorted(CONFIGS.glob("finetune/*_base.yaml"))


def rates(path: Path, per_epoch: int, *overrides: str) -> tuple[FinetuneRun, np.ndarray]:
    """A run and the learning rate of each of its updates."""
    run = load_run(path, overrides)
    assert isinstance(run, FinetuneRun)
    settings = run.train.in_steps(per_epoch)
    rate = rate_of_epochs(run, settings, per_epoch)
    return run, np.array([rate(step) for step in range(settings.steps)])


def test_the_releases_glue_runs_end_their_schedule_early() -> None:
    """release.md 8.1: with 8 devices the warm-up is 48 % of the updates, and the last rate 87.5 % of the peak."""
    run, found = rates(CONFIGS / "finetune" / "sst2_base.yaml", 1000)
    assert (run.optimizer.schedule, run.optimizer.schedule_devices, len(found)) == ("release", 8, 10_000)
    peak = run.optimizer.peak_lr
    assert found[0] == 0 and found.argmax() == 4799 and found[4799] == pytest.approx(peak * 4799 / 4800)
    assert found[4800] == pytest.approx(peak * (1 - 0.06)), "the jump: down is measured from step 0"
    assert found[-1] == pytest.approx(0.875 * peak, rel=1e-4)


def test_cola_had_four_devices() -> None:
    run, found = rates(CONFIGS / "finetune" / "cola_base.yaml", 1000)
    assert found.argmax() == 0.24 * len(found) - 1
    assert found[-1] == pytest.approx(0.75 * run.optimizer.peak_lr, rel=1e-4)


def test_the_standard_schedule_meets_at_the_peak_and_ends_at_nothing() -> None:
    run, found = rates(CONFIGS / "finetune" / "cnndm_base.yaml", 50, "optimizer.schedule=linear")
    assert found.argmax() == 60 and found[60] == run.optimizer.peak_lr and found[0] == 0
    assert np.all(np.diff(found[60:]) < 0) and found[-1] == pytest.approx(run.optimizer.peak_lr / 940)
    _, released = rates(CONFIGS / "finetune" / "cnndm_base.yaml", 50, "optimizer.schedule=release")
    assert released[:60].tolist() == found[:60].tolist()
    assert released[60] == pytest.approx(0.94 * run.optimizer.peak_lr)


def test_retrieval_drops_after_24_and_32_epochs() -> None:
    run, found = rates(CONFIGS / "finetune" / "flickr30k_base.yaml", 10)
    assert len(found) == 400 and run.optimizer.schedule == "epochs"
    by_epoch = found.reshape(40, 10) / run.optimizer.peak_lr
    expected = [1.0] * 24 + [0.1] * 8 + [0.01] * 8
    np.testing.assert_allclose(by_epoch, np.repeat(expected, 10).reshape(40, 10))


def test_noam_falls_with_the_root() -> None:
    run, found = rates(CONFIGS / "finetune" / "vqa_base.yaml", 100, "optimizer.schedule=noam", "optimizer.warmup=0.1")
    steps = len(found)
    assert found[steps // 10 * 4] == pytest.approx(run.optimizer.peak_lr / 2)


@pytest.mark.parametrize("config", SHIPPED, ids=lambda path: path.stem)
def test_a_plan_needs_no_data(config: Path, tmp_path: Path) -> None:
    nowhere = [f"data.records={tmp_path}/records", f"data.tokenizer={tmp_path}/x", f"output.directory={tmp_path}/run"]
    done = finished(call(["train", "-c", str(config), "--dry-run", "-o", *nowhere]))
    run = load_run(config)
    assert isinstance(run, FinetuneRun)
    assert "encoder: 12 layers of 768, 125,6" in done.out, "125.63 M parameters, release.md section 2"
    for one in TASKS[run.task].published:
        assert (f"published: {one.metric} {one.score} on {one.split}" in done.out) == (one.size == "base")
    assert f"{tmp_path}/records/train.jsonl is not there yet: steps are not known" in done.out


def test_data_that_are_there_make_the_plan_exact(tmp_path: Path, places: Places) -> None:
    world = World(tmp_path, places, "snli_ve", more={"train.epochs": 5, "optimizer.warmup": 0.2})
    finished(world.prepare())
    world.write_config()
    done = finished(world.train(words=("--dry-run",)))
    assert "10 steps, 2 an epoch of 4 examples" in done.out
    shown = dict(re.findall(r"(\S+) at (\d+)", done.out.splitlines()[-1]))
    _, found = rates(world.config, 2)
    assert {int(step): float(rate) for rate, step in shown.items()}[9] == pytest.approx(found[9], rel=1e-2)
    assert not world.run.exists()
    assert "reads image, text; best checkpoint by accuracy on dev" in done.out
    finished(world.train())
    assert len((world.run / "metrics.jsonl").read_text().splitlines()) == 10


def test_rewards_count_n_grams_by_image(tmp_path: Path, places: Places) -> None:
    """Two captions of an image are one document, as CIDEr's frequencies want it."""
    world = World(tmp_path, places, "coco_caption", more={"reward.samples": 2})
    finished(world.prepare())
    world.write_config()
    run = load_run(world.config)
    assert isinstance(run, FinetuneRun)
    sources, data = open_sources(run), TaskData(run.data.records)
    judge = judge_of_rewards(run, sources, data)
    by_image: dict[str, list[str]] = {}
    for record in data.records("train"):
        by_image.setdefault(str(record.image), []).append(str(record.target))
    assert len(by_image) == 8 and {len(said) for said in by_image.values()} == {2}
    oracle = CiderD(list(by_image.values()))
    said, right = ["dog 3 is near a pond", "dog 9"], [by_image["2"], by_image["3"]]
    np.testing.assert_array_equal(judge.score(said, right), oracle.scores(said, right))
    assert judge.score([right[0][0]], [right[0][:1]])[0] > judge.score(["a cat"], [right[0][:1]])[0] == 0
    assert judge.most == 6, "as the run decodes"
    assert judge.ids.end == sources.tokenizer.sep and judge.ids.start == sources.tokenizer.cls
