"""One folder, one run: the same command goes on, another one is refused."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from unimo_paddle.config import Run, differences, run_from_directory, save_run
from unimo_paddle.config.save import SAVED
from unimo_paddle.console import say
from unimo_paddle.distributed import rank, world_size
from unimo_paddle.engine.checkpoint import paths_in, point_to_best, step_of
from unimo_paddle.engine.snapshot import read_snapshot
from unimo_paddle.engine.together import from_first, together
from unimo_paddle.errors import UserError
from unimo_paddle.files import TEMPORARY, is_vacant, leftovers, lock_directory, read_json, write_json

CHECKPOINTS = "checkpoints"
DATA_FILE = "data.json"
_SHARED_SECONDS = 30.0


@contextlib.contextmanager
def claim_directory(run: Run, restart: bool = False, resume: Path | None = None) -> Iterator[Path]:
    """Make output.directory this run's folder, keep its settings there and other processes out, and yield the folder.

    All ranks come here; the first one does it. A folder of the same run is continued, from its newest checkpoint, or
    from `resume`: the later ones are moved aside. restart: an earlier run is moved aside, to `NAME.before-1` and so
    on. Nothing is deleted. Raises UserError when the folder belongs to a run with other settings, naming each that
    differs, when another process trains there, it holds something else, or a rank does not see it.
    """
    directory = run.output.directory
    with contextlib.ExitStack() as held:
        with together():
            if rank() == 0:
                held.enter_context(_claimed(run, restart))
                if resume is not None:
                    go_back(directory, resume)
        if world_size() > 1:
            _require_shared(directory)
        yield directory


@contextlib.contextmanager
def _claimed(run: Run, restart: bool) -> Iterator[None]:
    directory = run.output.directory
    if restart and (directory / SAVED).is_file():
        with _locked(directory):
            aside = _free_name(directory, "before")
            directory.rename(aside)
        say(f"the earlier run was moved to {aside}")
    if (directory / SAVED).is_file():
        _refuse_other(run, directory)
    elif not is_vacant(directory):
        raise UserError(f"{directory} exists and is not the folder of a run; choose another output.directory")
    directory.mkdir(parents=True, exist_ok=True)
    with _locked(directory):
        leftovers(directory)
        save_run(run, directory / SAVED)
        yield


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    lock = lock_directory(directory)
    try:
        yield
    finally:
        os.close(lock)


def _refuse_other(run: Run, directory: Path) -> None:
    found = differences(run_from_directory(directory), run)
    if found:
        lines = "\n  ".join(found)
        raise UserError(
            f"{directory} holds a run with other settings:\n  {lines}\n"
            f"Give this one its own folder with -o output.directory=..., or move the old run aside with --restart"
        )


def _free_name(path: Path, word: str) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.{word}-{number}")).exists():
        number += 1
    return aside


def _require_shared(directory: Path) -> None:
    """Raise UserError on the ranks whose folder is not the first one's: another disk under the same path.

    The name of the mark is new each time: a network drive may remember that an old one was absent.
    """
    mark = directory / f"{TEMPORARY}shared-{from_first(time.time_ns() // 1000)}"
    with together():
        if rank() == 0:
            mark.touch()
    with together():
        if not _appears(mark):
            raise UserError(
                f"{directory} on {socket.gethostname()} (rank {rank()}) is not the folder that the first rank writes "
                f"to; set output.directory to a folder on a disk that all nodes share"
            )
    if rank() == 0:
        mark.unlink(missing_ok=True)


def _appears(path: Path) -> bool:
    end = time.monotonic() + _SHARED_SECONDS
    while not path.exists():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def go_back(directory: Path, checkpoint: Path) -> None:
    """Make one of a run's checkpoints its newest: the later ones move to `checkpoints.aside-1`, with a copy of what was
    logged of their steps. Raises UserError when it is no checkpoint of this run, or damaged."""
    checkpoints, chosen = directory / CHECKPOINTS, checkpoint.resolve()
    mine = paths_in(checkpoints)
    if chosen not in [path.resolve() for path in mine]:
        names = ", ".join(path.name for path in mine) or "none"
        raise UserError(f"{checkpoint} is no checkpoint of the run in {directory}; its {CHECKPOINTS} are: {names}")
    read_snapshot(chosen)
    later = [path for path in mine if step_of(path) > step_of(chosen)]
    if not later:
        return
    aside = _free_name(checkpoints, "aside")
    aside.mkdir()
    for log in directory.glob("*.jsonl"):
        shutil.copy2(log, aside)
    for path in later:
        path.rename(aside / path.name)
    point_to_best(checkpoints, paths_in(checkpoints))
    say(f"going back to {chosen.name}; {len(later)} later checkpoints and a copy of the logs were moved to {aside}")


def note_data(directory: Path, facts: dict[str, str]) -> None:
    """Keep in a run's folder what its data are known by; UserError when an earlier start, or another rank, noted other
    data."""
    with together():
        if rank() == 0:
            require_same_data(directory, facts)
            write_json(directory / DATA_FILE, facts)
    with together():
        require_same_data(directory, facts)


def require_same_data(folder: Path, facts: dict[str, str]) -> None:
    """Raise UserError when the folder of a run or a checkpoint notes other data than these, naming which.

    What is not noted there is not compared: folders of converted weights note nothing.
    """
    if not (folder / DATA_FILE).is_file():
        return
    noted = read_json(folder / DATA_FILE)
    other = [name for name, fact in facts.items() if noted.get(name, fact) != fact]
    if other:
        raise UserError(
            f"{folder} was trained with other data than the settings name now: the {', the '.join(other)} differ; "
            f"bring back the old data, or train in a new output.directory"
        )
