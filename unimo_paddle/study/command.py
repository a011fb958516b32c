"""The command of tools/sweep.py: plan, run what is not done yet, show the table."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from unimo_paddle.console import duration, fail, path, say
from unimo_paddle.errors import UserError
from unimo_paddle.files import leftovers, lock_directory
from unimo_paddle.study import table
from unimo_paddle.study.grid import Planned, plan
from unimo_paddle.study.reading import Asked, is_study, read_axes, read_study
from unimo_paddle.study.runs import ABOUT, Outcome, Task, Work, choose_folder, left_to_do, prepare, read_row
from unimo_paddle.workers.engine import Engine, map_tasks, usable_cores

ROOT = Path(__file__).resolve().parents[2]
RUNS, TABLE = "runs", "runs.parquet"
SHOWN = 3  # scores of a run that has just ended


class Tools(NamedTuple):
    """Command lines that `-c CONFIG` is appended to; the second one gets `--weights DIR` too."""

    train: tuple[str, ...] = (sys.executable, str(ROOT / "tools" / "train.py"))
    evaluate: tuple[str, ...] = (sys.executable, str(ROOT / "tools" / "evaluate.py"))


def run(words: list[str], description: str, tools: Tools = Tools()) -> int:  # noqa: B008 - it is frozen
    """Do what the command line asks; return 0, or 1 when runs failed."""
    args = _parser(description).parse_args(words)
    asked = _asked(args)
    planned = plan(asked.grid)
    gpus = tuple(args.gpus.split(",")) if args.gpus else ()
    engine = Engine(args.engine, args.jobs or len(gpus) or 1, args.address)
    threads = max(1, usable_cores() // engine.workers) if engine.name == "local" else 1
    work = Work(tools.train, tools.evaluate, threads, gpus, commit())
    if args.dry_run:
        return _tell(asked, planned)
    return sweep(asked, planned, engine, work)


def _parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("-c", "--config", type=path, required=True, help="YAML file of a run, or of a study (kind: study)")
    add("-o", "--override", nargs="+", action="extend", default=[], metavar="KEY=VALUE",
        help="settings of every run, e.g. train.steps=200")  # fmt: skip
    add("--grid", nargs="+", action="extend", default=[], metavar="KEY=VALUES",
        help="of a run: all combinations, e.g. optimizer.peak_lr=1e-5,2e-5 train.seed=1..5")  # fmt: skip
    add("--split", help="of a run: split to judge on (default: the configuration's evaluation.split)")
    add("--by", metavar="SCORE", help="score that ranks the variants (default: the first that is told)")
    add("--out", type=path, help="folder of the sweep (default: runs/CONFIG-sweep, or what the study says)")
    add("--jobs", type=int, default=0, metavar="N", help="runs at a time, sharing the cores (default 1, or one a GPU)")
    add("--gpus", default="", metavar="0,1", help="GPUs that the jobs share out, one a run")
    add("--engine", default="local", metavar="local|ray", help="where the jobs are (default local)")
    add("--address", default="", metavar="HOST:PORT", help="Ray cluster; paths must be the same on all its machines")
    add("--dry-run", action="store_true", help="check all settings and list the runs, those done already told")
    return parser


def _asked(args: argparse.Namespace) -> Asked:
    """Read the grid; what the command line says wins over the study's file."""
    if is_study(args.config):
        for_runs = [flag for flag, value in (("--grid", args.grid), ("--split", args.split)) if value]
        if for_runs:
            raise UserError(f"{args.config} is a study, which says its variants and evaluations itself; leave out "
                            f"{' and '.join(for_runs)}")  # fmt: skip
        asked = read_study(args.config, args.override)
    elif not args.grid:
        raise UserError(f"{args.config} is no study; say what varies, e.g. --grid optimizer.peak_lr=1e-5,2e-5")
    else:
        asked = read_axes(args.config, args.grid, args.override, args.split)
    return asked._replace(directory=args.out or asked.directory, by=args.by or asked.by)


def _tell(asked: Asked, planned: Sequence[Planned]) -> int:
    """List the runs, and of each what is left to do."""
    for one in planned:
        task = left_to_do(choose_folder(asked.directory / RUNS, one), one)
        left = [*(["train"] if task.train else []), *task.evaluations]
        say(f"{task.folder}: {', '.join(left) or 'done'}")
    return 0


