"""The training loop: any work, from the step that was restored to the last one, on one process or many."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import paddle

from unimo_paddle.config.engine import TrainSettings
from unimo_paddle.distributed import broadcast, rank, require_same, sums, world_size
from unimo_paddle.engine.checkpoint import Checkpoints, restore_model
from unimo_paddle.engine.clock import Clock
from unimo_paddle.engine.device import peak_memory, synchronise
from unimo_paddle.engine.log import Log, StepRecord
from unimo_paddle.engine.optimizer import Adam
from unimo_paddle.engine.passes import (
    FAILED,
    Batch,
    Outcome,
    Work,
    agree,
    announce,
    require_same_passes,
    seed_dropout,
    weighted_sum,
)
from unimo_paddle.engine.precision import Precision
from unimo_paddle.engine.probe import Probe
from unimo_paddle.engine.profile import NoProfiler
from unimo_paddle.engine.replay import Failure, keep_failed
from unimo_paddle.engine.signals import StopWish, ended_when_stuck, stop_signals, unhurried
from unimo_paddle.engine.together import say_once
from unimo_paddle.errors import UserError
from unimo_paddle.objectives.terms import LossTerm


class Profile(Protocol):
    """Watches the step of the block, counted from 1."""

    def step(self, step: int) -> AbstractContextManager[None]: ...


@dataclass(frozen=True)
class Watch:
    """What is looked at beside the losses; nothing of it changes the run.

    every: steps between two probes; keep_best: the value by which the best checkpoint is kept, the higher the better:
    each probed step is saved then.  together: all ranks probe, sharing the work; otherwise the first one alone does.
    """

    probe: Probe | None = None
    every: int = 0
    keep_best: str | None = None
    profile: Profile = field(default_factory=NoProfiler)
    together: bool = False


class Trainer:
    """rate: learning rate of an update, counted from 0; weights: of the objectives in their sum, all of them;
    directory: of the run, where what a failed step was made of is kept; fingerprint: of the run's settings, a number
    below 2 ** 53, the same in all processes."""

    def __init__(
        self,
        work: Work,
        optimizer: Adam,
        rate: Callable[[int], float],
        checkpoints: Checkpoints,
        log: Log,
        weights: Mapping[str, float],
        settings: TrainSettings,
        directory: Path,
        precision: Precision | None = None,
        watch: Watch | None = None,
        fingerprint: int = 0,
    ) -> None:
        self.work, self.optimizer, self.rate = work, optimizer, rate
        self.checkpoints, self.log, self.weights = checkpoints, log, weights
        self.settings, self.directory, self.fingerprint = settings, directory, fingerprint
        self.precision, self.watch = precision or Precision(), watch or Watch()
        self._names = sorted(weights)
        self._wish, self._words = StopWish(), [0]

    def run(self) -> None:
        """Train from the newest checkpoint to the last step; a finished run only says so.

        All ranks leave after the same step. Raises UserError when a loss or the gradient is not finite or the
        processes differ in their settings; SystemExit 75 after SIGTERM or SIGUSR1 on any rank, 130 after SIGINT, when
        the step is finished and saved.
        """
        require_same("settings", self.fingerprint)
        done, steps = self.restore(), self.settings.steps
        if done >= steps:
            say_once(f"this run is finished: all {steps:,} steps are done (--restart trains anew)")
            return
        say_once(f"training from step {done:,} to {steps:,}" + (f" as {world_size()} processes" * (world_size() > 1)))
        self.work.model.train()
        with ExitStack() as stack:
            if rank() == 0:
                stack.enter_context(self.log.open(done))
            self._wish = stack.enter_context(stop_signals())
            alive = stack.enter_context(ended_when_stuck()) if world_size() > 1 else _nothing
            for step in range(done, steps):
                alive()
                self._advance(step)

    def restore(self) -> int:
        """Load the newest sound checkpoint and return how many steps are done, 0 without one; all ranks then have the
        first one's weights."""
        snapshot = self.checkpoints.newest()
        if snapshot:
            restore_model(self.optimizer, snapshot.model, snapshot.path)
            self.optimizer.load(snapshot.optimizer)
            if self.precision.scaler and "scaler" in snapshot.state:
                self.precision.scaler.load(snapshot.state["scaler"])
        broadcast(list(self.optimizer.state_dict().values()), 0)
        self.optimizer.refresh()
        return snapshot.step if snapshot else 0

    def save(self, done: int, score: float | None = None, last: bool = False) -> None:
        """Save everything that the next step depends on."""
        state: dict[str, Any] = {"seed": self.settings.seed}
        if self.precision.scaler:
            state["scaler"] = self.precision.scaler.state()
        self.checkpoints.save(done, self.optimizer.arrays(), self.optimizer.state(), state, score, last)

    def train_step(self, step: int) -> StepRecord:
        """Make update number `step`, counted from 0.

        Ranks and parts may be cut as one likes: each loss is divided by its labels of the whole step, and sums and
        gradients are added up.
        """
        clock = Clock(synchronise)
        with clock.phase("data"):
            batch = self.work.batch(step)
        with clock.phase("communication"):
            told = announce(self.work, batch, self._names)
            if self.optimizer.stage > 1:
                require_same_passes(self.work, batch)
        own = self._passes(step, batch, told.counts, clock)
        with clock.phase("communication"):
            word = self._wish.status if all(map(math.isfinite, own.values())) else FAILED
            outcome = agree(own, self._names, self.optimizer.has_gradient(), word)
            self._words = outcome.words
            self._require_finite_losses(step, batch, told.counts, own, outcome)
            self.optimizer.sum_gradients(outcome.wanted)
        rate, scale = self.rate(step), self.precision.scale
        with clock.phase("optimizer"):
            norm = self.optimizer.step(rate, scale)
        self._judge_gradient(step, batch, told.counts, norm)
        values = {name: outcome.sums[name] / count for name, count in told.counts.items()}
        return StepRecord(
            step=step + 1,
            kind=batch.kind,
            loss=sum(self.weights[name] * value for name, value in values.items() if self.weights[name]),
            losses=values,
            lr=rate,
            grad_norm=norm if math.isfinite(norm) else math.nan,
            scale=scale,
            overflows=self.precision.scaler.overflows if self.precision.scaler else 0,
            examples=told.examples,
            tokens=told.cost.tokens,
            rows=told.cost.rows,
            flops=told.cost.flops,
            phases=clock.phases(),
            seconds=clock.total(),
            memory=peak_memory(),
        )

    def _advance(self, step: int) -> None:
        """Make one step, tell of it, and save or leave where that is due."""
        with self.watch.profile.step(step + 1) if rank() == 0 else nullcontext():
            record = self.train_step(step)
        if rank() == 0:
            self.log.write(record)
        done, status = step + 1, max(self._words)
        score = self._probe(done)
        is_last = done == self.settings.steps or status > 0
        if is_last or score is not None or done % self.settings.save_every == 0:
            self.save(done, score, is_last)
        if status > 0 and done < self.settings.steps:
            say_once(f"stopped after step {done:,}, which is saved; run the same command to go on")
            raise SystemExit(status)

    def _passes(self, step: int, batch: Batch, counts: Mapping[str, float], clock: Clock) -> dict[str, float]:
        """Run each part forward and backward; return this rank's sum of each loss. Gradients are left to be added."""
        found: list[Mapping[str, LossTerm]] = []
        for number, part in enumerate(batch.parts):
            seed_dropout(self.settings.seed, step, rank(), number)
            with clock.phase("forward"), self.precision.cast():
                terms = self.work.losses(part)
            with clock.phase("backward"):
                total = weighted_sum(terms, self.weights, counts)
                if total is not None:
                    (total * self.precision.scale if self.precision.scaler else total).backward()
                self.optimizer.collect()
            found.append({name: LossTerm(term.sum.detach(), term.count) for name, term in terms.items()})
        own: dict[str, float] = {}
        for terms in found:  # after all passes: reading a number waits for a GPU
            for name, term in terms.items():
                own[name] = own.get(name, 0.0) + float(term.sum)
        return own

    def _probe(self, done: int) -> float | None:
        """Look at the model when it is time to; return the value that the best checkpoint is kept by, on all ranks."""
        watch = self.watch
        if watch.probe is None or not watch.every or done % watch.every:
            return None
        score = 0.0
        with unhurried():
            if rank() == 0 or watch.together:
                self.work.model.eval()
                with paddle.no_grad(), self.precision.cast():
                    probed = watch.probe(done)
                self.work.model.train()
            if rank() == 0:
                self.log.probed(done, probed)
                score = probed.values.get(watch.keep_best, math.nan) if watch.keep_best else 0.0
            score = sums([score])[0]
        if watch.keep_best and math.isnan(score):
            raise UserError(f"watch.keep_best is {watch.keep_best}, which the probe of step {done:,} has no number for")
        return score if watch.keep_best else None

    def _require_finite_losses(
        self, step: int, batch: Batch, counts: Mapping[str, float], own: Mapping[str, float], outcome: Outcome
    ) -> None:
        failed = [str(place) for place, word in enumerate(outcome.words) if word == FAILED]
        if not failed:
            return
        self.optimizer.clear()
        bad = [f"{name} ({value})" for name, value in own.items() if not math.isfinite(value)]
        reason = f"in {', '.join(bad)}" if bad else f"on process {', '.join(failed)}, whose log says where"
        self._fail(step, batch if bad else None, counts, reason)

    def _judge_gradient(self, step: int, batch: Batch, counts: Mapping[str, float], norm: float) -> None:
        """Let the scaler note an overflow; without one, a gradient that is not finite ends the run. On all ranks alike:
        the gradient is their sum."""
        if self.precision.scaler is None:
            if not math.isfinite(norm):
                self._fail(step, batch, counts, f"in the gradient of all objectives together ({norm})")
            return
        try:
            self.precision.scaler.update(math.isfinite(norm))
        except UserError as error:
            self._fail(step, batch, counts, f"in float16: {error}")

    def _fail(self, step: int, batch: Batch | None, counts: Mapping[str, float], reason: str) -> None:
        """Keep what the step was made of and raise UserError. batch: of this rank, None when it is not to blame."""
        failure = Failure(step, self.settings.seed, dict(self.weights), dict(counts), self.precision.scale)
        kept = keep_failed(self.directory, failure, batch, self.optimizer.arrays())
        ids = list(batch.ids) if batch else []
        shown = ", ".join(map(str, ids[:8])) + (f" and {len(ids) - 8} more" if len(ids) > 8 else "")
        kind = f" ({batch.kind})" if batch else ""
        raise UserError(
            f"step {step + 1}{kind} is not finite {reason}" + (f"; examples: {shown}" if shown else "") + ". It was "
            f"not made; the last checkpoint stands. See where it comes from: tools/train.py -c {kept}/config.yaml "
            f"--replay {kept}; then mend these examples, or lower optimizer.peak_lr and start with --restart"
        )



def _nothing() -> None:
    return
