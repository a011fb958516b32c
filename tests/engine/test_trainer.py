"""The loop: what it learns, what it writes, and that a run which was killed ends as if it never had been."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import paddle
import pytest

from tests.engine.small_work import WEIGHTS, SmallWork, small_trainer
from unimo_paddle.engine.checkpoint import Checkpoints
from unimo_paddle.engine.log import read_metrics
from unimo_paddle.errors import UserError
from unimo_paddle.objectives.terms import LossTerm

ROOT = Path(__file__).resolve().parents[2]
STEPS = 40


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """A run of 40 steps without a break."""
    directory = tmp_path_factory.mktemp("unbroken")
    small_trainer(directory, STEPS).run()
    return directory


def start(directory, pause):
    command = [sys.executable, "-m", "tests.engine.small_work", str(directory), str(STEPS), str(pause)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for_step(directory, step, process):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if len(read_metrics(directory / "metrics.jsonl")) >= step:
            return
        time.sleep(0.02)
    pytest.fail(f"step {step} was not reached: {process.communicate()[0]}")


def newest(directory):
    return Checkpoints(directory / "checkpoints", 2).newest()


def assert_same_run(one, other):
    """The same weights, moments and losses, bit for bit."""
    first, second = newest(one), newest(other)
    assert first.step == second.step == STEPS
    for kind in ("model", "optimizer"):
        a, b = getattr(first, kind), getattr(second, kind)
        assert a.keys() == b.keys()
        assert all(np.array_equal(a[name], b[name]) for name in a)
    told = told_by(one)
    assert told == told_by(other)
    assert [step for step, *_ in told] == list(range(1, STEPS + 1))


def told_by(directory):
    return [(r.step, r.losses, r.loss, r.lr, r.grad_norm) for r in read_metrics(directory / "metrics.jsonl")]


def test_a_killed_run_ends_as_one_never_interrupted(tmp_path, unbroken):
    process = start(tmp_path, 0.05)
    wait_for_step(tmp_path, 23, process)
    process.kill()
    process.communicate()
    assert newest(tmp_path).step in (20, 30)
    (tmp_path / "checkpoints" / ".tmp-step-00000099-x").mkdir()  # what a kill in the middle of saving leaves
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 24, "lo')
    small_trainer(tmp_path, STEPS).run()
    assert_same_run(tmp_path, unbroken)
    assert not list(tmp_path.rglob(".tmp-*"))


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_the_step_and_leaves_politely(tmp_path, unbroken, number, status):
    process = start(tmp_path, 0.05)
    wait_for_step(tmp_path, 3, process)
    os.kill(process.pid, number)
    output = process.communicate(timeout=30)[0]
    assert process.returncode == status
    assert "run the same command to go on" in output and "Traceback" not in output
    stopped = newest(tmp_path).step
    assert 3 <= stopped < 10 and len(read_metrics(tmp_path / "metrics.jsonl")) == stopped
    small_trainer(tmp_path, STEPS).run()
    assert_same_run(tmp_path, unbroken)


def test_the_signal_handlers_are_given_back(tmp_path):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    small_trainer(tmp_path, 1).run()
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_it_learns(unbroken):
    losses = [record.losses["words"] for record in read_metrics(unbroken / "metrics.jsonl")]
    assert losses[0] == pytest.approx(np.log(50), rel=0.15)
    assert losses[-1] < 0.6 * losses[0]


def test_the_total_is_the_weighted_sum_of_means(unbroken):
    first, second = read_metrics(unbroken / "metrics.jsonl")[:2]
    assert first.loss == pytest.approx(first.losses["words"] + 0.5 * first.losses["square"], rel=1e-6)
    assert second.losses.keys() == {"words"} and second.loss == second.losses["words"]
    assert first.examples == 64 and first.lr == 0.0 and second.lr == pytest.approx(0.01)


def test_a_finished_run_says_so_and_trains_no_more(unbroken, capsys):
    work = SmallWork()
    work.batch = None  # asking for a batch would fail
    small_trainer(unbroken, STEPS, work).run()
    assert "finished: all 40 steps" in capsys.readouterr().out


def test_a_damaged_newest_checkpoint_falls_back(tmp_path, unbroken, capsys):
    small_trainer(tmp_path, STEPS).run()
    broken = tmp_path / "checkpoints" / "step-00000040" / "optimizer.safetensors"
    data = bytearray(broken.read_bytes())
    data[-1] ^= 1
    broken.write_bytes(data)
    small_trainer(tmp_path, STEPS).run()
    out = capsys.readouterr().out
    assert "warning" in out and str(broken) in out and "from step 30" in out
    assert_same_run(tmp_path, unbroken)


class Spoiled(SmallWork):
    """Its square objective is NaN at step index 14."""

    def losses(self, batch):
        terms = super().losses(batch)
        if batch.ids[0].startswith("example-14-"):
            square = terms["square"]
            terms["square"] = LossTerm(square.sum * float("nan"), square.count)
        return terms


def test_a_loss_that_is_no_number_stops_the_run(tmp_path):
    work = Spoiled()
    with pytest.raises(UserError) as error:
        small_trainer(tmp_path, STEPS, work).run()
    text = str(error.value)
    assert "step 15" in text and "square (nan)" in text and "words" not in text
    assert "example-14-0" in text and "and 56 more" in text
    assert newest(tmp_path).step == 10  # nothing spoiled was saved
    assert all(np.isfinite(p.numpy()).all() for p in work.model.parameters())


def test_a_spoiled_objective_without_weight_does_no_harm(tmp_path):
    trainer = small_trainer(tmp_path, STEPS, Spoiled(), weights={"words": 1.0, "square": 0.0})
    with pytest.raises(UserError, match="square"):  # it is still told, for it is computed
        trainer.run()
    total = trainer._total({"words": paddle.to_tensor(2.0), "square": paddle.to_tensor(float("inf"))})
    assert float(total) == 2.0
    assert trainer._total({"square": paddle.to_tensor(1.0)}) is None


class SpoiledGradient(SmallWork):
    """Finite loss, infinite gradient: the root of 0."""

    def losses(self, batch):
        zero = (self.model(paddle.to_tensor(batch.tokens)) * 0.0).sum()
        return {"words": LossTerm(zero.sqrt(), paddle.to_tensor(1.0))}


def test_a_gradient_that_is_no_number_changes_nothing(tmp_path):
    work = SpoiledGradient()
    before = [p.numpy() for p in work.model.parameters()]
    with pytest.raises(UserError, match="step 1 is not finite in the gradient"):
        small_trainer(tmp_path, STEPS, work).run()
    assert all(np.array_equal(a, p.numpy()) for a, p in zip(before, work.model.parameters(), strict=True))
    assert not (tmp_path / "checkpoints").exists()


def test_several_processes_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", "2")
    with pytest.raises(UserError, match="2 processes"):
        small_trainer(tmp_path, STEPS).run()


def test_visualdl_shows_each_point_once(tmp_path):
    from visualdl import LogReader

    small_trainer(tmp_path, 20, save_every=20).run()
    small_trainer(tmp_path, STEPS, save_every=20).run()  # goes on to 40
    (file,) = (tmp_path / "visualdl").glob("*.log")
    points = LogReader(file_path=str(file)).get_data("scalar", "loss/words")
    assert [point.id for point in points] == [10, 20, 30, 40]
    records = read_metrics(tmp_path / "metrics.jsonl")[10:20]
    assert points[1].value == pytest.approx(np.mean([r.losses["words"] for r in records]), rel=1e-5)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert len(lines) == STEPS and set(WEIGHTS) == set(lines[0]["losses"])
