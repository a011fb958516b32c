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

from tests.prepare import derive_work
from tests.prepare.derive_work import Graphs, contents, make_graphs, write_pairs
from tests.workers.small_work import make_faulty
from unimo_paddle.corpus import Corpus
from unimo_paddle.errors import UserError
from unimo_paddle.workers.engine import Engine, map_tasks

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
    assert list(Corpus(path).graphs("train")) == [f"caption {number}"[::-1] for number in range(derive_work.PAIRS)]
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
    command = [sys.executable, "-m", "tests.prepare.derive_work", str(corpus)]
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
def test_a_running_ray_cluster_is_used_and_left_running(corpus: Path, wanted: dict[str, bytes],
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")   # its token is not always accepted
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
