"""A window of steps in a Chrome trace that any JSON reader opens."""

import json

import paddle
import pytest

from unimo_paddle.engine.clock import Clock
from unimo_paddle.engine.profile import profiler


def step_with(profile, number):
    clock = Clock()
    with profile.step(number), clock.phase("forward"):
        paddle.matmul(paddle.ones([4, 4]), paddle.ones([4, 4]))


def test_the_trace_holds_the_windows_steps_phases_and_operators(tmp_path, capsys):
    profile = profiler((3, 4), tmp_path / "profile")
    for number in range(1, 7):
        step_with(profile, number)
    (trace,) = (tmp_path / "profile").iterdir()
    assert trace.name == "steps-3-4.json" and f"profile of steps 3 to 4: {trace}" in capsys.readouterr().out
    names = [event.get("name", "") for event in json.loads(trace.read_text())["traceEvents"]]
    assert sum(name.startswith("forward") for name in names) == 2
    assert sum("matmul" in name for name in names) >= 2


def test_a_run_that_resumes_within_the_window_records_the_rest(tmp_path):
    profile = profiler((3, 4), tmp_path)
    step_with(profile, 4)
    assert [path.name for path in tmp_path.iterdir()] == ["steps-4-4.json"]


def test_a_step_that_fails_leaves_what_was_recorded(tmp_path):
    profile = profiler((1, 5), tmp_path)
    step_with(profile, 1)
    with pytest.raises(KeyError), profile.step(2):
        raise KeyError
    assert len(list(tmp_path.iterdir())) == 1


def test_an_empty_window_records_nothing(tmp_path):
    step_with(profiler((), tmp_path), 1)
    assert not list(tmp_path.iterdir())
