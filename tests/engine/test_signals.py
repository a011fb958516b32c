"""Stopping in good order, and not waiting for ever."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from unimo_paddle.engine import signals
from unimo_paddle.engine.signals import ended_when_stuck, stop_signals

ROOT = Path(__file__).resolve().parents[2]
NUMBERS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


def handlers():
    return [signal.getsignal(number) for number in NUMBERS]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 75), (signal.SIGUSR1, 75), (signal.SIGINT, 130)])
def test_a_signal_is_a_wish_and_says_so(number, status, capfd):
    before = handlers()
    with stop_signals() as stop:
        assert (stop.requested, stop.status) == (False, 0)
        os.kill(os.getpid(), number)
        assert (stop.requested, stop.status) == (True, status)
    assert handlers() == before
    assert capfd.readouterr().err == "stopping after this step (once more to stop at once)\n"


def test_the_launchers_three_signals_are_one_wish():
    with stop_signals() as stop:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGTERM)
        assert stop.requested


def test_a_second_interrupt_acts_at_once_whatever_the_first_was():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        with pytest.raises(KeyboardInterrupt), stop_signals():
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


class Ended(Exception):
    pass


def test_a_later_second_signal_acts_at_once(monkeypatch):
    def end(number, frame):
        raise Ended

    before = signal.signal(signal.SIGTERM, end)
    try:
        with pytest.raises(Ended), stop_signals():
            os.kill(os.getpid(), signal.SIGTERM)
            now = time.monotonic()
            monkeypatch.setattr(signals.time, "monotonic", lambda: now + 21)
            os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) == end
    finally:
        signal.signal(signal.SIGTERM, before)


STUCK = """
import threading, time
from unimo_paddle.engine.signals import ended_when_stuck
with ended_when_stuck(0.5) as alive:
    for _ in range(8):
        time.sleep(0.1)
        alive()
    print("busy for longer than the bound", flush=True)
    threading.Lock().acquire()
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
"""


def test_a_process_that_waits_for_ever_says_where_and_ends():
    done = subprocess.run([sys.executable, "-c", STUCK], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and done.stdout == "busy for longer than the bound\n"
    assert "Timeout" in done.stderr and "line 12 in <module>" in done.stderr


def test_the_bound_ends_with_the_block():
    with ended_when_stuck(0.05) as alive:
        alive()
    time.sleep(0.2)
