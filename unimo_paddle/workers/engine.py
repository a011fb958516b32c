"""Maps work over tasks: in this process, in a pool of processes, or on a Ray cluster; the same functions everywhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from unimo_paddle.environment import available_cores
from unimo_paddle.errors import UserError
from unimo_paddle.workers.crew import conduct, keeping_sigterm

Task = TypeVar("Task")
Result = TypeVar("Result")
ENGINES = ("local", "ray")


@dataclass(frozen=True)
class Engine:
    """Where work is done.

    name: `local` or `ray`. workers: processes; 0 is one for each core this process may use, or for each of the cluster.
    address: of a Ray cluster, e.g. `10.0.0.5:6379`; empty starts one on this machine for the time of the work.
    Raises UserError when these do not go together.
    """

    name: str = "local"
    workers: int = 0
    address: str = ""

    def __post_init__(self) -> None:
        if self.name not in ENGINES:
            raise UserError(f"engine is {self.name!r}; it is one of {', '.join(ENGINES)}")
        if self.workers < 0:
            raise UserError(f"workers is {self.workers}; 0 (one a core) or more are wanted")
        if self.address and self.name != "ray":
            raise UserError(f"the address {self.address} is for the engine ray, not {self.name}")


def map_tasks(engine: Engine, make_work: Callable[[], Callable[[Task], Result]],
              tasks: Sequence[Task]) -> Iterator[Result]:
    """Yield the result of each task as it comes, in any order.

    make_work: called once in each worker, and what it returns once for each task. It must be picklable when there is
    more than one worker: a functools.partial of a module's function, or a frozen dataclass with __call__.
    A task whose worker dies (killed, out of memory) is given again. Raises UserError when that happens three times,
    or Ray cannot be used; an exception in a task ends the run: a UserError or OSError as it is, another as a
    RuntimeError that holds the worker's traceback.
    """
    if not tasks:
        return
    workers = engine.workers or usable_cores()
    if engine.name == "ray":
        from unimo_paddle.workers.ray_cluster import RayCrew

        ray_crew = RayCrew(make_work, engine.workers if engine.address else workers, engine.address)
        yield from conduct(ray_crew, ray_crew.workers, tasks)
    elif workers > 1 and len(tasks) > 1:
        from unimo_paddle.workers.local import LocalCrew

        yield from conduct(LocalCrew(make_work), workers, tasks)
    else:
        yield from map(keeping_sigterm(make_work), tasks)


def usable_cores(root: Path = Path("/")) -> int:
    """Return how many cores this process may keep busy: its affinity, and the quota of its control group if less."""
    quotas = [quota for folder in _control_groups(root) for quota in _quotas(folder)]
    return max(1, min([available_cores(), *quotas]))


def _control_groups(root: Path) -> Iterator[Path]:
    """Yield the folders, of either version, of the control group this process is in and of those above it."""
    lines: list[str] = []
    with suppress(OSError):
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "cpu", "cpu,cpuacct"):
            own = Path(path)
            yield from (root / "sys/fs/cgroup" / controllers / str(each).lstrip("/") for each in (own, *own.parents))


def _quotas(folder: Path) -> Iterator[int]:
    for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        with suppress(OSError, ValueError):   # no such file; "max" is no number: no quota
            quota, period = map(int, " ".join((folder / name).read_text() for name in names).split())
            if quota > 0:
                yield math.ceil(quota / period)
