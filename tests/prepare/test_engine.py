"""The engine: the same bytes wherever the work is done and whoever dies; nothing lost, nothing doubled."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import pytest

from tests.prepare import engine_work
from tests.prepare.engine_work import Graphs, contents, count_calls, make_faulty, make_graphs, write_pairs
from unimo_paddle.corpus import Corpus
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.engine import Engine, map_tasks, usable_cores

FIRSTS = [0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55]   # of the slices
ENGINES = [Engine("local", 2), pytest.param(Engine("ray", 2), id="ray")]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_pairs(tmp_path / "c")


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The whole folder as one process without mishap writes it."""
    path = write_pairs(tmp_path_factory.mktemp("one") / "c")
    make_graphs(path, Engine("local", 1), Graphs())
    assert list(Corpus(path).graphs("train")) == [f"caption {number}"[::-1] for number in range(engine_work.PAIRS)]
    assert len(written(path)) == 12 and {pid for _, pid in written(path)} == {os.getpid()}
    return contents(path)


def written(corpus: Path) -> list[tuple[int, int]]:
    """(first row, process) of every slice that was written, as the workers noted it."""
    lines = (corpus.parent / "log").read_text().split("\n")
    return [(int(first), int(pid)) for first, pid in (line.split()[1:] for line in lines if line.startswith("wrote"))]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_killed_worker_loses_nothing_and_doubles_nothing(corpus: Path, wanted: dict[str, bytes],
                                                          engine: Engine) -> None:
    make_graphs(corpus, engine, Graphs(deadly=25))
    assert contents(corpus) == wanted   # no temporary file either
    assert sorted(first for first, _ in written(corpus)) == FIRSTS
    assert (corpus.parent / "log").read_text().count("killed 25") == 1
    assert len({pid for _, pid in written(corpus)} - {os.getpid()}) in (2, 3)   # the third for the dead one


def test_two_workers_without_mishap_write_the_same(corpus: Path, wanted: dict[str, bytes]) -> None:
    make_graphs(corpus, Engine("local", 2), Graphs())
    assert contents(corpus) == wanted


def test_a_task_that_kills_three_workers_is_named_and_the_rest_is_kept(corpus: Path, wanted: dict[str, bytes]) -> None:
    with pytest.raises(UserError, match=r"graphs of pairs 10 to 14 of train: .*3 times \(by signal 9, SIGKILL\)"):
        make_graphs(corpus, Engine("local", 2), Graphs(deadly=10, deaths=3))
    lines = (corpus / "corpus.journal").read_text().splitlines()
    kept = {name: (corpus / name).stat().st_mtime_ns for name in (json.loads(line)["file"] for line in lines)}
    assert len(kept) >= 2 and not Corpus(corpus).has("graphs", "train")
    make_graphs(corpus, Engine("local", 1), Graphs())
    assert contents(corpus) == wanted
    assert {name: (corpus / name).stat().st_mtime_ns for name in kept} == kept


def test_the_one_in_charge_is_killed_and_goes_on(corpus: Path, wanted: dict[str, bytes]) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.prepare.engine_work", str(corpus)]
    process = subprocess.Popen(command, cwd=root)
    wait_for(lambda: (corpus / "corpus.journal").exists() and len(written(corpus)) >= 4)
    process.send_signal(signal.SIGKILL)
    process.wait()
    workers = {pid for _, pid in written(corpus)}
    assert len(workers) == 2
    wait_for(lambda: not any(map(is_alive, workers)))   # in the middle of a task, too
    kept = (corpus / "corpus.journal").read_bytes().count(b"\n")
    assert 1 <= kept < len(FIRSTS)
    before = len(written(corpus))
    make_graphs(corpus, Engine("local", 2), Graphs())
    assert contents(corpus) == wanted
    assert len(written(corpus)) - before == len(FIRSTS) - kept


