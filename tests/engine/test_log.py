"""The lines of a run: kept to the restored step, averaged by hand, drawn for VisualDL."""

import json
import math

import numpy as np
import pytest

from unimo_paddle.engine.log import Log, StepRecord, console_line, read_metrics, window_means
from unimo_paddle.engine.probe import Probed, ProbeFile

PHASES = {"data": 0.05, "forward": 0.1, "backward": 0.2, "communication": 0.0, "optimizer": 0.1, "other": 0.05}


def record(step, kind="pair", **losses):
    return StepRecord(
        step=step, kind=kind, loss=sum(losses.values()), losses=losses, lr=0.1 * step, grad_norm=2.0 * step, scale=1.0,
        overflows=0, examples=8, tokens=60, rows=80, flops=1e9, seconds=0.5, phases=PHASES, memory=step * 2**29,
        time=1e9 + step,
    )  # fmt: skip


@pytest.fixture
def curves(monkeypatch):
    """What VisualDL's writer is given: (method, tag, value, step)."""
    told = []

    class Writer:
        def __init__(self, folder, flush_secs):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

        def add_scalar(self, tag, value, step, walltime):
            told.append(("scalar", tag, value, step))

        def add_text(self, tag, text, step, walltime):
            told.append(("text", tag, text, step))

        def add_image(self, tag, pixels, step, walltime):
            told.append(("image", tag, pixels.shape, step))

    monkeypatch.setattr("visualdl.LogWriter", Writer)
    return told


def test_means_over_the_steps_that_had_the_objective_and_the_kind():
    means = window_means([record(1, "text", a=1.0), record(2, a=3.0, b=5.0)], peak_flops=1e10)
    assert means == {
        "loss/total": pytest.approx(4.5), "loss/a": 2.0, "loss/b": 5.0,
        "loss_by_kind/text": 1.0, "loss_by_kind/pair": 8.0,
        "train/learning_rate": pytest.approx(0.2), "train/gradient_norm": 3.0,
        "train/loss_scale": 1.0, "train/overflows": 0,
        "train/examples_per_second": pytest.approx(16.0), "train/tokens_per_second": pytest.approx(120.0),
        "train/padding_percent": pytest.approx(25.0), "train/seconds_per_step": 0.5, "train/memory_gib": 1.0,
        "train/mfu": pytest.approx(0.2),  # 2e9 FLOPs in a second, of 1e10
        "time/data_percent": pytest.approx(10.0), "time/forward_percent": pytest.approx(20.0),
        "time/backward_percent": pytest.approx(40.0), "time/communication_percent": 0.0,
        "time/optimizer_percent": pytest.approx(20.0), "time/other_percent": pytest.approx(10.0),
    }  # fmt: skip
    line = console_line(2, 1000, means)
    assert line == (
        "step 2/1,000 (0 %) loss 4.5 (a 2, b 5) rate 0.2 norm 3, 16 examples/s, 120 tokens/s, MFU 20 %, "
        "data wait 10 %, 8 min 19 s left"
    )


def test_an_overflow_shows_but_is_in_no_mean():
    skipped = StepRecord(**{**vars(record(2, a=1.0)), "grad_norm": math.nan, "scale": 512.0, "overflows": 3})
    means = window_means([record(1, a=1.0), skipped])
    assert means["train/gradient_norm"] == 2.0 and "train/mfu" not in means
    assert "norm 2 scale 512, 3 overflows, 16 examples/s, 120 tokens/s, data wait" in console_line(2, 9, means)
    assert math.isnan(window_means([skipped])["train/gradient_norm"])


def test_every_line_is_plain_json_also_of_an_overflow(tmp_path, curves):
    bad = StepRecord(**{**vars(record(1, a=1.0)), "grad_norm": math.inf})
    with Log(tmp_path, log_every=1, steps=6).open(0) as log:
        log.write(bad)
        log.write(record(2, a=1.0))
    first, second = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(first, parse_constant=pytest.fail)["grad_norm"] is None
    assert list(json.loads(second)) == [*StepRecord.__dataclass_fields__]
    read = read_metrics(tmp_path / "metrics.jsonl")
    assert math.isnan(read[0].grad_norm) and read[1] == record(2, a=1.0)
    assert [step for _, tag, _, step in curves if tag == "train/gradient_norm"] == [2]


def test_lines_beyond_the_restored_step_are_dropped(tmp_path, capsys):
    log = Log(tmp_path, log_every=2, steps=6)
    with log.open(0):
        for step in range(1, 6):
            log.write(record(step, a=1.0))
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "loss"')  # cut short by a kill
    assert [r.step for r in read_metrics(tmp_path / "metrics.jsonl")] == [1, 2, 3, 4, 5]
    capsys.readouterr()
    with log.open(3):
        log.write(record(4, a=2.0))
    kept = read_metrics(tmp_path / "metrics.jsonl")
    assert [(r.step, r.losses["a"]) for r in kept] == [(1, 1.0), (2, 1.0), (3, 1.0), (4, 2.0)]
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("step 4/6 (66 %) loss 1.5 ")  # the mean over steps 3 and 4, one from each run


@pytest.mark.parametrize("line", ["", "[]", '"text"', "{}", '{"step": 1, "loss": 2.0, "losses": {}}'])
def test_a_line_of_another_version_ends_the_file(tmp_path, line):
    (tmp_path / "metrics.jsonl").write_text(line + "\n")
    assert read_metrics(tmp_path / "metrics.jsonl") == []


def test_no_file_is_no_steps(tmp_path):
    assert read_metrics(tmp_path / "metrics.jsonl") == []


def probed(value):
    pixels = np.full((2, 3, 3), value, np.uint8)
    return Probed({"recall_R@1": float(value)}, {"regions": pixels}, {"captions": f"caption {value}\ntrue"})


def test_probes_are_kept_to_the_restored_step_and_drawn_again(tmp_path, curves, capsys):
    log = Log(tmp_path, log_every=1, steps=6)
    with log.open(0):
        for step in (2, 4):
            log.probed(step, probed(step))
    assert "probe after step 4: recall_R@1 4" in capsys.readouterr().out
    with (tmp_path / "probes.jsonl").open("a") as file:
        file.write('{"step": 5, "val')
    first = [entry for entry in curves if entry[3] == 2]
    curves.clear()
    with log.open(3):
        log.probed(4, probed(9))
    assert curves[:3] == first == [
        ("scalar", "probe/recall_R@1", 2.0, 2), ("text", "texts/captions", "caption 2 | true", 2),
        ("image", "pictures/regions", (2, 3, 3), 2),
    ]  # fmt: skip
    records = ProbeFile(tmp_path).read()
    assert [(r.step, r.values["recall_R@1"], r.texts["captions"]) for r in records] == [
        (2, 2.0, "caption 2\ntrue"), (4, 9.0, "caption 9\ntrue")]  # fmt: skip
    shown = {(step, name): int(pixels[0, 0, 0]) for step, name, pixels in ProbeFile(tmp_path).pictures([2, 3, 4])}
    assert shown == {(2, "regions"): 2, (4, "regions"): 9}


def test_a_folder_without_probes_has_none(tmp_path):
    assert ProbeFile(tmp_path).read() == ProbeFile(tmp_path).keep(0) == []
    assert not list(tmp_path.iterdir())
