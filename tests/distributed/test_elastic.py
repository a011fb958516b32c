"""What docs/checkpoints.md says of Paddle's launcher, the loop around it, and several nodes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.distributed.again import looped
from tests.distributed.launch import ROOT, _descendants, free_port, launch, launcher_logs, rank_logs, started
from tests.distributed.resume_work import STEPS, TROUBLE_AT, write_world
from tests.distributed.test_resume import DROPOUT, WORK, assert_same_bits, newest, told

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("world")
    write_world(path)
    return path


def wait_for_steps(run: Path, steps: int) -> None:
    deadline = time.monotonic() + 60
    while len(told(run)) < steps:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_killed_rank_of_another_node(world, tmp_path):
    """Both launchers end by themselves and find each other again."""
    unbroken, logs = tmp_path / "unbroken", tmp_path / "logs"
    unbroken.mkdir()
    launch(WORK, [world, unbroken, DROPOUT, 2], processes=2, tmp_path=tmp_path)
    with looped(WORK, [world, tmp_path, DROPOUT, 2, "kill"], 2, logs) as loops:
        assert [loop.wait(180) for loop in loops] == [0, 0], launcher_logs(logs)
    for node in range(2):
        assert (logs / f"launcher-{node}").read_text().count("; starting again") >= 1
    assert f"training from step {TROUBLE_AT - 1} to {STEPS}" in rank_logs(logs, 1, 2)[0]
    assert_same_bits(tmp_path, unbroken)


def test_a_launcher_that_is_asked_to_stop(world, tmp_path):
    """Its own status says nothing of the ranks'; they have saved."""
    with started(WORK, [world, tmp_path, 0.0, 2, "slow"], 2, 1, tmp_path / "logs") as (launcher,):
        wait_for_steps(tmp_path, 2)
        launcher.send_signal(signal.SIGTERM)
        assert launcher.wait(60) == 15
    assert 2 <= newest(tmp_path).step == len(told(tmp_path)) < STEPS
    logs = rank_logs(tmp_path / "logs", 2)
    assert "run the same command to go on" in logs[0] and all("Traceback" not in log for log in logs)


def test_pre_emption_reaches_the_ranks_through_the_loop(world, tmp_path):
    """SIGUSR1 to every process of the job, as Slurm sends it: shell and launcher let it pass."""
    with looped(WORK, [world, tmp_path, 0.0, 2, "slow"], 1, tmp_path / "logs") as (loop,):
        wait_for_steps(tmp_path, 2)
        for process in (loop.pid, *_descendants(loop.pid)):
            os.kill(process, signal.SIGUSR1)
        assert loop.wait(60) == 75
    assert 2 <= newest(tmp_path).step == len(told(tmp_path)) < STEPS


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[str]:
    """The address of an etcd server, for as long as the test runs."""
    program = shutil.which("etcd")
    if program is None or find_spec("etcd3") is None:
        pytest.skip("etcd, or the Python package etcd3, is not installed")
    here, peers = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    words = ["--data-dir", tmp_path / "etcd", "--listen-client-urls", here, "--advertise-client-urls", here,
             "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers,
             "--initial-cluster", f"default={peers}"]  # fmt: skip
    with (tmp_path / "etcd.log").open("wb") as log:
        server = subprocess.Popen([program, *map(str, words)], stdout=log, stderr=log)
    try:
        yield here.replace("http", "etcd")
    finally:
        server.kill()
        server.wait()


@pytest.mark.parametrize("nodes", [1, 2])
def test_the_launchers_own_restart_with_an_etcd_server(world, etcd, tmp_path, nodes):
    unbroken, run, logs = tmp_path / "unbroken", tmp_path / "run", tmp_path / "logs"
    for folder in (unbroken, run):
        folder.mkdir()
    launch(WORK, [world, unbroken, DROPOUT, 2], processes=2, tmp_path=tmp_path)
    options = ["--master", etcd, "--job_id", "test", "--elastic_level", "1", "--max_restart", "3"]
    # etcd3 0.12 is older than protobuf 4.
    env = {"PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python", "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    with started(WORK, [world, run, DROPOUT, 2, "kill"], 2 // nodes, nodes, logs, env, options) as launchers:
        assert [one.wait(120) for one in launchers] == [0] * nodes, launcher_logs(logs)
    assert any(f"training from step {TROUBLE_AT - 1} to {STEPS}" in log for log in rank_logs(logs, 2 // nodes, nodes))
    assert_same_bits(run, unbroken)
