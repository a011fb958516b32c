"""Workers as processes of this machine."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from unimo_paddle.workers.crew import ONE_THREAD, Reply, Runner, environment, keeping_sigterm

PATIENCE = 5.0   # seconds an idle worker may take to end


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: Connection
    busy: bool = False


class LocalCrew:
    """Workers that are spawned, not forked: a fork would copy the threads' locks of Paddle and spaCy, held for ever."""

    def __init__(self, make_work: Callable[[], Callable[[Any], Any]]) -> None:
        self._make_work = make_work
        self._workers: list[_Worker] = []

    def hire(self) -> int:
        """Start a process; it takes the place of one that has ended, if any."""
        ended = [number for number, worker in enumerate(self._workers) if worker.process.exitcode is not None]
        number = ended[0] if ended else len(self._workers)
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._make_work, number), daemon=True)
        with environment(ONE_THREAD):   # libraries read it when they are loaded
            process.start()
        theirs.close()   # the process holds the only copy: its end is the pipe's
        self._workers[number:number + 1] = [_Worker(process, ours)]
        return number

    def give(self, worker: int, task: Any) -> None:
        """Send a task; when the process has just died, `wait` will tell."""
        self._workers[worker].busy = True
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._workers[worker].pipe.send(task)

    def wait(self) -> list[tuple[int, Reply]]:
        """Return the replies of those who have answered or died, once there is one."""
        pipes = {worker.pipe: number for number, worker in enumerate(self._workers) if worker.busy}
        ready = [pipes[pipe] for pipe in wait(list(pipes)) if isinstance(pipe, Connection)]
        return [(number, self._reply(self._workers[number])) for number in ready]

    def _reply(self, worker: _Worker) -> Reply:
        worker.busy = False
        try:
            reply = worker.pipe.recv()
        except (EOFError, ConnectionResetError):
            worker.process.join()
            return Reply(ended=_ending(worker.process.exitcode or 0))
        assert isinstance(reply, Reply)
        return reply

    def close(self) -> None:
        """Let the idle ones end by themselves, and kill the others."""
        for worker in self._workers:
            worker.pipe.close()
            if worker.busy:
                worker.process.terminate()
        for worker in self._workers:
            worker.process.join(PATIENCE)
            worker.process.kill()
            worker.process.join()


def _serve(pipe: Connection, make_work: Callable[[], Callable[[Any], Any]], number: int) -> None:
    """Answer tasks until the other end closes the pipe or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)   # Ctrl-C reaches all; the one in charge ends the workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    runner = Runner(partial(keeping_sigterm, make_work), number)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            pipe.send(runner.run(pipe.recv()))


def _end_with_parent() -> None:
    """End in the middle of a task when the parent was killed: nobody would take the result."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _ending(status: int) -> str:
    return f"by signal {-status}, {signal.Signals(-status).name}" if status < 0 else f"with exit status {status}"
