"""Where the time goes: phases by a clock that a test turns by hand."""

import time

import pytest

from unimo_paddle.engine import clock as module
from unimo_paddle.engine.clock import Clock


class Hand:
    """A clock that stands still until it is turned."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr(module.time, "perf_counter", lambda: self.now)

    def turn(self, seconds):
        self.now += seconds


def test_phases_add_up_and_an_inner_one_is_not_counted_twice(monkeypatch):
    hand = Hand(monkeypatch)
    clock = Clock()
    hand.turn(1)
    for _ in range(2):
        with clock.phase("forward"):
            hand.turn(2)
            with clock.phase("communication"):
                hand.turn(4)
            hand.turn(8)
    hand.turn(16)
    assert clock.seconds == {"forward": 20.0, "communication": 8.0}
    assert clock.phases() == {"forward": 20.0, "communication": 8.0, "other": 17.0}
    assert clock.total() == 45.0


def test_what_the_device_still_does_belongs_to_the_phase_that_asked_for_it(monkeypatch):
    hand, waiting = Hand(monkeypatch), []

    def synchronise():
        while waiting:
            hand.turn(waiting.pop())

    clock = Clock(synchronise)
    with clock.phase("forward"):
        waiting.append(5)  # handed over, not waited for
    with clock.phase("optimizer"):
        hand.turn(1)
    assert clock.seconds == {"forward": 5.0, "optimizer": 1.0}


def test_a_phase_that_fails_is_closed(monkeypatch):
    hand = Hand(monkeypatch)
    clock = Clock()
    with pytest.raises(KeyError), clock.phase("data"):
        hand.turn(3)
        raise KeyError
    hand.turn(1)
    assert clock.phases() == {"data": 3.0, "other": 1.0}


def test_real_seconds():
    clock = Clock()
    with clock.phase("data"):
        time.sleep(0.02)
    assert 0.02 <= clock.seconds["data"] <= clock.total()
    assert clock.phases()["other"] >= 0
