"""A tool as a process of its own: what it says is kept, its failure told in one line, and it never outlives us."""

from __future__ import annotations

import contextlib
import ctypes
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1  # of Linux's prctl
_PATIENCE = 60.0  # seconds in which a training saves what it has done
_MOST_SHOWN = 400  # characters of a message


class Failure(Exception):
    """A tool failed; the message says which, how, and where it told more."""


def run_child(words: Sequence[str], files: Path, environment: dict[str, str]) -> str:
    """Run a command to its end and return what it wrote to its standard output.

    files: `FILES.out` and `FILES.err` keep both streams. Raises Failure when it ends with another status than 0.
    When this process is stopped or dies the command gets SIGTERM, at which a training saves.
    """
    out, err = files.with_name(f"{files.name}.out"), files.with_name(f"{files.name}.err")
    with out.open("wb") as stdout, err.open("wb") as stderr:
        try:
            child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=environment,
                                     preexec_fn=_end_with_parent)  # fmt: skip
        except OSError as error:
            raise Failure(f"{words[0]} cannot be started: {error.strerror}") from None
        status = _wait(child)
    if status:
        tool = next((Path(word).name for word in words if word.endswith(".py")), words[0])
        raise Failure(f"{tool} {_ending(status)}: {_last_message(err)} (see {err})")
    return out.read_text(encoding="utf-8", errors="replace")


def last_json(out: str) -> dict[str, Any]:
    """Return the object that the last line holds; Failure when it is none."""
    lines = out.splitlines()
    with contextlib.suppress(json.JSONDecodeError):
        value = json.loads(lines[-1] if lines else "")
        if isinstance(value, dict):
            return value
    raise Failure(f"the evaluation's last line is no JSON object: {lines[-1][:_MOST_SHOWN] if lines else 'nothing'}")


def _end_with_parent() -> None:
    """In the child: ask Linux for SIGTERM when the parent dies, even when it is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _wait(child: subprocess.Popen[bytes]) -> int:
    try:
        return child.wait()
    except BaseException:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_PATIENCE)
        child.kill()
        child.wait()
        raise


def _ending(status: int) -> str:
    if status < 0:
        name = signal.Signals(-status).name
        return f"was ended by {name}" + (", perhaps for lack of memory" if name == "SIGKILL" else "")
    return f"ended with status {status}"


def _last_message(err: Path) -> str:
    """Return what a tool said last: from its `error:` on, else its last line."""
    text = err.read_text(encoding="utf-8", errors="replace").strip()
    _, found, message = text.rpartition("error: ")
    shown = " ".join((message if found else text.rpartition("\n")[2]).split())
    return shown[:_MOST_SHOWN] or "it said nothing"
