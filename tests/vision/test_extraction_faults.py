"""Extraction when something breaks: nothing lost, nothing doubled, the same bytes whoever does the work."""

import errno
import os
import resource
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unimo_paddle.errors import UserError
from unimo_paddle.files import lock_directory
from unimo_paddle.regions import Regions, RegionStore, StoreMeta, verify
from unimo_paddle.vision import extract as module
from unimo_paddle.vision import extraction
from unimo_paddle.vision.extract import extract
from unimo_paddle.vision.sources import listed_images
from unimo_paddle.workers.engine import Engine

COUNT, SHARD = 60, 8
BROKEN = {"07", "31", "52"}  # 5 %
Images = list[tuple[str, Path]]
pytestmark = pytest.mark.usefixtures("quick_loading")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path, rng = tmp_path_factory.mktemp("many"), np.random.default_rng(0)
    for number in range(COUNT):
        size = [(64, 96, 3), (96, 64, 3), (40, 200, 3)][number % 3]
        file = path / f"{number:02d}.jpg"
        Image.fromarray(rng.integers(0, 256, size).astype(np.uint8)).save(file)
        if file.stem in BROKEN:
            file.write_bytes(file.read_bytes()[:900])
    return path


@pytest.fixture(scope="module")
def images(folder: Path) -> Images:
    return listed_images(folder)[0]


