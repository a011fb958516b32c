"""The lines of a run: kept to the restored step, averaged by hand."""

import pytest

from unimo_paddle.engine.log import Log, StepRecord, console_line, read_metrics, window_means


def record(step, **losses):
    return StepRecord(step, sum(losses.values()), losses, 0.1 * step, 2.0 * step, 8, 0.5, 0.1, time=1e9 + step)


def test_means_over_the_steps_that_had_the_objective():
    means = window_means([record(1, a=1.0), record(2, a=3.0, b=5.0)])
    assert means == {
        "loss/total": pytest.approx(4.5), "loss/a": 2.0, "loss/b": 5.0,
        "train/learning_rate": pytest.approx(0.2), "train/gradient_norm": 3.0,
        "train/examples_per_second": pytest.approx(16.0), "train/seconds_per_step": 0.5,
        "train/data_wait_percent": pytest.approx(20.0),
    }
    line = console_line(2, 1000, means)
    assert line == "step 2/1,000 (0 %) loss 4.5 (a 2, b 5) rate 0.2 norm 3, 16 examples/s, 8 min 19 s left"


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


def test_no_file_is_no_steps(tmp_path):
    assert read_metrics(tmp_path / "metrics.jsonl") == []
