"""Compute the next batches while the model works on this one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

Batch = TypeVar("Batch")


class Prefetch(Generic[Batch]):
    """`batch(step)` of a pure function, `depth` steps ahead in one background thread.

    Steps are meant to be asked for in order; any other step is right too, but is waited for.
    """

    def __init__(self, compute: Callable[[int], Batch], start: int = 0, depth: int = 2) -> None:
        self._compute = compute
        self._depth = depth
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prefetch")
        self._ahead: deque[Future[Batch]] = deque()
        self._restart(start)

    def batch(self, step: int) -> Batch:
        """Return compute(step), or raise what it raised."""
        if step != self._next:
            self._restart(step)
        self._submit()
        self._next += 1
        return self._ahead.popleft().result()

    def close(self) -> None:
        """Drop what was computed ahead and end the thread, after the batch that it is working on."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._ahead.clear()

    def __enter__(self) -> Prefetch[Batch]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _restart(self, step: int) -> None:
        for future in self._ahead:
            future.cancel()
        self._ahead.clear()
        self._next = step
        for _ in range(self._depth):
            self._submit()

    def _submit(self) -> None:
        self._ahead.append(self._pool.submit(self._compute, self._next + len(self._ahead)))
