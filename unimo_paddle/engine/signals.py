"""Leaving in good order: signals that wait for the end of the step, and an end for a process that waits for ever."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

SAVED = os.EX_TEMPFAIL  # 75: "saved, start me again"
INTERRUPTED = 128 + signal.SIGINT
STUCK_SECONDS = 900.0
_ECHO_SECONDS = 20.0
_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


@dataclass
class StopWish:
    """Whether this process was asked to stop, and the status to exit with when that is done; 0 before."""

    requested: bool = False
    status: int = 0
    since: float = 0.0


@contextmanager
def stop_signals() -> Iterator[StopWish]:
    """Yield what SIGTERM, SIGUSR1 (status 75) or SIGINT (status 130) sets, so that the step can end and be saved.

    A second one acts at once, as it would have without us: SIGINT always, the others when 20 seconds have passed. For
    Paddle's launcher sends SIGTERM three times, to one rank after the other, which takes 0.6 seconds each, and a
    scheduler may have sent its own to all of them before. Handlers are given back at the end of the block.
    """
    wish = StopWish()
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def note(number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not wish.requested:
            wish.requested, wish.status, wish.since = True, INTERRUPTED if number == signal.SIGINT else SAVED, now
            _tell(b"stopping after this step (once more to stop at once)\n")
        elif number == signal.SIGINT or now - wish.since > _ECHO_SECONDS:
            restore()
            signal.raise_signal(number)

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in before:
        signal.signal(number, note)
    try:
        yield wish
    finally:
        restore()


@contextmanager
def ended_when_stuck(seconds: float = STUCK_SECONDS) -> Iterator[Callable[[], None]]:
    """Yield a function to call once a step: `seconds` without a call end the process, with status 1.

    What it waited in is printed first. A rank whose peer has died may wait in a collective operation for ever, and
    nothing in Python can end that; here a thread of the C library does.
    """

    def alive() -> None:
        faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__ or sys.stderr)

    alive()
    try:
        yield alive
    finally:
        faulthandler.cancel_dump_traceback_later()


@contextmanager
def unhurried() -> Iterator[None]:
    """Let the block take as long as it likes; the next step's call sets the time again."""
    faulthandler.cancel_dump_traceback_later()
    yield


def _tell(line: bytes) -> None:
    os.write(2, line)  # print() may be busy
