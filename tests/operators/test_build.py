"""Building: once, whole or not at all, for this machine only, and with a sentence when it cannot be."""

import subprocess
import sys

import pytest

from unimo_paddle.errors import UserError
from unimo_paddle.operators import build, library


def test_a_built_library_is_taken_as_it_is(tmp_path):
    path = build.library_path(tmp_path)
    path.write_bytes(b"made before")
    assert build.build(tmp_path) == path and path.read_bytes() == b"made before"


def test_the_name_depends_on_processor_paddle_and_sources(tmp_path, monkeypatch):
    names = [build.library_path(tmp_path).name]
    with monkeypatch.context() as patch:
        patch.setattr(build, "_processor", lambda: "another processor")
        names.append(build.library_path(tmp_path).name)
    with monkeypatch.context() as patch:
        patch.setattr("paddle.__version__", "9.9.9")
        names.append(build.library_path(tmp_path).name)
    (tmp_path / "one.cc").write_text("int one;")
    monkeypatch.setattr(build, "SOURCE", tmp_path)
    names.append(build.library_path(tmp_path).name)
    assert len(set(names)) == 4
    assert build._processor()


def test_no_compiler(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"g\+\+ is missing; install it .*, or set model.operators to plain"):
        build.build(tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_other_machines_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(build.platform, "machine", lambda: "aarch64")
    with pytest.raises(UserError, match="this is linux on aarch64; set model.operators to plain"):
        build.library_path(tmp_path)


def test_a_paddle_without_mkl_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "LIBRARIES", ("libs/libother.so",))
    with pytest.raises(UserError, match=r"libs/libother.so is absent; set model.operators to plain"):
        build.library_path(tmp_path)


def test_what_does_not_compile_leaves_nothing_behind(native, tmp_path, monkeypatch):
    source, target = tmp_path / "source", tmp_path / "made"
    source.mkdir()
    (source / "broken.cc").write_text("int broken = ;")
    monkeypatch.setattr(build, "SOURCE", source)
    with pytest.raises(RuntimeError, match=r"broken.cc:1:14: error"):
        build.build(target)
    assert list(target.iterdir()) == []


def test_native_without_a_build(tmp_path, monkeypatch):
    monkeypatch.setattr(library, "library_path", lambda: tmp_path / "absent.so")
    with pytest.raises(UserError, match="not built for this machine and this Paddle: run `make operators`"):
        library.load.__wrapped__()


def test_importing_the_model_neither_builds_nor_loads():
    code = (
        "import unimo_paddle.model.layers, unimo_paddle.operators.native\n"
        "from unimo_paddle.operators import library\n"
        "print(library.load.cache_info().currsize)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"


@pytest.mark.slow
def test_several_processes_build_at_once(native, tmp_path):
    code = f"from pathlib import Path; from unimo_paddle.operators.build import build; build(Path({str(tmp_path)!r}))"
    running = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert [path.name for path in tmp_path.iterdir()] == [native.name]
    assert native.stat().st_size > 0