def sweep(asked: Asked, planned: Sequence[Planned], engine: Engine, work: Work) -> int:
    """Run what is left of a grid; show the table. Return 1 when runs failed, else 0.

    Everything is kept below asked.directory, and the same call goes on where it was stopped. Raises UserError when
    another process sweeps there, or no run has the score asked.by.
    """
    with _claimed(asked.directory) as runs:
        tasks = [left_to_do(choose_folder(runs, one), one) for one in planned]
        for task, one in zip(tasks, planned, strict=True):
            prepare(task, one)
        book = Book(asked.directory, [task.folder for task in tasks])
        left = [task for task in tasks if task.train or task.evaluations]
        say(f"{asked.directory}: {len(asked.grid.variants)} variants, {len(tasks)} runs; {len(tasks) - len(left)} done "
            f"before, {len(left)} to do, {engine.workers} at a time")  # fmt: skip
        _do(left, book, engine, work, asked.by)
    return _report(book, asked)


@contextmanager
def _claimed(directory: Path) -> Iterator[Path]:
    directory.mkdir(parents=True, exist_ok=True)
    lock = lock_directory(directory)
    try:
        leftovers(directory)
        yield directory / RUNS
    finally:
        os.close(lock)


class Book:
    """The rows of all runs in a sweep's folder, those of the newest request first; kept as a Parquet file."""

    def __init__(self, directory: Path, folders: Sequence[Path]) -> None:
        self.path = directory / TABLE
        known = sorted(file.parent for file in (directory / RUNS).glob(f"*/{ABOUT}"))
        self._mine = list(folders)
        self._rows = {folder: read_row(folder) for folder in [*folders, *(one for one in known if one not in folders)]}
        self._write()

    def refresh(self, folder: Path) -> dict[str, Any]:
        """Read a run's folder again, write the file, return the row."""
        self._rows[folder] = read_row(folder)
        self._write()
        return self._rows[folder]

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of the newest request."""
        return [self._rows[folder] for folder in self._mine]

    def _write(self) -> None:
        table.write([{**row, "in_grid": folder in self._mine} for folder, row in self._rows.items()], self.path)


def _do(tasks: Sequence[Task], book: Book, engine: Engine, work: Work, by: str | None) -> None:
    """Run the tasks; a line and the file are written after each."""
    outcomes: Iterator[Outcome] = map_tasks(engine, partial(_same, work), tasks)
    for number, outcome in enumerate(outcomes, start=1):
        row = book.refresh(outcome.folder)
        scores = ", ".join(f"{name} {row[table.SCORE + name]:.4g}" for name in table.score_names([row], by)[:SHOWN])
        told = f"failed: {outcome.error}" if outcome.error else scores
        say(f"{number}/{len(tasks)} {row['variant']} seed {row['seed']}: {told} ({duration(outcome.seconds)})")


def _same(work: Work) -> Work:
    """What a worker makes once: the work itself, which was sent to it."""
    return work


def _report(book: Book, asked: Asked) -> int:
    rows = book.rows()
    lines, names = table.summarise(rows, asked.by)
    for line in table.show(lines, names):
        say(line)
    best = lines[0]
    if names and best.is_whole and names[0] in best.scores:
        splits = sorted({split for row in rows for split in row["splits"]})
        where = f" on split {', '.join(splits)}" if splits else ""
        folder = next(row["folder"] for row in rows if row["variant"] == best.variant)
        say(f"best by {names[0]}{where}: {best.variant}, {table.cell(best.scores[names[0]])} over {best.done} seeds; "
            f"its settings: {folder}/config.yaml")  # fmt: skip
    for note in table.notes(rows):
        say(f"note: {note}")
    say(f"every run, with its settings, losses and costs: {book.path}")
    failed = [row for row in rows if row["state"] == "failed"]
    told = "".join(f"\n  {row['variant']} seed {row['seed']}: {row['error']}" for row in failed)
    again = "the same command tries them again"
    return fail(f"{len(failed)} of {len(rows)} runs failed; {again}:{told}", 1) if failed else 0


def commit() -> str:
    """Return the commit of the code, with `+` when files differ from it; "unknown" outside a git checkout."""
    try:
        head, changed = (_git(*words) for words in (("rev-parse", "HEAD"), ("status", "--porcelain", "-uno")))
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + ("+" if changed else "")


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()
