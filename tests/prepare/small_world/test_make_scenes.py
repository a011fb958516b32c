import errno
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.prepare.small_world.conftest import SIZES
from unimo_paddle.errors import UserError
from unimo_paddle.files import sha256_of
from unimo_paddle.prepare.small_world import run
from unimo_paddle.prepare.small_world.run import make_scenes


def bytes_of(folder):
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in folder.rglob("*") if path.is_file()}


def test_the_number_of_workers_changes_no_byte(world_folder, tmp_path):
    summary = make_scenes(tmp_path / "again", **SIZES, workers=3)
    assert bytes_of(tmp_path / "again") == bytes_of(world_folder)
    assert (summary.source, summary.painted, summary.counts["composition"]) == ("shapes", 126, 30)


def test_another_seed_gives_other_pictures(world_folder, tmp_path):
    make_scenes(tmp_path / "other", 3, 6, "shapes", val=1, test=2, composition=2, workers=1)
    first = "images/train/000000000001.jpg"
    assert sha256_of(tmp_path / "other" / first) != sha256_of(world_folder / first)


def test_the_manifest_vouches_for_every_file(world_folder):
    manifest = json.loads((world_folder / "scenes.json").read_text())
    there = bytes_of(world_folder)
    assert manifest["files"] == {name: there[name] for name in there.keys() - {"scenes.json", "request.json"}}
    assert (manifest["seed"], manifest["source"], manifest["version"]) == (5, "shapes", run.VERSION)
    assert [scene["image_id"] for scene in manifest["scenes"]] == list(range(1, 127))
    assert all(bool(scene["held_out"]) == (scene["split"] == "composition") for scene in manifest["scenes"])


def test_a_finished_world_is_made_again_without_painting(world_folder):
    before = bytes_of(world_folder)
    assert make_scenes(world_folder, **SIZES, workers=1).painted == 0
    assert bytes_of(world_folder) == before


def test_a_killed_run_is_continued_to_the_same_bytes(world_folder, tmp_path):
    code = (f"from unimo_paddle.prepare.small_world.run import make_scenes\n"
            f"make_scenes({str(tmp_path / 'killed')!r}, **{SIZES!r}, workers=2)")
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) as process:
        while len(list((tmp_path / "killed").glob("images/*/0*.jpg"))) < 10 and process.poll() is None:
            time.sleep(0.01)
        with pytest.raises(UserError, match="another process is writing to"):
            make_scenes(tmp_path / "killed", **SIZES)
        process.kill()
        complaints = process.stderr.read()   # ends when the workers have ended, too
    assert complaints == b"" and process.returncode == -signal.SIGKILL
    kept = len(list((tmp_path / "killed").glob("images/*/0*.jpg")))
    (tmp_path / "killed/images/train/.tmp-half").write_bytes(b"half")
    (tmp_path / "killed/images/train/000000000001.jpg").write_bytes(b"")   # as a power cut can leave it
    summary = make_scenes(tmp_path / "killed", **SIZES, workers=2)
    assert 126 - kept <= summary.painted <= 127
    assert bytes_of(tmp_path / "killed") == bytes_of(world_folder)


def test_another_world_in_the_folder_is_refused(world_folder, tmp_path):
    with pytest.raises(UserError, match="holds another world.*'seed': 5.*'seed': 9"):
        make_scenes(world_folder, **{**SIZES, "seed": 9})
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(UserError, match="not empty and holds no small world"):
        make_scenes(tmp_path, 2, source="shapes")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_all_wrong_numbers_are_told_at_once(tmp_path):
    faults = r"train: 0 scenes.*test: -1 scenes.*seed -2 is negative.*source 'web' is unknown"
    with pytest.raises(UserError, match=faults):
        make_scenes(tmp_path / "x", 0, seed=-2, source="web", test=-1)
    assert not (tmp_path / "x").exists()


def test_shapes_stand_in_only_where_auto_is_asked(tmp_path, monkeypatch, capsys):
    def refuse(cache):
        raise UserError("no network")

    monkeypatch.setattr(run, "fetch_stamps", refuse)
    with pytest.raises(UserError, match="no network"):
        make_scenes(tmp_path / "x", 1, source="stamps")
    assert make_scenes(tmp_path / "y", 1, val=1, test=1, composition=1, workers=1).source == "shapes"
    assert "no network. Drawing shapes instead." in capsys.readouterr().out


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_passes_up_and_leaves_no_half_picture(tmp_path, monkeypatch, workers):
    real = run.paint_all.__globals__["encode"]

    def fail(picture):
        if picture[:40].mean() > 150:
            raise OSError(errno.ENOSPC, "No space left on device", "picture")
        return real(picture)

    monkeypatch.setattr("unimo_paddle.prepare.small_world.paint.encode", fail)
    with pytest.raises(OSError, match="No space left"):
        make_scenes(tmp_path / "full", **SIZES, workers=workers)
    assert not (tmp_path / "full/scenes.json").exists()
    assert all(path.stat().st_size for path in (tmp_path / "full/images").rglob("0*.jpg"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission_passes_up(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(PermissionError):
        make_scenes(tmp_path / "locked/world", 1, source="shapes")


def test_default_sizes():
    from inspect import signature

    assert signature(make_scenes).parameters["source"].default == "auto"
    assert max(2000 // 8, min(run.LEAST_HELD_OUT, 2000)) == 250
