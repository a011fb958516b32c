"""Bootstrap intervals: examples are drawn again with replacement, and the score of each draw is computed.

Every score is a function of how often each example was drawn: one formula gives the value (each example once) and its
interval. Examples that look alike are drawn together: of 200,000 right or wrong answers only two kinds are left.

N: examples; K: numbers kept of an example; U: different rows among the N; R: draws.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.float64]
# (rows float64 [U, K], weights float64 [R, U]: how often each is there) -> float64 [R]
Value = Callable[[Rows, Rows], npt.NDArray[np.floating[Any]]]

DRAWS = 1000
LEVEL = 0.95
_WEIGHTS_AT_ONCE = 4_000_000  # 32 MB


def bootstrap(rows: Rows, value: Value, draws: int = DRAWS, seed: int = 0) -> tuple[float, float, float]:
    """Return the value of all rows, and the ends of its 95 % interval (percentiles of the draws' values).

    rows: float64 [N, K], finite.  Raises ValueError for another shape, no rows, or rows that are not finite.
    """
    if rows.ndim != 2 or not len(rows) or not np.isfinite(rows).all():
        raise ValueError(f"rows {rows.shape} must be finite [N, K] with N > 0")
    kinds, counts = np.unique(rows, axis=0, return_counts=True)
    whole = float(value(kinds, counts[None].astype(np.float64))[0])
    rng = np.random.default_rng(seed)
    step = max(1, _WEIGHTS_AT_ONCE // len(kinds))
    values = np.concatenate(
        [
            value(kinds, rng.multinomial(len(rows), counts / len(rows), min(step, draws - done)).astype(np.float64))
            for done in range(0, draws, step)
        ]
    )
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return whole, float(low), float(high)


def mean_of(column: int = 0) -> Value:
    """Return the value that is a column's mean over examples."""
    return lambda rows, weights: weights @ rows[:, column] / weights.sum(axis=1)


def divided(over: npt.NDArray[Any], under: npt.NDArray[Any]) -> Rows:
    """Return over / under, 0 where under is 0."""
    return np.divide(over, under, out=np.zeros(np.broadcast(over, under).shape), where=under != 0)
