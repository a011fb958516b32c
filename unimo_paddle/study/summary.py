"""What a training's folder tells of its course: losses, curves, costs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from unimo_paddle.engine.log import METRICS, StepRecord, read_metrics, window_means
from unimo_paddle.engine.probe import ProbeFile

POINTS = 100  # of a curve, at most
LAST_SHARE = 10  # the final losses are means over the last tenth of the steps


def summary(folder: Path) -> dict[str, Any]:
    """Return a finished training's facts, as JSON can hold them.

    steps, examples, tokens (real rows encoded), flops, train_seconds: sums over all steps, however often it was
    stopped; `loss/NAME`: means over the last tenth of the steps; curves: {step, name, value} of losses and probes.
    """
    records = read_metrics(folder / METRICS)
    return {
        "steps": len(records),
        **{name: sum(getattr(record, name) for record in records) for name in ("examples", "tokens", "flops")},
        "train_seconds": sum(record.seconds for record in records),
        **_losses(records[-max(1, len(records) // LAST_SHARE) :]),
        "curves": _curves(records) + _probes(folder),
    }


def _losses(records: list[StepRecord]) -> dict[str, float]:
    means = window_means(records) if records else {}
    return {name: value for name, value in means.items() if name.startswith("loss/") and math.isfinite(value)}


def _curves(records: list[StepRecord]) -> list[dict[str, Any]]:
    size = -(-len(records) // POINTS) or 1
    windows = [records[start : start + size] for start in range(0, len(records), size)]
    return [_point(one[-1].step, name, value) for one in windows for name, value in _losses(one).items()]


def _probes(folder: Path) -> list[dict[str, Any]]:
    return [
        _point(record.step, f"probe/{name}", value)
        for record in ProbeFile(folder).read()
        for name, value in record.values.items()
        if math.isfinite(value)
    ]


def _point(step: int, name: str, value: float) -> dict[str, Any]:
    return {"step": step, "name": name, "value": float(value)}
