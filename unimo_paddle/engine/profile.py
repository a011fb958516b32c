"""A window of steps under paddle.profiler, as a Chrome trace: open it in chrome://tracing or ui.perfetto.dev."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unimo_paddle.console import say


class Profiler:
    """Records the steps from `first` to `last` into one file in `directory`.

    Recording makes steps slower and keeps every operator's event in memory: a window of three steps is plenty.
    """

    def __init__(self, first: int, last: int, directory: Path) -> None:
        self.first, self.last, self._directory = first, last, directory
        self._running: Any = None

    @contextmanager
    def step(self, step: int) -> Iterator[None]:
        """The block is step number `step`, counted from 1. The trace is written when the last step is done, or with
        what there is when the block fails."""
        if not self.first <= step <= self.last:
            yield
            return
        if self._running is None:
            self._start(step)
        try:
            yield
        except BaseException:
            self._stop()
            raise
        self._running.step()
        if step == self.last:
            self._stop()

    def _start(self, step: int) -> None:
        from paddle import profiler  # takes a moment to load

        target = self._directory / f"steps-{step}-{self.last}.json"
        target.parent.mkdir(parents=True, exist_ok=True)

        def export(finished: Any) -> None:
            finished.export(path=str(target), format="json")
            say(f"profile of steps {step} to {self.last}: {target}")

        self._running = profiler.Profiler(on_trace_ready=export)
        self._running.start()

    def _stop(self) -> None:
        self._running.stop()
        self._running = None


class NoProfiler:
    """Records nothing."""

    @contextmanager
    def step(self, step: int) -> Iterator[None]:
        """The block is a step like all others."""
        yield


def profiler(window: tuple[int, ...], directory: Path | str) -> Profiler | NoProfiler:
    """Return what records the window's steps, (first, last) counted from 1, or nothing when the window is empty.

    Use: `with profile.step(number): ...` around each step.
    """
    return Profiler(window[0], window[-1], Path(directory)) if window else NoProfiler()
