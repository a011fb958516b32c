"""One folder, one run: the same command goes on, another one is refused."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from unimo_paddle.config import Run, differences, run_from_directory, save_run
from unimo_paddle.config.save import SAVED
from unimo_paddle.console import say
from unimo_paddle.errors import UserError
from unimo_paddle.files import is_vacant, leftovers, lock_directory, read_json, write_json

CHECKPOINTS = "checkpoints"
DATA_FILE = "data.json"


@contextlib.contextmanager
def claim_directory(run: Run, restart: bool = False) -> Iterator[Path]:
    """Make output.directory this run's folder, keep its settings there and other processes out, and yield the folder.

    A folder of the same run is continued. restart: an earlier run is moved aside, to `NAME.before-1` and so on; nothing
    is deleted. Raises UserError when the folder belongs to a run with other settings, naming each that differs, when
    another process trains there, or it holds something else.
    """
    directory = run.output.directory
    if restart and (directory / SAVED).is_file():
        with _locked(directory):
            aside = _free_name(directory)
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
        yield directory


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


def _free_name(directory: Path) -> Path:
    number = 1
    while (aside := directory.with_name(f"{directory.name}.before-{number}")).exists():
        number += 1
    return aside


def note_data(directory: Path, facts: dict[str, str]) -> None:
    """Keep in a run's folder what its data are known by; UserError when an earlier start noted other data."""
    require_same_data(directory, facts)
    write_json(directory / DATA_FILE, facts)


def require_same_data(folder: Path, facts: dict[str, str]) -> None:
    """Raise UserError when the folder of a run or a checkpoint notes another tokenizer or detector than these.

    Folders of converted weights note nothing.
    """
    if not (folder / DATA_FILE).is_file():
        return
    noted = read_json(folder / DATA_FILE)
    other = [name for name, fact in facts.items() if noted.get(name) != fact]
    if other:
        raise UserError(
            f"{folder} was trained with another {' and another '.join(other)} than data.tokenizer and data.regions "
            f"name now; bring back the old data, or train in a new output.directory"
        )
