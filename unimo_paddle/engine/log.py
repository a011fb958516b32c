"""What a run tells: one JSON line a step, one console line now and then, and the same curves for VisualDL."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from unimo_paddle.console import duration, say
from unimo_paddle.files import atomic_write

METRICS, CURVES = "metrics.jsonl", "visualdl"


@dataclass(frozen=True)
class StepRecord:
    """One update. step: updates done with this one; losses: each objective's mean; seconds: of the whole step."""

    step: int
    loss: float
    losses: dict[str, float]
    lr: float
    grad_norm: float
    examples: int
    seconds: float
    data_seconds: float
    time: float = field(default_factory=time.time)


class Log:
    """metrics.jsonl is the truth; the VisualDL curves are drawn from it, so a resumed run shows no point twice.

    log_every: steps between two console lines and two points of a curve; both show means over these steps.
    steps: of the whole run, for the time left.
    """

    def __init__(self, directory: Path | str, log_every: int, steps: int) -> None:
        self._directory, self._log_every, self._steps = Path(directory), log_every, steps
        self._window: list[StepRecord] = []
        self._file: IO[str] | None = None
        self._curves: Any = None

    @contextmanager
    def open(self, done: int) -> Iterator[Log]:
        """Continue after `done` steps: later lines, which a killed run left, are dropped."""
        path = self._directory / METRICS
        kept = [record for record in read_metrics(path) if record.step <= done]
        with atomic_write(path, "w") as file:
            file.writelines(_line(record) for record in kept)
        shutil.rmtree(self._directory / CURVES, ignore_errors=True)
        self._window = []
        with path.open("a", encoding="utf-8") as self._file, self._writer() as self._curves:
            for record in kept:
                self._add(record, quiet=True)
            yield self

    def write(self, record: StepRecord) -> None:
        """Note one step; it is on its way to the disk when this returns."""
        assert self._file is not None, "write() is for the inside of open()"
        self._file.write(_line(record))
        self._file.flush()
        self._add(record, quiet=False)

    def _writer(self) -> Any:
        # Loaded late: it takes a moment. The writer sends nothing anywhere; VisualDL's telemetry is in its server.
        from visualdl import LogWriter

        return LogWriter(str(self._directory / CURVES), flush_secs=10)

    def _add(self, record: StepRecord, quiet: bool) -> None:
        self._window.append(record)
        if record.step % self._log_every and record.step != self._steps:
            return
        means = window_means(self._window)
        for name, value in means.items():
            self._curves.add_scalar(tag=name, value=value, step=record.step, walltime=round(record.time * 1000))
        if not quiet:
            say(console_line(record.step, self._steps, means))
        self._window = []


def window_means(window: list[StepRecord]) -> dict[str, float]:
    """Return the curves' values: means over some steps, an objective's over the steps that had it."""
    names = sorted({name for record in window for name in record.losses})
    means = {"loss/total": _mean([record.loss for record in window])}
    for name in names:
        means[f"loss/{name}"] = _mean([record.losses[name] for record in window if name in record.losses])
    seconds = sum(record.seconds for record in window)
    means["train/learning_rate"] = window[-1].lr
    means["train/gradient_norm"] = _mean([record.grad_norm for record in window])
    means["train/examples_per_second"] = sum(record.examples for record in window) / max(seconds, 1e-9)
    means["train/seconds_per_step"] = seconds / len(window)
    means["train/data_wait_percent"] = 100 * sum(record.data_seconds for record in window) / max(seconds, 1e-9)
    return means


def console_line(step: int, steps: int, means: dict[str, float]) -> str:
    """Return e.g. `step 100/1,000 (10 %) loss 3.2 (contrastive 0.7) rate 5e-05 norm 1, 120 examples/s, 45 s left`."""
    parts = [f"{name[5:]} {value:.3g}" for name, value in means.items() if name[:5] == "loss/" and name != "loss/total"]
    left = duration((steps - step) * means["train/seconds_per_step"])
    return (
        f"step {step:,}/{steps:,} ({100 * step // steps} %) loss {means['loss/total']:.4g} ({', '.join(parts)}) "
        f"rate {means['train/learning_rate']:.3g} norm {means['train/gradient_norm']:.3g}, "
        f"{means['train/examples_per_second']:.3g} examples/s, {left} left"
    )


def read_metrics(path: Path) -> list[StepRecord]:
    """Return the steps that a metrics file holds; none without a file. A line cut short by a kill ends it."""
    if not path.is_file():
        return []
    records: list[StepRecord] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            records.append(StepRecord(**json.loads(line)))
        except (json.JSONDecodeError, TypeError):
            break
    return records


def _line(record: StepRecord) -> str:
    return json.dumps(asdict(record)) + "\n"


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
