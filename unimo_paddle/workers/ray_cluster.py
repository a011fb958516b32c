"""Workers as actors of a Ray cluster, or of a small one on this machine that ends with the work."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from unimo_paddle.errors import UserError
from unimo_paddle.workers.crew import ONE_THREAD, Reply, Runner, environment

ROOT = Path(__file__).resolve().parents[2]
STORE_BYTES = 80 << 20   # near Ray's least for its object store: what passes through is a few hundred bytes a task
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
_LOCAL = {   # loopback only, as on desktop systems; a container's /dev/shm may be too small for the object store
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_OBJECT_STORE_ALLOW_SLOW_STORAGE": "1"}


class RayCrew:
    """Workers that Ray starts, one a core. Each machine needs this package, and the corpus under the same path.

    workers: how many there are to be, at most as many as the cluster has cores; 0 is as many. Without an address they
    are a cluster of their own, which nothing outside this machine can reach. Raises UserError when Ray is not
    installed or no cluster answers.
    """

    def __init__(self, make_work: Callable[[], Callable[[Any], Any]], workers: int, address: str) -> None:
        self._temporary = tempfile.mkdtemp(prefix="ray-")
        try:
            self._ray = _start(workers, address, self._temporary)
        except BaseException:
            shutil.rmtree(self._temporary)
            raise
        cores = int(self._ray.cluster_resources().get("CPU", 1))
        self.workers = min(workers or cores, cores)
        self._make_work = make_work
        self._actor = self._ray.remote(Runner).options(num_cpus=1, max_restarts=0)
        self._actors: list[Any] = []
        self._ended: list[int] = []
        self._asked: dict[Any, int] = {}

    def hire(self) -> int:
        """Start an actor; Ray chooses where."""
        number = self._ended.pop() if self._ended else len(self._actors)
        self._actors[number:number + 1] = [self._actor.remote(self._make_work, number)]
        return number

    def give(self, worker: int, task: Any) -> None:
        """Send a task."""
        self._asked[self._actors[worker].run.remote(task)] = worker

    def wait(self) -> list[tuple[int, Reply]]:
        """Return one reply, once it is there."""
        done, _ = self._ray.wait(list(self._asked), num_returns=1)
        replies = [(self._asked.pop(asked), self._reply(asked)) for asked in done]
        self._ended += [number for number, reply in replies if reply.ended]
        return replies

    def _reply(self, asked: Any) -> Reply:
        try:
            reply = self._ray.get(asked)
        except self._ray.exceptions.RayTaskError:   # not the work's, which Runner catches: Ray could not send it
            raise
        except self._ray.exceptions.RayError as error:
            return Reply(ended=" ".join(str(error).split())[-300:])
        assert isinstance(reply, Reply)
        return reply

    def close(self) -> None:
        """End the actors, and the cluster when it is ours."""
        self._ray.shutdown()
        shutil.rmtree(self._temporary, ignore_errors=True)   # a process of Ray's may write its last line yet


def _start(workers: int, address: str, temporary: str) -> Any:
    """Return the module ray, connected to a cluster."""
    if address:
        _knock(address)
    paths = {"PYTHONPATH": f"{ROOT}{os.pathsep}${{PYTHONPATH}}"}
    options: dict[str, Any] = {"address": address, "runtime_env": {"env_vars": {**ONE_THREAD, **paths}}}
    if not address:
        options.update(address="local", num_cpus=workers, object_store_memory=STORE_BYTES,
                       include_dashboard=False, _temp_dir=temporary)
    with environment(_QUIET if address else {**_QUIET, **_LOCAL}):
        try:
            import ray

            ray.init(logging_level=logging.ERROR, log_to_driver=False, **options)
        except ImportError:
            raise UserError("the engine ray needs Ray: pip install ray==2.60.0") from None
        except ConnectionError as error:
            raise UserError(f"no Ray cluster answers at {address or 'this machine'}: {error}") from None
    return ray


def _knock(address: str) -> None:
    """Raise UserError when nothing listens at an address; Ray itself would try for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not (colon and port.isdecimal()):
        raise UserError(f"the address of the Ray cluster is {address!r}; HOST:PORT is wanted, e.g. 10.0.0.5:6379")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise UserError(f"no Ray cluster answers at {address}: {error}; start one with: ray start --head") from None
