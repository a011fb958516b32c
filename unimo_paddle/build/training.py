"""The engine around any work: optimizer, learning rate, checkpoints, log, trainer."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from unimo_paddle.config import OptimizerSettings, TrainSettings
from unimo_paddle.engine.checkpoint import Checkpoints
from unimo_paddle.engine.log import Log
from unimo_paddle.engine.optimizer import Adam, learning_rate
from unimo_paddle.engine.run_directory import CHECKPOINTS
from unimo_paddle.engine.trainer import Trainer, Work


def trainer(
    work: Work,
    optimizer: OptimizerSettings,
    settings: TrainSettings,
    weights: dict[str, float],
    directory: Path,
    beside: dict[str, Any] | None = None,
) -> Trainer:
    """Wire the engine around any work. beside: file name -> JSON value, kept in each checkpoint."""
    adam = Adam(work.model, optimizer.weight_decay, optimizer.betas, optimizer.epsilon, optimizer.clip_norm)
    rate = partial(
        learning_rate,
        peak=optimizer.peak_lr,
        warmup=optimizer.warmup_steps,
        total=settings.steps,
        schedule=optimizer.schedule,
    )
    checkpoints = Checkpoints(directory / CHECKPOINTS, settings.keep_last, beside)
    log = Log(directory, settings.log_every, settings.steps)
    return Trainer(
        work, adam, rate, checkpoints, log, weights, settings.steps, settings.save_every, settings.seed
    )
