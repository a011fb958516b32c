"""What all engines share: how a worker answers, and how tasks are given out until each is answered once."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from unimo_paddle.console import say
from unimo_paddle.errors import UserError

Made = TypeVar("Made")
TRIALS = 3   # a task whose worker died so often is at fault itself, or there is too little memory
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
WORKER = "UNIMO_PADDLE_WORKER"   # variable that tells a worker its number, from 0


@dataclass(frozen=True)
class Reply:
    """What became of a task: its value, or the error it raised, or in words how its worker ended."""

    value: Any = None
    error: Exception | None = None
    ended: str = ""


def keeping_sigterm(load: Callable[[], Made]) -> Made:
    """Call what may load Paddle; then SIGTERM does again what it did: Paddle puts a crash report there."""
    before = signal.getsignal(signal.SIGTERM)
    made = load()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)
    return made


class Runner:
    """The inside of a worker: makes the work once, and turns exceptions into replies."""

    def __init__(self, make_work: Callable[[], Callable[[Any], Any]], number: int) -> None:
        self._make_work, self._number = make_work, number
        self._work: Callable[[Any], Any] | None = None

    def run(self, task: Any) -> Reply:
        """Work on one task."""
        try:
            os.environ.update({**ONE_THREAD, WORKER: str(self._number)})   # the workers share the cores already
            self._work = self._work or self._make_work()
            return Reply(self._work(task))
        except Exception as error:
            return Reply(error=_portable(error))


class Crew(Protocol):
    """Workers, named by numbers, in whatever way they run."""

    def hire(self) -> int:
        """Start a worker and return its number: that of one who has ended, or the next."""

    def give(self, worker: int, task: Any) -> None:
        """Let an idle worker begin with a task."""

    def wait(self) -> list[tuple[int, Reply]]:
        """Return the replies that have come, once there is one. A worker that has ended is not to be given more."""

    def close(self) -> None:
        """End all workers, whatever they do."""


def conduct(crew: Crew, workers: int, tasks: Sequence[Any]) -> Iterator[Any]:
    """Yield the value of each task, in any order; engine.map_tasks says what is raised."""
    waiting, busy, deaths = deque(range(len(tasks))), {}, Counter[int]()
    try:
        for _ in range(min(workers, len(tasks))):
            worker = crew.hire()
            busy[worker] = waiting.popleft()
            crew.give(worker, tasks[busy[worker]])
        while busy:
            for worker, reply in sorted(crew.wait(), key=lambda each: each[1].error is not None):   # keep what is done
                number = busy.pop(worker)
                if reply.error:
                    raise reply.error
                if reply.ended:
                    deaths[number] += 1
                    _tell(deaths[number], tasks[number], reply.ended)
                    waiting.appendleft(number)
                if waiting:   # before the value is yielded: the worker goes on while that is written
                    worker = crew.hire() if reply.ended else worker
                    busy[worker] = waiting.popleft()
                    crew.give(worker, tasks[busy[worker]])
                if not reply.ended:
                    yield reply.value
    finally:
        crew.close()


@contextlib.contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """Set variables for the processes that are started within the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            os.environ.update({} if value is None else {name: value})


def _tell(deaths: int, task: Any, ended: str) -> None:
    if deaths == TRIALS:
        raise UserError(f"{task}: the worker ended {TRIALS} times ({ended}); if the memory is too small, use fewer "
                        f"workers. What is done is kept: the same command goes on")
    say(f"{task}: the worker ended ({ended}); another one goes on")


def _portable(error: Exception) -> Exception:
    """Return an exception that any process can read back: only of types it surely knows."""
    if isinstance(error, UserError):
        return UserError(str(error))
    if isinstance(error, OSError) and error.errno:
        return OSError(error.errno, error.strerror, error.filename)
    return RuntimeError("a task failed in a worker:\n" + "".join(traceback.format_exception(error)))