def wait_for(condition, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.slow
def test_a_running_ray_cluster_is_used_and_left_running(corpus: Path, wanted: dict[str, bytes]) -> None:
    temporary = tempfile.mkdtemp(prefix="ray-")   # not pytest's: names of sockets must be short
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    ray = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", f"--port={port}", "--num-cpus=2",
           "--include-dashboard=false", "--disable-usage-stats", f"--temp-dir={temporary}"]
    head = subprocess.Popen(ray, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: is_open(port), 60)
        make_graphs(corpus, Engine("ray", 0, f"127.0.0.1:{port}"), Graphs(deadly=25))
        assert contents(corpus) == wanted and head.poll() is None
        with pytest.raises(UserError, match="^row 3 is odd"):
            list(map_tasks(Engine("ray", 3, f"127.0.0.1:{port}"), partial(make_faulty, "user"), range(6)))
    finally:
        head.terminate()
        head.wait(30)
        shutil.rmtree(temporary, ignore_errors=True)


def is_open(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def test_work_is_made_once_in_each_worker_and_has_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MKL_NUM_THREADS", "7")
    replies = list(map_tasks(Engine("local", 2), count_calls, range(20)))
    assert len(replies) == 20 and {threads for _, _, threads in replies} == {"1"}
    for process in {pid for pid, _, _ in replies}:
        calls = [number for pid, number, _ in replies if pid == process]
        assert calls == list(range(1, len(calls) + 1))
    assert os.environ["MKL_NUM_THREADS"] == "7"
    assert [number for _, number, _ in map_tasks(Engine("local", 1), count_calls, range(3))] == [1, 2, 3]
    assert list(map_tasks(Engine("local", 2), count_calls, [])) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_an_exception_ends_the_run_as_what_it_is(workers: int) -> None:
    run = partial(map_tasks, Engine("local", workers))
    with pytest.raises(UserError, match="^row 3 is odd; remove it$"):
        list(run(partial(make_faulty, "user"), range(6)))
    with pytest.raises(OSError, match="No space left") as caught:
        list(run(partial(make_faulty, "disk"), range(6)))
    assert (caught.value.errno, caught.value.filename) == (28, "a.arrow")
    with pytest.raises(RuntimeError if workers > 1 else ZeroDivisionError) as other:
        list(run(partial(make_faulty, "other"), range(6)))
    assert workers == 1 or "in work\n    return 1 // (3 - task)" in str(other.value)


def test_leaving_early_ends_the_workers() -> None:
    results = map_tasks(Engine("local", 2), count_calls, range(1000))
    process = next(results)[0]
    results.close()
    assert not is_alive(process)


def test_engines_that_make_no_sense_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong, message in [(("slurm",), "engine is 'slurm'; it is one of local, ray"), (("local", -1), "workers is -1"),
                           (("local", 1, "h:1"), "the address h:1 is for the engine ray")]:
        with pytest.raises(UserError, match=message):
            Engine(*wrong)
    for address, message in [("nonsense", "HOST:PORT is wanted"), ("127.0.0.1:9", "no Ray cluster answers at 127.0."),
                             ("ray://127.0.0.1:99999", "no Ray cluster answers at ray://127.0.0.1:99999")]:
        with pytest.raises(UserError, match=message):
            list(map_tasks(Engine("ray", 2, address), count_calls, [1]))
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match="needs Ray: pip install ray"):
        list(map_tasks(Engine("ray", 2), count_calls, [1]))


@pytest.mark.parametrize(("files", "cores"), [
    ({}, 8),
    ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
      "sys/fs/cgroup/a/cpu.max": "250000 100000\n"}, 3),
    ({"proc/self/cgroup": "4:memory:/x\n2:cpu:/x\n0::/\n", "sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "-1\n",
      "sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000\n"}, 8),
    ({"proc/self/cgroup": "2:cpu,cpuacct:/hidden\n", "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
      "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n"}, 1),
    ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "9900000 100000\n"}, 8),
])
def test_cores_are_those_of_the_affinity_and_the_quota(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                       files: dict[str, str], cores: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert usable_cores(tmp_path) == cores
