"""Class and attribute distributions as a store keeps them: the most probable entries, what is left spread evenly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


def keep(probs: NDArray[np.float32], kept: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the ids and probabilities [N, kept] of the most probable entries of probs [N, C], the largest first.

    Of equal ones the lower id comes first.
    """
    order = np.argsort(-probs, axis=1, kind="stable")[:, :kept]
    return order, np.take_along_axis(probs, order, axis=1)


def spread(ids: NDArray[np.uint16], probs: NDArray[np.float16], classes: int) -> NDArray[np.float32]:
    """Rebuild distributions float32 [N, classes] from the kept ids and probabilities [N, K].

    What is left of 1 goes evenly to the entries that were not kept; with none left out, rows are scaled to sum to 1.
    """
    kept = probs.astype(np.float32)
    total = kept.sum(1, keepdims=True)
    others = classes - kept.shape[1]
    if others == 0:
        full = np.zeros((len(kept), classes), np.float32)
        kept = kept / total
    else:
        kept = kept / np.maximum(total, 1.0)  # float16 may have rounded the sum above 1
        rest = (1 - kept.sum(1, keepdims=True)).clip(0) / others
        full = np.repeat(rest, classes, axis=1)
    np.put_along_axis(full, ids.astype(np.int64), kept, axis=1)
    return full


@dataclass(frozen=True)
class SparseError:
    """How far rebuilt distributions are from the real ones, over their rows.

    l1: mean of sum |p - q|, between 0 and 2.  largest: the largest |p - q| of all.  kl: mean of sum p ln(p / q), nats.
    bound: mean of 2 r (m - 1) / m, which l1 cannot pass but for float16's rounding: r is what is left of 1 beyond the
    kept entries, m the number of entries that were not kept (docs/regions.md has the derivation).
    """

    l1: float
    largest: float
    kl: float
    bound: float


def sparse_error(probs: NDArray[np.float32], top_k: int) -> SparseError:
    """Measure what keeping the top_k of each row of probs [N, C] in float16 loses; rows sum to 1."""
    kept = min(top_k, probs.shape[1])
    others = probs.shape[1] - kept
    ids, values = keep(probs, kept)
    real = probs.astype(np.float64)
    rebuilt = spread(ids.astype(np.uint16), values.astype(np.float16), probs.shape[1]).astype(np.float64)
    away = np.abs(real - rebuilt)
    rest = (1 - np.take_along_axis(real, ids, axis=1).sum(1)).clip(0)
    return SparseError(
        l1=float(away.sum(1).mean()),
        largest=float(away.max()),
        kl=float(_divergence(real, rebuilt).mean()),
        bound=float((2 * rest * (others - 1) / others).mean()) if others else 0.0,
    )


def _divergence(real: NDArray[Any], rebuilt: NDArray[Any]) -> NDArray[Any]:
    """sum p ln(p / q) of each row; 0 where p is 0, and no q is taken for less than float32's smallest normal number."""
    least = np.finfo(np.float32).tiny
    ratio = np.log(np.maximum(real, least) / np.maximum(rebuilt, least))
    return np.where(real > 0, real * ratio, 0.0).sum(1)
