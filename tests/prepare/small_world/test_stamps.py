import io
import shutil
import subprocess
import tarfile

import pytest

from unimo_paddle.errors import UserError
from unimo_paddle.prepare.small_world import stamps

needs_dpkg = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="dpkg-deb is not on this machine")


def build_package(folder, name, files):
    root = folder / name
    (root / "DEBIAN").mkdir(parents=True)
    (root / "DEBIAN/control").write_text(f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: t <t@t>\n"
                                         "Description: t\n")
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    archive = folder / f"{name}_1_all.deb"
    subprocess.run(["dpkg-deb", "-b", str(root), str(archive)], check=True, capture_output=True)
    return archive


FILES = {"usr/share/tuxpaint/stamps/animals/frog.png": b"png", "usr/share/tuxpaint/stamps/animals/frog.txt": b"A frog.",
         "usr/share/tuxpaint/stamps/animals/frog.ogg": b"quack", "usr/share/tuxpaint/templates/rocks.jpg": b"jpg",
         "usr/share/doc/tuxpaint/notes.txt": b"no"}


def test_a_cache_that_cannot_be_made_is_a_clear_refusal(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot be made \(.*\); name another folder .* XDG_CACHE_HOME, or draw"):
        stamps.fetch_stamps(tmp_path / "file" / "cache")


@needs_dpkg
def test_only_what_is_needed_is_unpacked(tmp_path):
    archive = build_package(tmp_path, "small", FILES)
    assert stamps.unpack(archive, tmp_path / "out") == 3
    out = tmp_path / "out"
    found = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert found == ["stamps/animals/frog.png", "stamps/animals/frog.txt", "templates/rocks.jpg"]


@needs_dpkg
def test_a_broken_archive_is_named(tmp_path):
    archive = build_package(tmp_path, "small", FILES)
    archive.write_bytes(archive.read_bytes()[:150])
    with pytest.raises(UserError, match=r"small_1_all\.deb is broken"):
        stamps.unpack(archive, tmp_path / "out")


def test_paths_that_lead_elsewhere_and_links_are_left_out(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in ("./usr/share/tuxpaint/stamps/../../../../e.png", "/etc/e.txt", "usr/share/tuxpaint/stamps.png"):
            tar.addfile(tarfile.TarInfo(name))
        link = tarfile.TarInfo("./usr/share/tuxpaint/stamps/link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    buffer.seek(0)
    assert stamps._unpack_stream(buffer, tmp_path / "out") == 0
    assert list(tmp_path.rglob("*")) == []


@needs_dpkg
def test_fetching_is_atomic_and_done_once(tmp_path, monkeypatch):
    calls = []

    def download(work):
        calls.append(work)
        return [build_package(work, name, FILES) for name in stamps.PACKAGES]

    monkeypatch.setattr(stamps, "_download", download)
    folder = stamps.fetch_stamps(tmp_path / "cache")
    packages = (folder / "packages.txt").read_text().split()
    assert packages == ["tuxpaint-data_1_all.deb", "tuxpaint-stamps-default_1_all.deb"]
    assert stamps.fetch_stamps(tmp_path / "cache") == folder and len(calls) == 1


def test_a_failed_fetch_leaves_nothing(tmp_path, monkeypatch):
    def download(work):
        (work / "half.deb").write_bytes(b"half")
        raise UserError("no network")

    monkeypatch.setattr(stamps, "_download", download)
    with pytest.raises(UserError, match="no network"):
        stamps.fetch_stamps(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def fake_apt(folder, script):
    folder.mkdir()
    (folder / "apt-get").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "apt-get").chmod(0o755)


def test_apt_complaints_become_one_sentence(tmp_path, monkeypatch):
    fake_apt(tmp_path / "bin", 'echo "E: Unable to locate package $5"; exit 100')
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    with pytest.raises(UserError, match=r"could not fetch .*: E: Unable to locate package .*--source shapes"):
        stamps.fetch_stamps(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_private_lists_are_fetched_when_the_system_has_none(tmp_path, monkeypatch):
    fake_apt(tmp_path / "bin", 'case "$*" in *Dir::State::Lists*download*) touch a_1_all.deb b_1_all.deb;; '
                               '*Dir::State::Lists*update*) ;; *) echo "E: no lists"; exit 100;; esac')
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    (tmp_path / "work").mkdir()
    assert [path.name for path in stamps._download(tmp_path / "work")] == ["a_1_all.deb", "b_1_all.deb"]


def test_no_apt_at_all_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="apt-get is not on this machine"):
        stamps.fetch_stamps(tmp_path / "cache")


def test_the_cache_follows_xdg(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert stamps.default_cache() == tmp_path / "unimo_paddle"
