"""What a tool shows a person: lines, progress, and errors without a traceback."""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NoReturn, TypeVar

from unimo_paddle.errors import UserError

Item = TypeVar("Item")
QUIET_SECONDS = 5.0   # shorter work shows nothing; on a pipe this is also the time between two lines
_ADVICE = {
    errno.ENOSPC: "the disk is full: free some space and run the same command again",
    errno.EDQUOT: "the disk quota is used up: free some space and run the same command again",
    errno.EFBIG: "the file would be larger than is allowed here: raise `ulimit -f`",
    errno.EACCES: "no permission: choose another folder or change its permissions",
    errno.EPERM: "no permission: choose another folder or change its permissions",
    errno.EROFS: "the file system is read-only: choose another folder",
    errno.ENOENT: "no such file or folder: check the path",
    errno.ENOTDIR: "a part of the path is a file, not a folder: check the path",
    errno.EEXIST: "there is such a file already; a folder is wanted",
    errno.EISDIR: "this is a folder; a file is wanted",
    errno.EMFILE: "too many open files: raise `ulimit -n`",
}


class Terminated(KeyboardInterrupt):
    """SIGTERM, as a scheduler or `timeout` sends it: everything is tidied up as after Ctrl-C."""


def say(text: str = "") -> None:
    """Print a line at once, also on a pipe."""
    print(text, flush=True)


def progress(items: Iterable[Item], total: int, what: str, unit: str = "item", start: int = 0,
             size: Callable[[Item], int] | None = None) -> Iterator[Item]:
    """Yield the items while showing how many are done, the speed and the time left.

    A bar on a terminal, a plain line every five seconds on a pipe, nothing for work shorter than that.
    total: all there is; start: how many of them were done before (a resumed run), which do not count for the speed.
    size: how many units an item is worth; 1 without it.
    """
    begun = shown = time.monotonic()
    terminal = sys.stderr.isatty()
    pause = 0.2 if terminal else QUIET_SECONDS
    done = told = start
    for item in items:
        yield item
        done += size(item) if size else 1
        now = time.monotonic()
        if now - begun > QUIET_SECONDS and now - shown >= pause:
            shown, told = now, done
            _show(progress_line(what, unit, done, total, done - start, now - begun), terminal, end=False)
    if shown > begun and (terminal or done > told):
        _show(progress_line(what, unit, done, total, done - start, time.monotonic() - begun), terminal, end=True)


def progress_line(what: str, unit: str, done: int, total: int, fresh: int, seconds: float) -> str:
    """Return e.g. `scenes 1,200/2,000 (60 %) 52.1 scene/s, 15 s left`."""
    speed = fresh / seconds if seconds > 0 else 0.0
    left = duration((total - done) / speed) if speed and done <= total else "?"
    share = f" ({100 * done // total} %)" if total else ""
    return f"{what} {done:,}/{total:,}{share} {speed:.4g} {unit}/s, {left} left"


def duration(seconds: float) -> str:
    """Return e.g. `45 s`, `3 min 05 s` or `2 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def run_tool(main: Callable[[list[str]], int]) -> NoReturn:
    """Run a tool's main on the command line and exit: 0 done, 1 failed, 2 the request is wrong.

    A UserError or an error of the system (disk full, no permission) becomes one `error:` message; anything else is a
    fault of ours and shows its traceback.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names need not be Unicode, terminals not UTF-8
    signal.signal(signal.SIGTERM, _terminate)
    try:
        status = main(sys.argv[1:])
    except UserError as error:
        status = fail(str(error), 2)
    except KeyboardInterrupt as stop:
        status = fail("interrupted; run the same command again to go on", 143 if isinstance(stop, Terminated) else 130)
    except BrokenPipeError:
        sys.stderr.close()
        status = 1
    except OSError as error:
        status = fail(describe(error), 1)
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
    sys.exit(status)


def _terminate(number: int, frame: object) -> NoReturn:
    raise Terminated


def describe(error: OSError) -> str:
    """Return what the system refused, for which file, and what to do."""
    advice = _ADVICE.get(error.errno or 0, error.strerror or str(error))
    return f"{error.filename}: {advice}" if error.filename else advice


def path(text: str) -> Path:
    """Read a path of the command line, as argparse's type; an empty one, of an unset variable, is refused."""
    if not text:
        raise argparse.ArgumentTypeError("the path is empty")
    return Path(text)


def fail(message: str, status: int) -> int:
    """Print an error on standard error and return the exit status."""
    print(f"error: {message}", file=sys.stderr, flush=True)
    return status


def _show(line: str, terminal: bool, end: bool) -> None:
    if terminal:
        sys.stderr.write("\r\x1b[K" + line + ("\n" if end else ""))
    else:
        sys.stderr.write(line + "\n")
    sys.stderr.flush()
