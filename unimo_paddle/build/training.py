"""The engine around any work: precision, optimizer, learning rate, checkpoints, log, trainer."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from unimo_paddle.config import AdamSettings, OptimizerSettings, ParallelSettings, TrainSettings
from unimo_paddle.distributed import world_size
from unimo_paddle.engine.checkpoint import Checkpoints
from unimo_paddle.engine.device import device_name
from unimo_paddle.engine.log import Log
from unimo_paddle.engine.optimizer import Adam
from unimo_paddle.engine.passes import Work
from unimo_paddle.engine.peak import peak_flops
from unimo_paddle.engine.precision import Precision
from unimo_paddle.engine.run_directory import CHECKPOINTS
from unimo_paddle.engine.schedules import Schedule, learning_rate
from unimo_paddle.engine.trainer import Trainer, Watch


def trainer(
    work: Work,
    optimizer: AdamSettings,
    rate: Schedule,
    settings: TrainSettings,
    weights: dict[str, float],
    directory: Path,
    beside: dict[str, Any] | None = None,
    parallel: ParallelSettings | None = None,
    precision: Precision | None = None,
    watch: Watch | None = None,
    peak_tflops: float | None = None,
    fingerprint: int = 0,
    operators: str = "plain",
) -> Trainer:
    """Wire the engine around any work.

    beside: file name -> JSON value, kept in each checkpoint; peak_tflops: of one device, where the settings say it.
    """
    precision, parallel = precision or Precision(), parallel or ParallelSettings()
    adam = Adam(
        work.model,
        optimizer.weight_decay,
        optimizer.betas,
        optimizer.epsilon,
        optimizer.clip_norm,
        halve=precision.halve if precision.level == "O2" else None,
        sharding=parallel.sharding,
        operators=operators,
        stage=parallel.stage,
    )
    checkpoints = Checkpoints(directory / CHECKPOINTS, settings.keep_last, beside)
    dtype = "float32" if precision.level == "O0" else precision.dtype
    peak = peak_flops(device_name(), dtype, peak_tflops)
    log = Log(directory, settings.log_every, settings.steps, peak * world_size() if peak else None)
    return Trainer(work, adam, rate, checkpoints, log, weights, settings, directory, precision, watch, fingerprint)


def rate_of(optimizer: OptimizerSettings, steps: int) -> Schedule:
    """Return the learning rate of a run of so many steps."""
    return partial(
        learning_rate,
        peak=optimizer.peak_lr,
        warmup=optimizer.warmup_steps,
        total=steps,
        schedule=optimizer.schedule,
    )
