"""The training loop: any work, from the step that was restored to the last one."""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, Protocol

import numpy as np
import paddle
from paddle import Tensor, nn

from unimo_paddle.console import say
from unimo_paddle.distributed import world_size
from unimo_paddle.engine.checkpoint import Checkpoints, model_arrays, restore_model
from unimo_paddle.engine.log import Log, StepRecord
from unimo_paddle.engine.optimizer import Adam
from unimo_paddle.errors import UserError
from unimo_paddle.objectives.terms import LossTerm


class Work(Protocol):
    """What is trained. batch(step) must be a pure function of the step, or a resumed run is another one.

    A batch may have `ids`, the names of its examples: they are counted for the speed and named when a loss fails.
    losses(batch) runs the model forward; which objectives it returns may differ from step to step.
    """

    @property
    def model(self) -> nn.Layer: ...

    def batch(self, step: int) -> Any: ...

    def losses(self, batch: Any) -> Mapping[str, LossTerm]: ...


class Trainer:
    """rate: learning rate of an update, counted from 0; weights: of the objectives in their sum, all of them;
    seed: of dropout, together with the step."""

    def __init__(
        self,
        work: Work,
        optimizer: Adam,
        rate: Callable[[int], float],
        checkpoints: Checkpoints,
        log: Log,
        weights: Mapping[str, float],
        steps: int,
        save_every: int,
        seed: int,
    ) -> None:
        self.work, self.optimizer, self.rate = work, optimizer, rate
        self.checkpoints, self.log, self.weights = checkpoints, log, weights
        self.steps, self.save_every, self.seed = steps, save_every, seed

    def run(self) -> None:
        """Train from the newest checkpoint to the last step; a finished run only says so.

        Raises UserError when a loss or the gradient is not finite, or under a launcher with several processes;
        SystemExit 143 or 130 after SIGTERM or SIGINT, when the step is finished and saved.
        """
        if world_size() > 1:
            raise UserError(f"training was started as {world_size()} processes; start it as one, without a launcher")
        done = self.restore()
        if done >= self.steps:
            say(f"this run is finished: all {self.steps:,} steps are done (--restart trains anew)")
            return
        say(f"training from step {done:,} to {self.steps:,}")
        self.work.model.train()
        with self.log.open(done), _stop_signals() as stop:
            for step in range(done, self.steps):
                self.log.write(self.train_step(step))
                if stop or (step + 1) % self.save_every == 0 or step + 1 == self.steps:
                    self.save(step + 1)
                if stop and step + 1 < self.steps:
                    say(f"stopped after step {step + 1:,}, which is saved; run the same command to go on")
                    raise SystemExit(128 + stop[0])

    def restore(self) -> int:
        """Load the newest sound checkpoint and return how many steps are done, 0 without one."""
        snapshot = self.checkpoints.newest()
        if snapshot is None:
            return 0
        restore_model(self.work.model, snapshot.model, snapshot.path)
        self.optimizer.load(snapshot.optimizer)
        return snapshot.step

    def save(self, done: int) -> None:
        """Save everything that the next step depends on."""
        self.checkpoints.save(done, model_arrays(self.work.model), self.optimizer.state(), {"seed": self.seed})

    def train_step(self, step: int) -> StepRecord:
        """Make update number `step`, counted from 0.

        Dropout is drawn from (seed, step) alone, so that a resumed run goes on bitwise as one never interrupted.
        """
        begun = time.monotonic()
        batch = self.work.batch(step)
        data_seconds = time.monotonic() - begun
        paddle.seed(int(np.random.SeedSequence((self.seed, step)).generate_state(1)[0]))
        means = {name: term.mean() for name, term in self.work.losses(batch).items()}
        values = {name: float(mean) for name, mean in means.items()}
        self._require_finite(step, batch, values)
        total = self._total(means)
        loss = 0.0 if total is None else float(total)
        if total is not None:
            total.backward()
        rate = self.rate(step)
        norm = self.optimizer.step(rate)
        self._require_finite(step, batch, {"the gradient of all objectives together": norm})
        ids = getattr(batch, "ids", ())
        seconds = time.monotonic() - begun
        return StepRecord(step + 1, loss, values, rate, norm, len(ids), seconds, data_seconds)

    def _total(self, means: Mapping[str, Tensor]) -> Tensor | None:
        """Return the weighted sum; an objective without weight stays out, for 0 times infinity is no number."""
        unknown = means.keys() - self.weights.keys()
        assert not unknown, f"objectives without a weight: {sorted(unknown)}"
        parts = [self.weights[name] * mean for name, mean in means.items() if self.weights[name]]
        return paddle.add_n(parts) if parts else None

    def _require_finite(self, step: int, batch: Any, values: Mapping[str, float]) -> None:
        bad = [f"{name} ({value})" for name, value in values.items() if not math.isfinite(value)]
        if not bad:
            return
        ids = list(getattr(batch, "ids", ()))
        shown = ", ".join(map(str, ids[:8])) + (f" and {len(ids) - 8} more" if len(ids) > 8 else "")
        raise UserError(
            f"step {step + 1} is not finite in {', '.join(bad)}; examples: {shown or 'unnamed'}. It was not made; "
            f"the last checkpoint stands. Look at these examples, or lower optimizer.peak_lr and start with --restart"
        )


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Yield a list that takes the first SIGTERM or SIGINT, so that the step can end; the second one acts at once."""
    received: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        os.write(sys.stderr.fileno(), b"stopping after this step (once more to stop at once)\n")  # print() may be busy
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in before:
        signal.signal(number, note)
    try:
        yield received
    finally:
        restore()
