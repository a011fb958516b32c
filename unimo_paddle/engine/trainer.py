"""The training loop: any work, from the step that was restored to the last one."""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, Protocol

import numpy as np
import paddle
from paddle import nn

from unimo_paddle.console import say
from unimo_paddle.distributed import rank, world_size
from unimo_paddle.engine.checkpoint import Checkpoints, model_arrays, restore_model
from unimo_paddle.engine.log import Log, StepRecord
from unimo_paddle.engine.optimizer import Adam
from unimo_paddle.errors import UserError
from unimo_paddle.objectives.terms import LossTerm


class Batch(Protocol):
    """One rank's share of a step. parts: each is one forward and one backward pass, so that what a pass keeps for its
    gradient is kept for one part at a time. ids: names of the examples, counted for the speed and named in errors."""

    @property
    def kind(self) -> str: ...

    @property
    def ids(self) -> Sequence[str]: ...

    @property
    def parts(self) -> Sequence[Any]: ...


class Work(Protocol):
    """What is trained. batch(step) must be a pure function of the step, or a resumed run is another one.

    counts(part): by loss, how many labels it sums over, known before any forward: the sums of all parts, over all
    ranks, divide each part's loss. losses(part) runs the model forward; which there are may differ between steps.
    """

    @property
    def model(self) -> nn.Layer: ...

    def batch(self, step: int) -> Batch: ...

    def counts(self, part: Any) -> Mapping[str, float]: ...

    def losses(self, part: Any) -> Mapping[str, LossTerm]: ...


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

        Dropout is drawn from (seed, step, rank, part) alone, so that a resumed run goes on bitwise as one never
        interrupted.
        """
        begun = time.monotonic()
        batch = self.work.batch(step)
        data_seconds = time.monotonic() - begun
        counts = self._counts(batch)
        sums = dict.fromkeys(counts, 0.0)
        for number, part in enumerate(batch.parts):
            seed = np.random.SeedSequence((self.seed, step, rank(), number))
            paddle.seed(int(seed.generate_state(1)[0]))
            terms = self.work.losses(part)
            for name, term in terms.items():
                sums[name] += float(term.sum)
            self._require_finite(step, batch, sums)
            self._backward(terms, counts)
        values = {name: total / max(counts[name], 1) for name, total in sums.items()}
        rate = self.rate(step)
        norm = self.optimizer.step(rate)
        self._require_finite(step, batch, {"the gradient of all objectives together": norm})
        seconds = time.monotonic() - begun
        loss = sum(self.weights[name] * value for name, value in values.items() if self.weights[name])
        return StepRecord(step + 1, loss, values, rate, norm, len(batch.ids), seconds, data_seconds)

    def _counts(self, batch: Batch) -> dict[str, float]:
        """Return how many labels each loss has in this step."""
        counts: dict[str, float] = {}
        for part in batch.parts:
            for name, count in self.work.counts(part).items():
                counts[name] = counts.get(name, 0.0) + count
        unknown = counts.keys() - self.weights.keys()
        assert not unknown, f"objectives without a weight: {sorted(unknown)}"
        return counts

    def _backward(self, terms: Mapping[str, LossTerm], counts: Mapping[str, float]) -> None:
        """Add one part's gradients; an objective without weight stays out, for 0 times infinity is no number."""
        shares = [
            term.sum * (self.weights[name] / max(counts[name], 1)) for name, term in terms.items() if self.weights[name]
        ]
        if shares:
            paddle.add_n(shares).backward()

    def _require_finite(self, step: int, batch: Batch, values: Mapping[str, float]) -> None:
        bad = [f"{name} ({value})" for name, value in values.items() if not math.isfinite(value)]
        if not bad:
            return
        ids = list(batch.ids)
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
