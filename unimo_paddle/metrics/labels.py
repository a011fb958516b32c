"""Scores of classes and numbers: accuracy, Matthews and the two correlations, times 100 as GLUE prints them.

U: kinds of examples; R: draws; C: classes. The formulas are weighted, see bootstrap.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from unimo_paddle.errors import UserError
from unimo_paddle.metrics.bootstrap import Rows, divided
from unimo_paddle.metrics.scored import Prediction, Truth


def class_rows(predictions: Sequence[Prediction], truths: Sequence[Truth]) -> Rows:
    """Return float64 [N, 2]: number of the predicted class, number of the right one."""
    _refuse([truth.id for truth in truths if not isinstance(truth.label, str)], "the name of a class", len(truths))
    pairs = [(str(prediction), str(truth.label)) for prediction, truth in zip(predictions, truths, strict=True)]
    numbers = {name: number for number, name in enumerate(sorted({name for pair in pairs for name in pair}))}
    return np.array([[numbers[guess], numbers[right]] for guess, right in pairs], np.float64)


def number_rows(predictions: Sequence[Prediction], truths: Sequence[Truth]) -> Rows:
    """Return float64 [N, 2]: the predicted number, the right one."""
    is_number = [isinstance(truth.label, (int, float)) and np.isfinite(truth.label) for truth in truths]
    _refuse([truth.id for truth, fine in zip(truths, is_number, strict=True) if not fine], "a number", len(truths))
    guesses = [float(prediction) for prediction in predictions]
    return np.stack([np.array(guesses), np.array([float(truth.label or 0) for truth in truths])], axis=1)


def _refuse(lacking: Sequence[str], wanted: str, count: int) -> None:
    if lacking:
        raise UserError(f"{len(lacking)} of {count} records lack {wanted} as label, first {', '.join(lacking[:5])}")


def accuracy(rows: Rows, weights: Rows) -> Rows:
    """Return float64 [R]: percent of right classes."""
    return 100 * (weights @ (rows[:, 0] == rows[:, 1])) / weights.sum(axis=1)


def matthews(rows: Rows, weights: Rows) -> Rows:
    """Return float64 [R]: 100 times Matthews' coefficient for any number of classes (Gorodkin 2004).

    0 where all predictions, or all truths, are one class, as scikit-learn has it.
    """
    classes = np.unique(rows)
    guessed, right = (weights @ (rows[:, column, None] == classes) for column in (0, 1))
    total = weights.sum(axis=1)
    over = (weights @ (rows[:, 0] == rows[:, 1])) * total - (guessed * right).sum(axis=1)
    under = np.sqrt((total**2 - (guessed**2).sum(axis=1)) * (total**2 - (right**2).sum(axis=1)))
    return 100 * divided(over, under)


def pearson(rows: Rows, weights: Rows) -> Rows:
    """Return float64 [R]: 100 times Pearson's correlation; 0, no relation, where either side is constant."""
    x, y = (np.broadcast_to(rows[:, column], weights.shape) for column in (0, 1))
    return 100 * _correlation(x, y, weights)


def spearman(rows: Rows, weights: Rows) -> Rows:
    """Return float64 [R]: 100 times Spearman's correlation; each draw is ranked anew, equal numbers share a rank."""
    return 100 * _correlation(_ranks(rows[:, 0], weights), _ranks(rows[:, 1], weights), weights)


def pearson_spearman(rows: Rows, weights: Rows) -> Rows:
    """Return float64 [R]: the mean of the two, GLUE's score of STS-B."""
    return (pearson(rows, weights) + spearman(rows, weights)) / 2


def _ranks(numbers: Rows, weights: Rows) -> Rows:
    """Return float64 [R, U]: mean ranks where number u is there weights[r, u] times."""
    order = np.argsort(numbers, kind="stable")
    _, starts, place = np.unique(numbers[order], return_index=True, return_inverse=True)
    held = np.add.reduceat(weights[:, order], starts, axis=1)
    ranks = np.empty(weights.shape)
    ranks[:, order] = (held.cumsum(axis=1) - held / 2 + 0.5)[:, place]
    return ranks


def _correlation(x: Rows, y: Rows, weights: Rows) -> Rows:
    """Return float64 [R]: the weighted correlation of x and y, float64 [R, U]."""
    is_constant = _is_constant(x, weights) | _is_constant(y, weights)
    total = weights.sum(axis=1, keepdims=True)
    x, y = (side - (weights * side).sum(axis=1, keepdims=True) / total for side in (x, y))
    under = np.sqrt((weights * x * x).sum(axis=1) * (weights * y * y).sum(axis=1))
    return divided((weights * x * y).sum(axis=1), np.where(is_constant, 0, under))


def _is_constant(side: Rows, weights: Rows) -> npt.NDArray[np.bool_]:
    """Tell of each draw whether one number is all there is: a spread of 0 would drown in rounding."""
    high, low = (np.where(weights > 0, side, missing) for missing in (-np.inf, np.inf))
    constant: npt.NDArray[np.bool_] = high.max(axis=1) == low.min(axis=1)
    return constant
