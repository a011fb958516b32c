"""One run of a grid: its folder, the tools that train and judge it, and what they left.

    FOLDER/config.yaml            all settings; `tools/train.py -c` of it trains the run again
    FOLDER/run/                   the training's own folder
    FOLDER/trained.json           losses, costs, commit: there when the training has ended
    FOLDER/scores/NAME.json       what an evaluation printed, NAME.yaml the settings it had
    FOLDER/failed.json            why the newest start failed
    FOLDER/about.json             variant, seed, settings by which the variant differs, its evaluations
    FOLDER/*.out, *.err           what the tools said
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from unimo_paddle.config import Run, differences, load_run, save_run
from unimo_paddle.errors import UserError
from unimo_paddle.files import lock_directory, read_json, read_text, write_json
from unimo_paddle.study.grid import Planned
from unimo_paddle.study.process import Failure, last_json, run_child
from unimo_paddle.study.summary import summary
from unimo_paddle.workers.crew import WORKER

CONFIG, TRAINING, TRAINED, FAILED, ABOUT = "config.yaml", "run", "trained.json", "failed.json", "about.json"
SCORES, ONLY = "scores", "evaluation"  # the evaluation without a name is kept under this one
DATA_FILE = "data.json"  # in the training's folder: what its data are known by
_OURS = {"UNIMO_PADDLE_TUNED", WORKER, "OMP_NUM_THREADS"}  # of this process: the tools set their own
_MOST_NAME = 80  # characters; a file name has room for 255 bytes
_ODD = re.compile(r"[^A-Za-z0-9_.=,+-]")


@dataclass(frozen=True)
class Task:
    """What is left to do of a run: whether to train, and the evaluations, by the names of their files."""

    folder: Path
    train: bool
    evaluations: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """How a task ended, and after how long. error: "" when all went well."""

    folder: Path
    seconds: float
    error: str


def choose_folder(directory: Path, planned: Planned) -> Path:
    """Return the folder that holds this very run, or a new one: settings that changed never meet old results.

    `NAME-seed1`, and `NAME-seed1.2` where that one was trained with other settings, and so on.
    """
    name = f"{file_name(planned.variant)}-seed{planned.seed}"
    number = 1
    while (folder := directory / (name if number == 1 else f"{name}.{number}")).exists():
        if _holds(folder / CONFIG, lambda old: not differences(old, planned.run)):
            break
        number += 1
    return folder


def left_to_do(folder: Path, planned: Planned) -> Task:
    """Return what of a run is not done yet; an evaluation whose settings changed is to be done again."""
    left = [
        files.name
        for files, run in _evaluations(folder, planned)
        if not (files.scores.exists() and _holds(files.settings, partial(_is_same, run)))
    ]
    return Task(folder, not (folder / TRAINED).exists(), tuple(left))


def prepare(task: Task, planned: Planned) -> None:
    """Write a run's settings into its folder, and remove the scores that are not to be used."""
    output = replace(planned.run.output, directory=task.folder / TRAINING)
    task.folder.mkdir(parents=True, exist_ok=True)
    save_run(replace(planned.run, output=output), task.folder / CONFIG)
    evaluations = _evaluations(task.folder, planned)
    about = {"variant": planned.variant, "seed": planned.seed, "overrides": planned.overrides}
    write_json(task.folder / ABOUT, {**about, "evaluations": [files.name for files, _ in evaluations]})
    for files, run in evaluations:
        if files.name in task.evaluations:
            files.scores.unlink(missing_ok=True)
            save_run(replace(run, output=output), files.settings)


def _evaluations(folder: Path, planned: Planned) -> list[tuple[_Files, Run]]:
    return [(_Files(folder, file_name(name or ONLY)), run) for name, run in planned.evaluations.items()]


def file_name(name: str) -> str:
    """Return a name as a file can have it; one that had to be changed ends in 8 digits of its checksum."""
    plain = _ODD.sub("_", name)[:_MOST_NAME].lstrip(".")
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _holds(path: Path, is_wanted: Callable[[Run], bool]) -> bool:
    """Tell whether a file has the wanted settings; not when this version cannot read it any more."""
    try:
        return is_wanted(load_run(path))
    except UserError:
        return False


