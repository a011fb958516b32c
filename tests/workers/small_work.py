"""Work for test_map_tasks.py, in a module of its own so that spawned processes and Ray's can import it."""

import errno
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from unimo_paddle.errors import UserError
from unimo_paddle.workers.crew import WORKER


def count_calls() -> Callable[[int], tuple[int, int, str | None]]:
    """Make work that tells the process, how many tasks this one work was given, and the process's threads."""
    def calls() -> Iterator[int]:
        yield from range(1, 1000)

    counter = calls()
    return lambda task: (os.getpid(), next(counter), os.environ.get("MKL_NUM_THREADS"))


def make_faulty(kind: str) -> Callable[[int], int]:
    def work(task: int) -> int:
        if task == 3 and kind == "user":
            raise UserError("row 3 is odd; remove it")
        if task == 3 and kind == "disk":
            raise OSError(errno.ENOSPC, "No space left on device", "a.arrow")
        return 1 // (3 - task)

    return work


def make_deadly(mark: Path, deadly: int) -> Callable[[int], int]:
    """Make work that tells its worker's number; the one with the task `deadly` is killed, once."""

    def work(task: int) -> int:
        time.sleep(0.05)  # so that both workers get some
        if task == deadly and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return int(os.environ[WORKER])

    return work
