"""Whole files or none: what is left after success, failure, a kill and a full disk."""

import os
import signal
import subprocess
import sys

import pytest

from unimo_paddle.errors import UserError
from unimo_paddle.files import (
    atomic_directory,
    atomic_write,
    files_below,
    is_vacant,
    leftovers,
    read_json,
    read_text,
    require_writable,
    sha256_of,
    write_json,
)


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    with pytest.raises(RuntimeError), atomic_write(target) as file:
        file.write(b"new")
        raise RuntimeError
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_a_write_replaces_and_keeps_the_usual_permissions(tmp_path):
    target = tmp_path / "deep" / "a.txt"
    with atomic_write(target, "w") as file:
        file.write("grüße")
    assert target.read_text(encoding="utf-8") == "grüße"
    mask = os.umask(0)
    os.umask(mask)
    assert target.stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_killed_write_leaves_only_a_leftover(tmp_path):
    code = (
        "import sys, time; from unimo_paddle.files import atomic_write\n"
        "with atomic_write(sys.argv[1]) as f: f.write(b'x'); f.flush(); print('in', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "a")], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "a").exists()
    assert len(leftovers(tmp_path)) == 1
    assert names(tmp_path) == []


def test_what_another_process_is_writing_is_no_leftover(tmp_path):
    code = (
        "import sys, time; from unimo_paddle.files import atomic_directory, atomic_write\n"
        "with atomic_write(sys.argv[1] + '/a'), atomic_directory(sys.argv[1] + '/d'):\n"
        "    print('in', flush=True); sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], **pipes) as process:
        process.stdout.readline()
        (tmp_path / ".tmp-stale").touch()
        assert [path.name for path in leftovers(tmp_path)] == [".tmp-stale"]
        assert is_vacant(tmp_path)
        process.communicate(b"")
    assert names(tmp_path) == ["a", "d"] and not is_vacant(tmp_path)


def test_errors_name_the_file_that_was_wanted(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x").touch()
    with pytest.raises(IsADirectoryError) as error, atomic_write(tmp_path / "folder") as file:
        file.write(b"x")
    assert error.value.filename == str(tmp_path / "folder") and names(tmp_path) == ["folder"]


def test_a_link_to_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk")
    with atomic_directory(tmp_path / "link") as work:
        (work / "x").touch()
    assert (tmp_path / "link").is_symlink() and names(tmp_path / "disk") == ["x"]


def test_files_below_a_folder(tmp_path):
    for name in ("b/x.JPG", "a.jpg", "a.txt", "other/y.jpg"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).touch()
    (tmp_path / "in" / "other").rename(tmp_path / "out")
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "out")
    (tmp_path / "in" / "b" / "loop").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "folder.jpg").mkdir()
    found = files_below(tmp_path / "in", {".jpg"})
    assert [str(path.relative_to(tmp_path / "in")) for path in found] == ["a.jpg", "b/x.JPG", "linked/y.jpg"]
    (tmp_path / "in" / "caf\udce9.jpg").touch()
    with pytest.raises(UserError, match=r"1 file names are not UTF-8, e.g. .*caf.xe9.jpg'; rename them"):
        files_below(tmp_path / "in", {".jpg"})


def test_directory_appears_only_when_complete(tmp_path):
    target = tmp_path / "d"
    with pytest.raises(RuntimeError), atomic_directory(target) as work:
        (work / "half").write_text("x")
        raise RuntimeError
    assert names(tmp_path) == []
    with atomic_directory(target) as work:
        (work / "whole").write_text("x")
    assert names(target) == ["whole"]
    with pytest.raises(UserError, match="not empty"), atomic_directory(target):
        pass


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1,\n "b": }', r"f\.json: line 2 column 7"),
        (b"\xff", r"byte 0 is not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b"", "line 1 column 1"),
        (b"1" * 5000, "f.json: the JSON cannot be read: Exceeds the limit"),
    ],
)
def test_json_faults_name_the_place(tmp_path, content, message):
    path = tmp_path / "f.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_json(path)


def test_missing_file_and_folder_are_named(tmp_path):
    with pytest.raises(UserError, match="gone.json does not exist"):
        read_json(tmp_path / "gone.json")
    with pytest.raises(UserError, match="is a folder"):
        read_text(tmp_path)


def test_round_trip_and_checksum(tmp_path):
    write_json(tmp_path / "a.json", {"ü": [1, None]})
    assert read_json(tmp_path / "a.json") == {"ü": [1, None]}
    (tmp_path / "b").write_bytes(b"abc")
    assert sha256_of(tmp_path / "b") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_no_permission_is_the_systems_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError), atomic_write(tmp_path / "a"):
        pass


def test_full_disk_leaves_nothing(tmp_path):
    """A file-size limit stands for the full disk: the system refuses the write in the same place."""
    code = (
        "import resource, signal, sys; from unimo_paddle.files import atomic_write\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "with atomic_write(sys.argv[1]) as f: f.write(b'x' * 100_000)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a")], capture_output=True, text=True)
    assert "File too large" in done.stderr
    assert names(tmp_path) == []


def test_what_cannot_be_written_is_told_before_any_work(tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text("{}")
    (tmp_path / "link.jsonl").symlink_to(source)
    require_writable(tmp_path / "new" / "out.jsonl", [source])
    for path, part in ((tmp_path, "is a folder"), (source, "is what is read"), (tmp_path / "link.jsonl", "is what is"),
                       (source / "out.jsonl", "cannot be written")):  # fmt: skip
        with pytest.raises(UserError, match=part):
            require_writable(path, [source])
