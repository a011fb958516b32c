"""The wiring: from a run's settings to something that trains or evaluates.

Read pretraining.py first, top to bottom: it shows how data, model, losses and engine meet.
"""

from __future__ import annotations

import paddle

from unimo_paddle.build.detector import train_detector
from unimo_paddle.build.evaluation import evaluate
from unimo_paddle.build.pretraining import pretrain, pretraining_work
from unimo_paddle.config import DetectorRun, Run

__all__ = ["evaluate", "pretraining_work", "train"]


def train(run: Run, restart: bool = False) -> None:
    """Train what the run describes, from where an earlier start of the same run stopped.

    Raises UserError for settings that do not fit the data or the run's folder.
    """
    paddle.seed(run.train.seed)
    if isinstance(run, DetectorRun):
        train_detector(run, restart)
    else:
        pretrain(run, restart)
