"""Recall at K for retrieval with any number of right answers per query.

Q: queries, C: candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from unimo_paddle.metrics.bootstrap import Rows, divided
from unimo_paddle.metrics.scored import Scored, scored


@dataclass(frozen=True)
class Recall:
    """Recall at each K in [0, 1], what guessing gets, and the mean rank (1 = first) of the best right answer."""

    at: dict[int, float]
    chance: dict[int, float]
    mean_rank: float
    queries: int
    candidates: int


def recall(scores: npt.NDArray[np.floating[Any]], is_positive: npt.NDArray[np.bool_], ks: Sequence[int]) -> Recall:
    """Score a ranking: a query is a hit at K when any of its right answers is among the first K.

    scores: float [Q, C], higher is better.  is_positive: bool [Q, C], at least one True in each row.
    Raises ValueError when the shapes differ, a score is not finite or a query has no right answer.
    """
    if scores.shape != is_positive.shape or scores.ndim != 2:
        raise ValueError(f"scores {scores.shape} and is_positive {is_positive.shape} must be the same [Q, C]")
    if not np.isfinite(scores).all():
        raise ValueError(f"{int((~np.isfinite(scores)).sum())} of {scores.size} scores are not finite")
    if not is_positive.any(axis=1).all():
        raise ValueError(f"query {int(is_positive.any(axis=1).argmin())} has no right answer among the candidates")
    ranks = first_right(scores, is_positive)
    positives, candidates = is_positive.sum(axis=1), scores.shape[1]
    return Recall(
        at={k: float((ranks <= k).mean()) for k in ks},
        chance={k: float(np.mean([chance(int(p), candidates, k) for p in positives])) for k in ks},
        mean_rank=float(ranks.mean()),
        queries=len(ranks),
        candidates=candidates,
    )


def first_right(scores: npt.NDArray[np.floating[Any]], is_positive: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return int64 [Q]: the rank (1 = first) of each query's best right answer.

    Ties are decided against the answer: a model that gives every candidate the same score must not look good.
    """
    best = np.where(is_positive, scores, -np.inf).max(axis=1, keepdims=True)
    ahead: npt.NDArray[np.int64] = ((scores >= best) & ~is_positive).sum(axis=1).astype(np.int64)
    return ahead + 1


def chance(positives: int, candidates: int, k: int) -> float:
    """Return the probability that a random order puts at least one of the right answers among the first K.

    Hypergeometric: 1 - C(candidates - positives, k) / C(candidates, k).
    """
    miss = 1.0
    for drawn in range(min(k, candidates)):
        miss *= max(candidates - positives - drawn, 0) / (candidates - drawn)
    return 1.0 - miss


@dataclass(frozen=True)
class Ranked:
    """Ranks of one direction's queries. ranks: int64 [Q], of the best right answer, 1 = first.

    together: int64 [Q], which queries are drawn together for an interval: captions of one image are not independent.
    """

    ranks: npt.NDArray[np.int64]
    together: npt.NDArray[np.int64]


def scored_recall(directions: Sequence[Ranked], k: int, seed: int = 0) -> Scored:
    """Return recall at K in percent, with its interval: the mean over directions (image_R@1 and text_R@1: mean_R@1).

    Images are drawn, each with all its queries.  Raises ValueError without a direction or when one has no query.
    """
    if not directions or not all(len(one.ranks) for one in directions):
        raise ValueError(f"{[len(one.ranks) for one in directions]} queries: at least one each is wanted")
    drawn = np.unique(np.concatenate([one.together for one in directions]))
    columns = []
    for one in directions:
        place = np.searchsorted(drawn, one.together)
        columns.append(np.bincount(place, weights=one.ranks <= k, minlength=len(drawn)))
        columns.append(np.bincount(place, minlength=len(drawn)))
    whole = scored(np.stack(columns, axis=1).astype(np.float64), _mean_rate, seed=seed)
    return Scored(whole.value, whole.low, whole.high, sum(len(one.ranks) for one in directions))


def _mean_rate(rows: Rows, weights: Rows) -> Rows:
    """rows: float64 [U, 2 directions]: hits and queries of each direction in turn."""
    sums = weights @ rows
    rates: Rows = 100 * divided(sums[:, 0::2], sums[:, 1::2]).mean(axis=1)
    return rates