@pytest.fixture(scope="module")
def wanted(detector_folder: Path, images: Images, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The whole store as one process without mishap writes it."""
    out = tmp_path_factory.mktemp("whole") / "s"
    report = extract(detector_folder, images, out, {}, images_per_shard=SHARD)
    assert (report.stored, report.before, {item.id for item in report.skipped}) == (57, 0, BROKEN)
    return contents(out)


def contents(store: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(store.iterdir())}


def test_five_percent_broken_are_skipped_and_listed(wanted: dict[str, bytes], images: Images) -> None:
    listed = [line.split("\t") for line in wanted["skipped.txt"].decode().splitlines()]
    assert [(name, path) for name, path, _ in listed] == [(i, str(path)) for i, path in images if i in BROKEN]
    assert all("truncated" in reason or "broken" in reason for _, _, reason in listed)
    assert len(wanted) == 2 + 2 * 8  # regions.json, skipped.txt, a pair of files a shard


def test_the_store_is_whole_and_in_the_images_order(detector_folder: Path, images: Images, tmp_path: Path,
                                                    wanted: dict[str, bytes]) -> None:  # fmt: skip
    extract(detector_folder, images, tmp_path / "s", {}, images_per_shard=SHARD, batch_images=8)
    assert verify(tmp_path / "s") == []
    assert list(RegionStore(tmp_path / "s").ids) == [i for i, _ in images if i not in BROKEN]


def test_two_workers_write_the_same_bytes(detector_folder: Path, images: Images, tmp_path: Path,
                                          wanted: dict[str, bytes]) -> None:  # fmt: skip
    extract(detector_folder, images, tmp_path / "s", {}, Engine("local", 2), images_per_shard=SHARD)
    assert contents(tmp_path / "s") == wanted


@pytest.mark.slow
def test_ray_writes_the_same_bytes(detector_folder: Path, images: Images, tmp_path: Path,
                                   wanted: dict[str, bytes]) -> None:  # fmt: skip
    extract(detector_folder, images, tmp_path / "s", {}, Engine("ray", 2), images_per_shard=SHARD)
    assert contents(tmp_path / "s") == wanted


KILLED = f"""if True:
    import os, signal, sys
    from pathlib import Path
    from unimo_paddle.vision import extract as module
    from unimo_paddle.vision.sources import listed_images
    from unimo_paddle.workers.engine import Engine

    entered, enter = [], module.enter

    def deadly(part):
        if len(entered) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        entered.append(part)
        enter(part)

    module.enter = deadly
    if __name__ == "__main__":
        detector, folder, out, workers = sys.argv[1:]
        module.extract(Path(detector), listed_images(Path(folder))[0], Path(out), {{}}, Engine("local", int(workers)),
                       images_per_shard={SHARD})
"""


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_kill_in_the_middle_and_go_on(detector_folder: Path, folder: Path, images: Images, tmp_path: Path, workers: int,
                                      wanted: dict[str, bytes]) -> None:  # fmt: skip
    out, script = tmp_path / "s", tmp_path / "killed.py"
    script.write_text(KILLED)
    words = [sys.executable, str(script), str(detector_folder), str(folder), str(out), str(workers)]
    paths = {"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin"}
    assert subprocess.run(words, check=False, env=paths).returncode == -signal.SIGKILL
    kept = {path.name: path.stat().st_mtime_ns for path in out.glob("shard-*.json")}
    assert len(kept) == 3 and len(list(out.glob("shard-*.bin"))) > 3  # the last one was never entered
    before = len(RegionStore(out))
    report = extract(detector_folder, images, out, {}, images_per_shard=SHARD)
    assert (report.before, report.stored) == (before, 57 - before)
    assert contents(out) == wanted
    assert {name: (out / name).stat().st_mtime_ns for name in kept} == kept


def test_going_on_when_all_is_done_does_nothing(detector_folder: Path, images: Images, tmp_path: Path,
                                               wanted: dict[str, bytes]) -> None:  # fmt: skip
    for _ in range(2):
        report = extract(detector_folder, images[:20], tmp_path / "s", {}, images_per_shard=SHARD)
    assert (report.before, report.stored, len(report.skipped)) == (19, 0, 1)
    assert (tmp_path / "s" / "skipped.txt").exists()
    again = extract(detector_folder, images[:4], tmp_path / "s", {}, images_per_shard=SHARD)
    assert (again.before, again.stored) == (19, 0) and not (tmp_path / "s" / "skipped.txt").exists()


def test_a_longer_list_and_a_mended_picture_are_added(detector_folder: Path, images: Images, tmp_path: Path) -> None:
    extract(detector_folder, images[:10], tmp_path / "s", {}, images_per_shard=SHARD)
    mended = [(i, images[0][1] if i == "07" else path) for i, path in images[:30]]
    report = extract(detector_folder, mended, tmp_path / "s", {}, images_per_shard=SHARD)
    assert (report.before, report.stored, report.skipped) == (9, 21, [])
    store = RegionStore(tmp_path / "s")
    assert sorted(store.ids) == [i for i, _ in mended] and verify(tmp_path / "s") == []
    np.testing.assert_array_equal(store.read("07").boxes, store.read("00").boxes)


def test_no_room_leaves_nothing_half_written(detector_folder: Path, images: Images, tmp_path: Path,
                                             wanted: dict[str, bytes]) -> None:  # fmt: skip
    """As on a disk that is full: no file may have more than 2,000 bytes. tests/tools has a real one, with workers."""
    out, before = tmp_path / "s", resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        with pytest.raises(OSError) as caught:
            extract(detector_folder, images, out, {}, images_per_shard=SHARD)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.errno == errno.EFBIG and str(caught.value.filename).endswith("shard-00000.bin")
    assert {path.name for path in out.iterdir()} <= {"regions.json", "skipped.txt"}
    assert extract(detector_folder, images, out, {}, images_per_shard=SHARD).stored == 57
    assert contents(out) == wanted


def test_a_second_extractor_is_refused_before_anything_is_loaded(
    detector_folder: Path, images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract(detector_folder, images[:3], tmp_path / "s", {})
    before = contents(tmp_path / "s")
    monkeypatch.setattr(module, "map_tasks", lambda *_: pytest.fail("it went on"))
    lock = lock_directory(tmp_path / "s")
    with pytest.raises(UserError, match="another process is writing to .*; wait until it has ended"):
        extract(detector_folder, images, tmp_path / "s", {})
    assert contents(tmp_path / "s") == before
    os.close(lock)


def test_tars_give_the_bytes_that_their_files_give(detector_folder: Path, folder: Path, images: Images, tmp_path: Path,
                                                   wanted: dict[str, bytes]) -> None:  # fmt: skip
    """WebDataset's way: key.jpg beside key.json; two tars in a folder."""
    for name, part in (("a.tar", images[:25]), ("b.tar", images[25:])):
        with tarfile.open(tmp_path / name, "w") as tar:
            for image_id, path in part:
                tar.add(path, path.name)
                tar.addfile(tarfile.TarInfo(f"{image_id}.json"))
    packed, unreadable = listed_images(tmp_path)
    assert [i for i, _ in packed] == [i for i, _ in images] and unreadable == []
    extract(detector_folder, packed, tmp_path / "s", {}, images_per_shard=SHARD)
    found = contents(tmp_path / "s")
    assert f"{tmp_path}/a.tar/07.jpg is no readable image" in found.pop("skipped.txt").decode()
    assert found == {name: data for name, data in wanted.items() if name != "skipped.txt"}


def test_what_cannot_be_stored_is_listed_and_the_rest_goes_on(
    detector_folder: Path, images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = extraction.region_faults

    def faults(regions: Regions, meta: StoreMeta) -> Iterator[str]:
        if regions.width == 200:
            yield "a feature of 70000 is beyond float16 (65504)"
        yield from real(regions, meta)

    monkeypatch.setattr(extraction, "region_faults", faults)
    report = extract(detector_folder, images[:6], tmp_path / "s", {})
    assert report.stored == 4 and [item.id for item in report.skipped] == ["02", "05"]
    assert "02.jpg: what was found cannot be stored: a feature of 70000" in report.skipped[0].reason
