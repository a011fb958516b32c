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

from tests.engine.small_work import WEIGHTS, Batch, Part, SmallWork, small_trainer
from unimo_paddle.engine.checkpoint import Checkpoints
from unimo_paddle.engine.log import read_metrics
from unimo_paddle.engine.passes import weighted_sum
from unimo_paddle.engine.precision import LossScaler, Precision
from unimo_paddle.engine.probe import Probed
from unimo_paddle.engine.trainer import Watch
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
    process = start(tmp_path, 0.03)
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


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_signal_saves_the_step_and_leaves_politely(tmp_path, unbroken, number, status):
    process = start(tmp_path, 0.03)
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
    assert (first.kind, first.tokens, first.rows, first.flops) == ("small", 64, 66, 200.0)
    assert (first.scale, first.overflows) == (1.0, 0) and first.memory > 10**7
    assert first.phases.keys() == {"data", "communication", "forward", "backward", "optimizer", "other"}
    assert sum(first.phases.values()) == pytest.approx(first.seconds, rel=0.05)


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
    """Its square objective is NaN in the second part of step index 14."""

    def losses(self, part):
        terms = super().losses(part)
        if np.array_equal(part.tokens, self.batch(14).parts[1].tokens):
            square = terms["square"]
            terms["square"] = LossTerm(square.sum * float("nan"), square.count)
        return terms


def test_a_loss_that_is_no_number_stops_the_run(tmp_path):
    work = Spoiled()
    with pytest.raises(UserError) as error:
        small_trainer(tmp_path, STEPS, work).run()
    text = str(error.value)
    assert "step 15 (small) is not finite" in text and "square (nan)" in text and "words" not in text
    assert "example-14-0" in text and "and 56 more" in text and "--replay" in text
    assert newest(tmp_path).step == 10  # nothing spoiled was saved
    assert all(np.isfinite(p.numpy()).all() for p in work.model.parameters())
    assert [name for name, p in work.model.named_parameters() if p.grad is not None] == []


def test_a_spoiled_objective_without_weight_does_no_harm(tmp_path):
    trainer = small_trainer(tmp_path, STEPS, Spoiled(), weights={"words": 1.0, "square": 0.0})
    with pytest.raises(UserError, match="square"):  # it is still told, for it is computed
        trainer.run()
    terms = {"words": term(2.0), "square": term(float("inf"))}
    assert float(weighted_sum(terms, {"words": 3.0, "square": 0.0}, {"words": 4, "square": 9})) == 1.5
    assert weighted_sum({"square": term(1.0)}, {"square": 0.0}, {"square": 1}) is None


def term(number):
    return LossTerm(paddle.to_tensor(number), paddle.to_tensor(1.0))


class SpoiledGradient(SmallWork):
    """Finite loss, infinite gradient: the root of 0."""

    def losses(self, part):
        zero = (self.model(paddle.to_tensor(part.tokens)) * 0.0).sum()
        return {"words": LossTerm(zero.sqrt(), paddle.to_tensor(1.0))}


def test_a_gradient_that_is_no_number_changes_nothing(tmp_path):
    work = SpoiledGradient()
    before = [p.numpy() for p in work.model.parameters()]
    with pytest.raises(UserError, match=r"step 1 \(small\) is not finite in the gradient"):
        small_trainer(tmp_path, STEPS, work).run()
    assert all(np.array_equal(a, p.numpy()) for a, p in zip(before, work.model.parameters(), strict=True))
    assert not (tmp_path / "checkpoints").exists()


class Uncut(SmallWork):
    """The same batches in one part, without dropout."""

    def __init__(self):
        super().__init__()
        self.model.drop.p = 0.0

    def batch(self, step):
        batch = super().batch(step)
        joined = (np.concatenate([getattr(part, name) for part in batch.parts]) for name in ("tokens", "targets"))
        return Batch(batch.kind, batch.ids, [Part(*joined, step % 2 == 0)])


def test_parts_of_a_batch_give_the_step_of_the_whole(tmp_path):
    cut, whole = SmallWork(), Uncut()
    cut.model.drop.p = 0.0
    records = [
        [trainer.train_step(step) for step in range(6)]
        for trainer in (small_trainer(tmp_path, 6, cut), small_trainer(tmp_path, 6, whole))
    ]
    for one, other in zip(*records, strict=True):
        assert (one.loss, one.grad_norm) == pytest.approx((other.loss, other.grad_norm), rel=1e-5)
        assert one.losses == pytest.approx(other.losses, rel=1e-5)
    for a, b in zip(cut.model.parameters(), whole.model.parameters(), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=1e-6)


