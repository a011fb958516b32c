"""Start real processes through Paddle's launcher, as fleetrun does, and read what each rank printed."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STARTS = 3
REFUSED = re.compile(r"gloo/transport/tcp/pair.cc:\d+\] connect .*(refused|reset by peer)")


class NotConnected(AssertionError):
    """Ranks did not find each other, a fault of Paddle's over gloo, before anything of ours ran."""


def launch(
    program: str,
    arguments: Sequence[object],
    processes: int = 2,
    nodes: int = 1,
    *,
    tmp_path: Path,
    timeout: float = 120,
    env: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
) -> list[str]:
    """Run a module (`tests.x.y`) or program file on `nodes` launchers with `processes` ranks each; return each rank's
    log, in the order of the ranks.

    All must end with status 0 within `timeout` seconds: AssertionError with the logs otherwise. Nothing that was
    started outlives the call. options: more of the launcher's own.
    A start whose ranks could not connect is tried again: see _connected() in unimo_paddle/distributed.py.
    """
    for _ in range(STARTS - 1):
        with contextlib.suppress(NotConnected):
            return launch_once(program, arguments, processes, nodes, tmp_path, timeout, env, options)
    return launch_once(program, arguments, processes, nodes, tmp_path, timeout, env, options)


def launch_once(
    program: str,
    arguments: Sequence[object],
    processes: int,
    nodes: int,
    tmp_path: Path,
    timeout: float,
    env: Mapping[str, str] | None,
    options: Sequence[str],
) -> list[str]:
    """The same, once. Raises NotConnected when gloo refused a rank."""
    logs = tmp_path / f"log-{time.monotonic_ns()}"
    with started(program, arguments, processes, nodes, logs, env, options) as launchers:
        deadline = time.monotonic() + timeout
        try:
            statuses = [one.wait(max(deadline - time.monotonic(), 0.1)) for one in launchers]
        except subprocess.TimeoutExpired:
            statuses = ["too slow"]
    texts = rank_logs(logs, processes, nodes)
    if statuses != [0] * nodes and any(REFUSED.search(text) for text in texts):
        raise NotConnected("\n".join(texts))
    told = "\n".join(f"--- rank {rank}\n{text[-4000:]}" for rank, text in enumerate(texts))
    assert statuses == [0] * nodes, f"statuses {statuses}\n{launcher_logs(logs)}\n{told}"
    return texts


@contextlib.contextmanager
def started(
    program: str,
    arguments: Sequence[object],
    processes: int,
    nodes: int,
    logs: Path,
    env: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Yield the running launchers, one a node; at the end each is killed with all that it started."""
    logs.mkdir(parents=True, exist_ok=True)
    target = [program] if program.endswith(".py") else [str(_shell_of(program, logs))]
    with contextlib.ExitStack() as stack:
        # A launcher starts its first process on the port after the master's: it must be free too.
        master = [] if nodes == 1 else ["--master", f"127.0.0.1:{free_port()}", "--nnodes", str(nodes)]
        launchers = []
        for node in range(nodes):
            place = ["--rank", str(node)] if nodes > 1 else ["--start_port", str(free_port())]
            command = [
                sys.executable, "-m", "paddle.distributed.launch", "--nproc_per_node", str(processes),
                "--log_dir", str(logs / f"node-{node}"), *master, *place, *options, *target, *map(str, arguments),
            ]  # fmt: skip
            output = stack.enter_context((logs / f"launcher-{node}").open("wb"))
            started = {"cwd": ROOT, "env": _environment(env), "start_new_session": True}
            launchers.append(subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, **started))
        try:
            yield launchers
        finally:
            for one in launchers:
                _end(one)


def rank_logs(logs: Path, processes: int, nodes: int = 1) -> list[str]:
    """Return what each rank printed so far, "" for one that never began."""
    paths = [logs / f"node-{node}" / f"workerlog.{local}" for node in range(nodes) for local in range(processes)]
    return [path.read_text(errors="replace") if path.is_file() else "" for path in paths]


def launcher_logs(logs: Path) -> str:
    """Return what the launchers themselves printed."""
    return "\n".join(path.read_text(errors="replace")[-3000:] for path in sorted(logs.glob("launcher-*")))


def free_port(run: int = 8) -> int:
    """Return the first of `run` neighbouring ports that are all free now."""
    for _ in range(50):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            first = int(probe.getsockname()[1])
        if first + run < 65536 and all(_is_free(port) for port in range(first, first + run)):
            return first
    raise AssertionError("no free ports")


def _is_free(port: int) -> bool:
    """Only binding tells without harm: to connect would be taken for a peer by a process that waits for one."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _shell_of(module: str, logs: Path) -> Path:
    """The launcher starts files: this one runs a module as `python -m` does."""
    path = logs / "program.py"
    path.write_text(f"import runpy\nrunpy.run_module({module!r}, run_name='__main__', alter_sys=True)\n")
    return path


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PADDLE_", "FLAGS_"))}
    threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return {**kept, **threads, "PYTHONPATH": str(ROOT), "GLOG_minloglevel": "2", **(more or {})}


def _end(launcher: subprocess.Popen[bytes]) -> None:
    """Kill the launcher and its ranks: they are of its session (the launcher gives each no other)."""
    children = _descendants(launcher.pid)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(launcher.pid, signal.SIGKILL)
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    launcher.wait()


def _descendants(parent: int) -> list[int]:
    """Process ids below `parent`, from /proc; ranks may have a process group of their own."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                child = int(stat.parent.name)
                found += [child, *_descendants(child)]
    return found
