"""What a person sees: progress lines, exit codes, the first line's time, no traceback for their own mistakes."""

import subprocess
import sys
from pathlib import Path

import pytest

from unimo_paddle import console
from unimo_paddle.environment import settings

ROOT = str(Path(__file__).resolve().parents[1])
TOOL = """
import errno, os, signal, sys, time
from unimo_paddle.console import run_tool
from unimo_paddle.errors import UserError
def main(words):
    if words[0] == "user": raise UserError("a.yaml:3: bad; do this")
    if words[0] == "disk": raise OSError(errno.ENOSPC, "No space left on device", "/data/x")
    if words[0] == "stop": raise KeyboardInterrupt
    if words[0] == "term": os.kill(os.getpid(), signal.SIGTERM); time.sleep(9)
    if words[0] == "slip": raise ZeroDivisionError
    return int(words[0])
run_tool(main)
"""


@pytest.mark.parametrize(
    ("word", "status", "message"),
    [
        ("0", 0, ""),
        ("user", 2, "error: a.yaml:3: bad; do this\n"),
        ("disk", 1, "error: /data/x: the disk is full: free some space and run the same command again\n"),
        ("stop", 130, "error: interrupted; run the same command again to go on\n"),
        ("term", 143, "error: interrupted; run the same command again to go on\n"),
    ],
)
def test_exit_codes_and_messages(word, status, message):
    done = subprocess.run([sys.executable, "-c", TOOL, word], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (status, message)


def test_a_name_that_is_not_unicode_can_be_printed():
    code = TOOL.replace("return int", "print(words[1]); return int")
    done = subprocess.run([sys.executable, "-c", code, "0", b"caf\xe9"], capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"caf\\udce9\n", b"")


def test_our_own_slip_keeps_its_traceback():
    done = subprocess.run([sys.executable, "-c", TOOL, "slip"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_progress_line_by_hand():
    line = console.progress_line("scenes", "scene", done=300, total=1500, fresh=200, seconds=10.0)
    assert line == "scenes 300/1,500 (20 %) 20 scene/s, 1 min 00 s left"
    assert console.progress_line("x", "x", 0, 0, 0, 0.0) == "x 0/0 0 x/s, ? left"


def test_duration():
    assert [console.duration(s) for s in (0, 59.6, 3599, 7800)] == ["0 s", "1 min 00 s", "59 min 59 s", "2 h 10 min"]


def test_progress_yields_everything_and_is_quiet_when_quick(capsys):
    assert list(console.progress(range(5), 5, "x")) == list(range(5))
    assert capsys.readouterr().err == ""


def test_progress_counts_the_units_of_large_items(capsys, monkeypatch):
    monkeypatch.setattr(console, "QUIET_SECONDS", 0.0)
    assert list(console.progress([3, 5, 2], 12, "x", "pair", start=2, size=lambda item: item)) == [3, 5, 2]
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in lines[:3]] == ["5/12", "10/12", "12/12"]


def test_progress_prints_plain_lines_on_a_pipe(capsys, monkeypatch):
    clock = iter(range(0, 1000, 2))
    monkeypatch.setattr(console.time, "monotonic", lambda: float(next(clock)))
    list(console.progress(range(10), 10, "x", "item"))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("x 3/10 (30 %)")
    assert lines[-1].startswith("x 10/10 (100 %)")
    assert not any("\r" in line for line in lines)


def test_environment_respects_what_the_user_set(monkeypatch):
    monkeypatch.setenv("MKL_NUM_THREADS", "7")
    monkeypatch.setenv("GLOG_minloglevel", "0")
    assert settings()["MKL_NUM_THREADS"] == "7"
    assert settings()["GLOG_minloglevel"] == "0"


def test_tune_process_restarts_once_with_the_same_arguments(tmp_path):
    script = tmp_path / "t.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {ROOT!r})\n"
        "from unimo_paddle.environment import tune_process; tune_process()\n"
        "import os; print(sys.argv[1:], os.environ['UNIMO_PADDLE_TUNED'], os.environ['GLOG_minloglevel'])\n"
    )
    done = subprocess.run([sys.executable, str(script), "a b", "c"], capture_output=True, text=True)
    assert done.stdout == "['a b', 'c'] 1 2\n"
