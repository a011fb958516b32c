"""Tasks over processes: who does them, what a failure becomes, and engines that make no sense."""

import contextlib
import os
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.workers.small_work import count_calls, make_deadly, make_faulty
from unimo_paddle.errors import UserError
from unimo_paddle.workers.engine import Engine, map_tasks, usable_cores


def is_alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
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


@pytest.mark.parametrize("engine", [Engine("local", 2), pytest.param(Engine("ray", 2), marks=pytest.mark.slow)])
def test_a_worker_knows_its_number_and_who_follows_a_dead_one_takes_it(tmp_path: Path, engine: Engine) -> None:
    numbers = list(map_tasks(engine, partial(make_deadly, tmp_path / "died", 5), range(20)))
    assert set(numbers) == {0, 1} and (tmp_path / "died").exists()
