"""tools/extract.py as processes that are killed, that meet a full disk, and that meet each other."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.mini_world import World, needs_namespaces, on_a_disk, refused, run, start
from unimo_paddle.regions import RegionStore, verify

pytestmark = pytest.mark.slow
COUNT = 200  # seven shards


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for number in range(COUNT):
        Image.fromarray(rng.integers(0, 256, (48, 72, 3)).astype(np.uint8)).save(folder / f"{number:03d}.png")
    return folder


@pytest.fixture(scope="module")
def wanted(world: World, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("whole") / "s"
    # Not `call`: MKL takes another way there, without the tools' environment, and the last bits differ.
    assert run([*world.extract(out, "--images", str(pictures)), "--workers", "1"]).status == 0
    assert verify(out) == [] and len(RegionStore(out)) == COUNT
    return contents(out)


def contents(store: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(store.iterdir())}


def until(is_so, seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_killed_with_its_workers_at_work(world: World, pictures: Path, tmp_path: Path,
                                         wanted: dict[str, bytes]) -> None:  # fmt: skip
    out = tmp_path / "s"
    words = [*world.extract(out, "--images", str(pictures)), "--workers", "2"]
    process = start(words)
    until(lambda: len(list(out.glob("shard-*.json"))) >= 2)
    refused(run(words), f"another process is writing to {out}; wait until it has ended")
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = {file.name: file.stat().st_mtime_ns for file in out.glob("shard-*.json")}
    done = run(words)
    assert done.status == 0 and f"{COUNT} images stored" not in done.out, done.err
    assert contents(out) == wanted
    assert {name: (out / name).stat().st_mtime_ns for name in kept} == kept


@needs_namespaces
def test_a_full_disk(world: World, pictures: Path, tmp_path: Path, wanted: dict[str, bytes]) -> None:
    """The disk has room for half of the shards; once there is more, the same command goes on."""
    disk, copy = tmp_path / "disk", tmp_path / "copy"
    size = sum(4096 * -(-len(data) // 4096) for data in wanted.values())
    script = ('"$@"; first=$?; ls -A "$0/s" >"$COPY.first"; mount -o remount,size=64m "$0" && "$@" && '
              'cp -r "$0/s" "$COPY"; exit $first')  # fmt: skip
    before = [*on_a_disk(f"size={size // 2}", disk), "env", f"COPY={copy}", "sh", "-c", script, str(disk)]
    done = run([*world.extract(disk / "s", "--images", str(pictures)), "--workers", "2"], *before)
    assert done.status == 1 and done.err.count("error:") == 1 and "Traceback" not in done.err, done.err
    assert "the disk is full: free some space and run the same command again" in done.err
    left = Path(f"{copy}.first").read_text().split()
    assert 1 < len(left) < len(wanted) and not any(name.startswith(".tmp") for name in left)
    assert contents(copy) == wanted


def test_a_killed_worker_is_replaced(world: World, pictures: Path, tmp_path: Path, wanted: dict[str, bytes]) -> None:
    out = tmp_path / "s"
    process = start([*world.extract(out, "--images", str(pictures)), "--workers", "2"])
    until(lambda: any(out.glob("shard-*.json")))
    os.kill(children(process.pid)[-1], signal.SIGKILL)
    told, _ = process.communicate()
    assert process.returncode == 0 and b"another one goes on" in told
    assert contents(out) == wanted


def children(pid: int) -> list[int]:
    """The extracting processes that a process has started, oldest first."""
    found = []
    for number in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if b"spawn_main" in Path(f"/proc/{number}/cmdline").read_bytes():
            found.append(int(number))
    return sorted(found)