def _is_same(wanted: Run, old: Run) -> bool:
    """Tell whether two runs' settings are equal, wherever they are kept."""
    return replace(old, output=wanted.output) == wanted


class _Files(NamedTuple):
    """Where an evaluation's settings and scores are."""

    folder: Path
    name: str

    @property
    def settings(self) -> Path:
        return self.folder / SCORES / f"{self.name}.yaml"

    @property
    def scores(self) -> Path:
        return self.folder / SCORES / f"{self.name}.json"


@dataclass(frozen=True)
class Work:
    """What a worker does with a task.

    train, evaluate: command lines that `-c CONFIG` is appended to.  threads: of each tool.  gpus: that the workers
    have, one each, none: whatever there is.  commit: of the code.
    """

    train: tuple[str, ...]
    evaluate: tuple[str, ...]
    threads: int
    gpus: tuple[str, ...]
    commit: str

    def __call__(self, task: Task) -> Outcome:
        """Train and judge. A tool that fails is an outcome, so that other runs go on."""
        begun, error = time.monotonic(), ""
        (task.folder / FAILED).unlink(missing_ok=True)
        try:
            if task.train:
                self._train(task.folder)
            for name in task.evaluations:
                self._judge(_Files(task.folder, name))
        except Failure as failure:
            error = str(failure)
            write_json(task.folder / FAILED, {"error": error, "commit": self.commit})
        return Outcome(task.folder, time.monotonic() - begun, error)

    def _train(self, folder: Path) -> None:
        output = folder / TRAINING
        if output.is_dir():  # the training of a sweep that was stopped may be saving yet
            os.close(lock_directory(output, wait=True))
        run_child([*self.train, "-c", str(folder / CONFIG)], folder / "train", self._environment())
        facts = {"commit": self.commit, **summary(output)}
        write_json(folder / TRAINED, facts)

    def _judge(self, files: _Files) -> None:
        words = [*self.evaluate, "-c", str(files.settings), "--weights", str(files.folder / TRAINING)]
        begun = time.monotonic()
        out = run_child(words, files.folder / SCORES / files.name, self._environment())
        scores = last_json(out)
        facts = {"commit": self.commit, "seconds": time.monotonic() - begun, "scores": flat(scores)}
        write_json(files.scores, {**facts, "split": scores.get("split")})

    def _environment(self) -> dict[str, str]:
        """Return the tools' variables: their share of the cores, and their GPU."""
        inherited = {name: value for name, value in os.environ.items() if name not in _OURS}
        wanted = {"MKL_NUM_THREADS": str(self.threads)}
        if self.gpus:
            wanted["CUDA_VISIBLE_DEVICES"] = self.gpus[int(os.environ.get(WORKER, 0)) % len(self.gpus)]
        return {**inherited, **wanted}


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Return the numbers of nested objects by dotted names; what is no number is left out."""
    found: dict[str, float] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found.update(flat(value, f"{prefix}{name}."))
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found[f"{prefix}{name}"] = float(value)
    return found


def read_row(folder: Path) -> dict[str, Any]:
    """Return what a run's folder tells, as one row of the table: table.py says which columns there are.

    Raises UserError when a file of it is damaged.
    """
    about, trained, failed = read_json(folder / ABOUT), _facts(folder / TRAINED), _facts(folder / FAILED)
    files = [_Files(folder, name).scores for name in about.pop("evaluations")]
    judged = {path.stem: read_json(path) for path in files if path.exists()}
    is_done = bool(trained) and len(judged) == len(files)
    scores = {
        metric if name == ONLY else f"{name}.{metric}": value
        for name, each in judged.items()
        for metric, value in each["scores"].items()
    }
    return {
        **about,
        "state": "done" if is_done else "failed" if failed else "waiting",
        "error": failed.get("error", ""),
        "folder": str(folder),
        "config": read_text(folder / CONFIG),
        "data": _text(folder / TRAINING / DATA_FILE),
        "splits": sorted({each["split"] for each in judged.values() if each["split"]}),
        **trained,
        "evaluate_seconds": sum(each["seconds"] for each in judged.values()),
        **{f"score/{name}": value for name, value in scores.items()},
    }


def _facts(path: Path) -> dict[str, Any]:
    return read_json(path) if path.exists() else {}


def _text(path: Path) -> str:
    return read_text(path) if path.exists() else ""
