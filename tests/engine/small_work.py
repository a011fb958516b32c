"""A real but small training, for tests in this process and, run as a program, in one that gets killed.

Usage: python -m tests.engine.small_work DIRECTORY STEPS SECONDS_PER_STEP
"""

import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import paddle
from paddle import nn

from unimo_paddle.config.engine import TrainSettings
from unimo_paddle.console import run_tool
from unimo_paddle.engine.checkpoint import Checkpoints
from unimo_paddle.engine.log import Log
from unimo_paddle.engine.optimizer import Adam
from unimo_paddle.engine.schedules import learning_rate
from unimo_paddle.engine.trainer import Trainer
from unimo_paddle.model.flops import Cost
from unimo_paddle.objectives.terms import LossTerm

WEIGHTS = {"words": 1.0, "square": 0.5}


@dataclass(frozen=True)
class Part:
    tokens: np.ndarray
    targets: np.ndarray
    with_square: bool


@dataclass(frozen=True)
class Batch:
    kind: str
    ids: list
    parts: list


class SmallModel(nn.Layer):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(50, 16)
        self.norm = nn.LayerNorm(16)
        self.drop = nn.Dropout(0.3)
        self.out = nn.Linear(16, 50)

    def forward(self, tokens):
        return self.out(self.drop(self.norm(self.table(tokens))))


class SmallWork:
    """Predict (token * 7) % 50, with dropout, in two parts; every other step has a second objective."""

    def __init__(self, pause=0.0):
        paddle.seed(11)
        self.model, self.pause = SmallModel(), pause

    def batch(self, step):
        time.sleep(self.pause)
        tokens = np.random.default_rng((5, step)).integers(0, 50, 64)
        parts = [Part(one, one * 7 % 50, step % 2 == 0) for one in (tokens[:24], tokens[24:])]
        return Batch("small", [f"example-{step}-{i}" for i in range(64)], parts)

    def counts(self, part):
        return {"words": len(part.tokens), **({"square": 50 * len(part.tokens)} if part.with_square else {})}

    def cost(self, part):
        return Cost(tokens=len(part.tokens), rows=len(part.tokens) + 1, flops=100.0)

    def losses(self, part):
        logits = self.model(paddle.to_tensor(part.tokens))
        words = nn.functional.cross_entropy(logits, paddle.to_tensor(part.targets), reduction="sum")
        terms = {"words": LossTerm(words, paddle.to_tensor(float(len(part.tokens))))}
        if part.with_square:
            terms["square"] = LossTerm((logits * logits).sum(), paddle.to_tensor(float(logits.size)))
        return terms


def small_trainer(directory, steps, work=None, save_every=10, weights=WEIGHTS, **more):
    work = work or SmallWork()
    Path(directory).mkdir(parents=True, exist_ok=True)
    return Trainer(
        work=work,
        optimizer=Adam(work.model, weight_decay=0.01),
        rate=partial(learning_rate, peak=0.05, warmup=5, total=steps),
        checkpoints=Checkpoints(Path(directory) / "checkpoints", keep_last=2),
        log=Log(directory, log_every=10, steps=steps),
        weights=weights,
        settings=TrainSettings(steps=steps, save_every=save_every, seed=3),
        directory=Path(directory),
        **more,
    )


def main(arguments):
    directory, steps, pause = arguments
    small_trainer(directory, int(steps), SmallWork(float(pause))).run()
    return 0


if __name__ == "__main__":
    assert len(sys.argv) == 4, __doc__
    run_tool(main)
