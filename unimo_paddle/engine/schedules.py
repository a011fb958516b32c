"""Learning rates of an update, counted from 0 (spec/release.md section 9); all start at 0 when there is a warm-up."""

from __future__ import annotations

from collections.abc import Callable

from unimo_paddle.errors import UserError

Schedule = Callable[[int], float]


def learning_rate(step: int, peak: float, warmup: int, total: int, schedule: str = "linear") -> float:
    """Return the rate of the update number `step`.

    linear: up to `peak` at step `warmup`, then down to 0 at `total`.
    release: the same way up, but the way down is measured from step 0, so that at step `warmup` the rate drops from
    peak to peak * (1 - warmup / total). Kept because the published scores were made with it.
    noam: the same way up, then down with the root of the step, peak * sqrt(warmup / step).
    """
    if step < warmup:
        return peak * step / warmup
    if schedule == "release":
        return peak * (1 - min(step, total) / total)
    if schedule == "noam":
        return peak * (max(warmup, 1) / max(step, 1)) ** 0.5
    assert schedule == "linear", schedule
    return peak * max(total - step, 0) / (total - warmup)


def dropping_rate(step: int, peak: float, drops: tuple[int, ...]) -> float:
    """Return the rate that falls to a tenth at each of the steps in `drops` (the release's retrieval runs)."""
    return float(peak * 0.1 ** sum(step >= drop for drop in drops))


def warmup_steps(share: float, total: int) -> int:
    """Return the steps of a warm-up that takes a share of the schedule, rounded down as in the release.

    Raises UserError when nothing of the schedule is left.
    """
    steps = int(total * share)
    if steps >= total:
        raise UserError(f"optimizer.warmup is {share}, which leaves nothing of {total} steps; make it smaller")
    return steps
