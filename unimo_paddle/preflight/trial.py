"""One real step of each kind: the run's own trainer, forward, backward and update, and nothing kept of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from unimo_paddle.engine.log import StepRecord
from unimo_paddle.engine.plan.table import gib
from unimo_paddle.engine.trainer import Trainer
from unimo_paddle.preflight.findings import OK, Finding, judged

WITHIN = 10000  # steps in which every kind has its turn


@dataclass(frozen=True)
class Trial:
    """A run that could start: its trainer, and the kind of each step (data/mixture.py)."""

    trainer: Trainer
    kind: Callable[[int], str]


def look(trial: Trial, kinds: list[str]) -> Iterator[Finding]:
    """Make two steps of each kind, of which the second one is told of; every rank must call it.

    Raises UserError for data or numbers that are wrong, and what the device raises when its memory is full.
    """
    trial.trainer.work.model.train()
    for kind in kinds:
        for step in first_steps(trial.kind, kind):
            record = trial.trainer.train_step(step)
        yield from _tell(kind, record)


def first_steps(kind_of: Callable[[int], str], kind: str) -> list[int]:
    """Return the first two steps of a kind, or one when there are no more within reach."""
    found = (step for step in range(WITHIN) if kind_of(step) == kind)
    return [step for step, _ in zip(found, range(2), strict=False)]


def _tell(kind: str, record: StepRecord) -> Iterator[Finding]:
    reading = record.phases.get("data", 0.0)
    sending = record.phases.get("communication", 0.0)
    computing = max(record.seconds - reading, 1e-9)
    yield Finding(
        OK, f"a step, {kind}",
        f"{record.seconds:.2f} s, {record.examples:,} examples, {record.rows:,} rows, {gib(record.memory)} at most, "
        f"loss {record.loss:.3f}",
    )  # fmt: skip
    yield judged(
        f"reading, {kind}",
        f"{record.examples / max(reading, 1e-9):,.0f} examples/s, a step takes {record.examples / computing:,.0f}",
        reading <= computing, "the data path is slower than the step: a faster disk, or more cores for each process",
    )  # fmt: skip
    yield judged(
        f"waiting for others, {kind}", f"{100 * sending / record.seconds:.0f} % of the step",
        sending <= 0.3 * record.seconds, "the network takes much of a step: raise train.accumulate with larger rows",
    )  # fmt: skip
