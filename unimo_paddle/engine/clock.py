"""Where the seconds of a step go."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from paddle.profiler import RecordEvent


def _nothing() -> None:
    return


class Clock:
    """Started when it is made, one for each step. seconds: by phase, what was spent in it and in no phase within it.

    synchronise: waits until the device has done what it was given, so that its time falls into the phase that asked
    for it; on a CPU there is nothing to wait for.
    """

    def __init__(self, synchronise: Callable[[], None] = _nothing) -> None:
        self.seconds: dict[str, float] = {}
        self._synchronise = synchronise
        self._open: list[str] = []
        self._begun = self._mark = time.perf_counter()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the block's time as this phase, which may come again; a profiler's trace shows it under this name."""
        self._switch()
        self._open.append(name)
        try:
            with RecordEvent(name):
                yield
        finally:
            self._switch()
            self._open.pop()

    def total(self) -> float:
        """Return the seconds since the clock was made."""
        self._synchronise()
        return time.perf_counter() - self._begun

    def phases(self) -> dict[str, float]:
        """Return `seconds` and, as `other`, what was spent outside all phases; together they are the total."""
        total = self.total()
        return {**self.seconds, "other": total - sum(self.seconds.values())}

    def _switch(self) -> None:
        """Give the time since the last switch to the phase that is open, the innermost one."""
        self._synchronise()
        now = time.perf_counter()
        if self._open:
            self.seconds[self._open[-1]] = self.seconds.get(self._open[-1], 0.0) + now - self._mark
        self._mark = now