class Overflowing(SmallWork):
    """Its gradient is infinite at the step indices given, as float16's is when the scale is too high."""

    def __init__(self, steps):
        super().__init__()
        self.steps, self.step = steps, -1

    def batch(self, step):
        self.step = step
        return super().batch(step)

    def losses(self, part):
        terms = super().losses(part)
        if self.step in self.steps:
            spoil = (self.model.out.bias[0] * 0.0).sqrt()  # 0, with an infinite gradient
            terms["words"] = LossTerm(terms["words"].sum + spoil, terms["words"].count)
        return terms


def scaled(**settings):
    """Precision as of float16 on a GPU, without its casts."""
    precision = Precision()
    precision.scaler = LossScaler(**settings)
    return precision


def test_an_overflow_is_skipped_counted_and_halves_the_scale(tmp_path):
    work = Overflowing({2, 3})
    trainer = small_trainer(tmp_path, 8, work, precision=scaled(scale=1024.0, growth_steps=3))
    records, bias = [], []
    for step in range(8):
        records.append(trainer.train_step(step))
        bias.append(work.model.out.bias.numpy())
    assert [record.scale for record in records] == [1024, 1024, 1024, 512, 256, 256, 256, 512]
    assert [record.overflows for record in records] == [0, 0, 1, 2, 2, 2, 2, 2]
    assert [bool(np.isnan(record.grad_norm)) for record in records] == [step in (2, 3) for step in range(8)]
    assert all(np.isfinite(record.loss) for record in records)
    assert np.array_equal(bias[1], bias[3]) and not np.array_equal(bias[3], bias[4])


def test_the_scale_changes_no_update(tmp_path):
    works = [SmallWork(), SmallWork()]
    plain = small_trainer(tmp_path, 6, works[0])
    other = small_trainer(tmp_path, 6, works[1], precision=scaled(scale=2.0**12, growth_steps=2))
    for step in range(6):
        one, two = plain.train_step(step), other.train_step(step)
        assert (one.loss, one.grad_norm) == pytest.approx((two.loss, two.grad_norm), rel=1e-5)
    for a, b in zip(*(work.model.parameters() for work in works), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-7)


def test_a_scaler_goes_on_where_its_checkpoint_was(tmp_path):
    small_trainer(tmp_path, 4, Overflowing({1}), precision=scaled(scale=8.0, growth_steps=9), save_every=4).run()
    precision = scaled()
    assert small_trainer(tmp_path, 4, precision=precision).restore() == 4
    assert precision.scaler.state() == {"scale": 4.0, "overflows": 1, "in_a_row": 0, "good": 2}


def test_a_scale_that_collapses_ends_the_run(tmp_path):
    work = Overflowing({2, 3, 4, 5})
    with pytest.raises(UserError, match=r"step 5 .*3 steps in a row.*scale is down to 0.5"):
        small_trainer(tmp_path, 8, work, precision=scaled(scale=4.0)).run()
    assert (tmp_path / "failed-step-00000005" / "rank-00000").is_dir()


def probing(values):
    """A probe that spoils the random state and remembers what it saw."""
    seen = []

    def probe(step):
        paddle.seed(1)
        seen.append((step, work.model.training))
        return Probed({"recall": values.pop(0)} if values else {})

    work = SmallWork()
    return work, probe, seen


def test_a_probe_changes_nothing_and_the_best_is_kept(tmp_path, unbroken):
    work, probe, seen = probing([0.1, 0.9, 0.5, 0.2])
    small_trainer(tmp_path, STEPS, work, save_every=100, watch=Watch(probe, 10, "recall")).run()
    assert seen == [(step, False) for step in (10, 20, 30, 40)] and work.model.training
    assert_same_run(tmp_path, unbroken)
    assert (tmp_path / "checkpoints" / "best").resolve().name == "step-00000020"
    assert len((tmp_path / "probes.jsonl").read_text().splitlines()) == 4


def test_a_best_that_no_probe_measures_is_told(tmp_path):
    work, probe, _ = probing([])
    with pytest.raises(UserError, match="keep_best is recall"):
        small_trainer(tmp_path, STEPS, work, watch=Watch(probe, 2, "recall")).run()


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
