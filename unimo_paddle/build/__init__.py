"""The wiring: from a run's settings to something that trains or evaluates.

Read pretraining.py first, top to bottom: it shows how data, model, losses and engine meet.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import paddle

from unimo_paddle import preflight
from unimo_paddle.build.detector import train_detector
from unimo_paddle.build.evaluation import evaluate_retrieval
from unimo_paddle.build.finetuning import finetune, plan_of_finetuning
from unimo_paddle.build.models import with_sizes_of_data
from unimo_paddle.build.pretraining import open_sources, pretrain, pretraining_trial, starting_model
from unimo_paddle.build.task_evaluation import evaluate_task
from unimo_paddle.config import DetectorRun, FinetuneRun, PretrainRun, Run
from unimo_paddle.console import say
from unimo_paddle.engine import plan, replay
from unimo_paddle.engine.precision import Precision
from unimo_paddle.errors import UserError
from unimo_paddle.tasks.pretraining import Pretraining

__all__ = ["check", "evaluate", "run_again", "tell_plan", "train"]


def train(run: Run, restart: bool = False, resume: Path | None = None) -> None:
    """Train what the run describes, from where an earlier start of the same run stopped.

    restart: from the start, the earlier run is moved aside; resume: from this one of the run's checkpoints, later ones
    are moved aside. Raises UserError for settings that do not fit the data or the run's folder.
    """
    paddle.seed(run.train.seed)
    if isinstance(run, DetectorRun):
        train_detector(run, restart, resume)
    elif isinstance(run, FinetuneRun):
        finetune(run, restart, resume)
    else:
        pretrain(run, restart, resume)


def evaluate(
    run: Run, weights: Path, split: str | None = None, sheet: Path | None = None, predictions: Path | None = None
) -> dict[str, Any]:
    """Judge trained weights on a split, print the table, return it flat.

    split: left out, the run's. sheet: PNG of what retrieval found, after pretraining; predictions: JSONL of a task's
    answers. Raises UserError for what the kind of run does not have.
    """
    if isinstance(run, FinetuneRun):
        if sheet:
            raise UserError(f"--sheet {sheet} is for runs of kind pretrain; a task's answers: --predictions FILE.jsonl")
        return evaluate_task(run, weights, split, predictions)
    if not isinstance(run, PretrainRun):
        raise UserError(f"a run of kind {run.kind} is judged when it ends; evaluate one of kind pretrain or finetune")
    if predictions:
        raise UserError(f"--predictions {predictions} is for tasks; of zero-shot retrieval: --sheet FILE.png")
    if split:
        run = replace(run, evaluation=replace(run.evaluation, split=split))
    told = {"split": run.evaluation.split, "weights": str(weights)}
    return told | evaluate_retrieval(run, weights, sheet)


def tell_plan(run: Run) -> None:
    """Print what the run will cost; data that are there already make it exact."""
    if isinstance(run, FinetuneRun):
        lines = plan_of_finetuning(run)
    elif isinstance(run, PretrainRun):
        lines = plan.describe(with_sizes_of_data(run), preflight.data_sizes(run))
    else:
        lines = plan.describe(run)
    for line in lines:
        say(line)


def check(run: Run) -> int:
    """Check machine, disk, network, data and a step of each kind; return 0, or 1 when something would stop the run."""
    run = with_sizes_of_data(_pretraining(run, "--preflight"))
    return preflight.run(run, partial(pretraining_trial, run))


def run_again(run: Run, failed: Path) -> None:
    """Make again the step that failed with numbers that are not finite, and print where they come from."""
    run = _pretraining(run, "--replay")
    sources = open_sources(run)
    work = Pretraining(starting_model(run, sources), sources.mixture.batch, run.objectives.temperature)
    for line in replay.replay(failed, work, Precision(run.precision)):
        say(line)


def _pretraining(run: Run, flag: str) -> PretrainRun:
    if not isinstance(run, PretrainRun):
        raise UserError(f"{flag} is for runs of kind pretrain, not {run.kind}")
    return run
