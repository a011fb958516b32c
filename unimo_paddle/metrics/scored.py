"""What every metric reads and returns, and how its value gets an interval.

N: examples; K: numbers kept of an example; U: different rows among the N; R: draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from unimo_paddle.errors import UserError
from unimo_paddle.metrics.bootstrap import Rows, Value, bootstrap

Prediction = str | float


@dataclass(frozen=True)
class Truth:
    """What is right for one example. id: for errors.  label: a class's name, or the number to predict.

    references: every text that counts as right.  group: a kind of example that is scored apart as well.
    """

    id: str
    label: str | float | None = None
    references: tuple[str, ...] = ()
    group: str | None = None


@dataclass(frozen=True)
class Scored:
    """A value and its 95 % interval over examples, in the metric's unit; groups: the same of each Truth.group."""

    value: float
    low: float
    high: float
    count: int
    groups: Mapping[str, Scored] = field(default_factory=dict)


@dataclass(frozen=True)
class Metric:
    """One metric.

    rows: keeps of each example what its share in the score is made of, float64 [N, K]; metrics with the same `rows`
    share the work.  value: makes the score of them (bootstrap.py).  missing: why it cannot be computed here, or None.
    """

    name: str
    unit: str
    rows: Callable[[Sequence[Prediction], Sequence[Truth]], Rows]
    value: Value
    missing: Callable[[], str | None] = lambda: None


def score(
    metrics: Sequence[Metric], predictions: Sequence[Prediction], truths: Sequence[Truth], seed: int = 0
) -> dict[str, Scored]:
    """Score predictions, one a truth; the same seed draws the same intervals.

    Raises UserError without any example, for a truth that lacks what a metric needs, and for a metric that is missing
    here; ValueError when there are not as many predictions as truths.
    """
    if len(predictions) != len(truths):
        raise ValueError(f"{len(predictions)} predictions for {len(truths)} truths; one each is wanted")
    if not truths:
        raise UserError("there is no example to score; the split is empty")
    for metric in metrics:
        reason = metric.missing()
        if reason:
            raise UserError(f"{metric.name} cannot be computed here: {reason}")
    made: dict[object, Rows] = {}
    for metric in metrics:
        if metric.rows not in made:
            made[metric.rows] = metric.rows(predictions, truths)
    groups = [truth.group for truth in truths]
    return {metric.name: scored(made[metric.rows], metric.value, groups, seed) for metric in metrics}


def scored(rows: Rows, value: Value, groups: Sequence[str | None] = (), seed: int = 0) -> Scored:
    """Return the value of all rows and that of each group. rows: float64 [N, K]; groups: N names or None, or empty."""
    named = np.array([group or "" for group in groups], dtype=object)
    apart = {
        str(name): _interval(rows[named == name], value, seed) for name in sorted(set(named.tolist()) - {""})
    }
    whole = _interval(rows, value, seed)
    return Scored(whole.value, whole.low, whole.high, whole.count, apart)


def _interval(rows: Rows, value: Value, seed: int) -> Scored:
    return Scored(*bootstrap(rows, value, seed=seed), count=len(rows))


def texts(predictions: Sequence[Prediction]) -> list[str]:
    """Return predictions that are texts; ValueError for the first that is none."""
    for prediction in predictions:
        if not isinstance(prediction, str):
            raise ValueError(f"prediction {prediction!r} is no text")
    return [str(prediction) for prediction in predictions]


def references(truths: Sequence[Truth]) -> list[tuple[str, ...]]:
    """Return each truth's references; UserError with the ids of those that have none, or only empty ones."""
    bare = [truth.id for truth in truths if not any(reference.strip() for reference in truth.references)]
    if bare:
        raise UserError(
            f"{len(bare)} of {len(truths)} records have no reference text, first {', '.join(bare[:5])}; "
            "give them a target or references, or take them out of the split"
        )
    return [tuple(reference for reference in truth.references if reference.strip()) for truth in truths]
