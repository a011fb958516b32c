"""What a run tells: one JSON line a step, one console line now and then, and the same curves for VisualDL."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from unimo_paddle.console import duration, say
from unimo_paddle.engine.probe import Probed, ProbeFile, ProbeRecord
from unimo_paddle.files import atomic_write

METRICS, CURVES = "metrics.jsonl", "visualdl"
PICTURES_SHOWN = 20  # newest probes whose pictures a resumed run hands to VisualDL again; all stay in the folder
GIB = 2**30


@dataclass(frozen=True)
class StepRecord:
    """One update, over all ranks and parts.

    step: updates done with this one; kind: of the step; loss: weighted; losses: each objective's mean; grad_norm:
    before clipping, nan when it overflowed; scale: of the loss, 1.0 without; overflows: steps skipped so far;
    tokens: real rows encoded, regions and tokens; rows: padding counted; flops: the model's, forward and backward;
    seconds: of the whole step; phases: where they went; memory: peak bytes of the GPU, else of the process.
    """

    step: int
    kind: str
    loss: float
    losses: dict[str, float]
    lr: float
    grad_norm: float
    scale: float
    overflows: int
    examples: int
    tokens: int
    rows: int
    flops: float
    seconds: float
    phases: dict[str, float]
    memory: int
    time: float = field(default_factory=time.time)


class Log:
    """metrics.jsonl and probes.jsonl are the truth; the VisualDL curves are drawn from them, so a resumed run shows no
    point twice. For one process of a run, the first.

    log_every: steps between two console lines and two points of a curve; both show means over these steps.
    steps: of the whole run, for the time left.  peak_flops: FLOP/s of all devices together, for the utilisation;
    None: it is not told.
    """

    def __init__(self, directory: Path | str, log_every: int, steps: int, peak_flops: float | None = None) -> None:
        self._directory, self._log_every, self._steps = Path(directory), log_every, steps
        self._peak, self._probes = peak_flops, ProbeFile(directory)
        self._window: list[StepRecord] = []
        self._file: IO[str] | None = None
        self._curves: Any = None

    @contextmanager
    def open(self, done: int) -> Iterator[Log]:
        """Continue after `done` steps: later lines and probes, which a killed run left, are dropped."""
        path = self._directory / METRICS
        kept = [record for record in read_metrics(path) if record.step <= done]
        with atomic_write(path, "w") as file:
            file.writelines(_line(record) for record in kept)
        shutil.rmtree(self._directory / CURVES, ignore_errors=True)
        self._window = []
        with path.open("a", encoding="utf-8") as self._file, self._writer() as self._curves:
            for record in kept:
                self._add(record, quiet=True)
            self._draw_probes(self._probes.keep(done))
            yield self

    def write(self, record: StepRecord) -> None:
        """Note one step; it is on its way to the disk when this returns."""
        assert self._file is not None, "write() is for the inside of open()"
        self._file.write(_line(record))
        self._file.flush()
        self._add(record, quiet=False)

    def probed(self, step: int, probed: Probed) -> None:
        """Note what a probe found after `step` updates."""
        self._draw_probes([self._probes.add(step, probed)])
        values = ", ".join(f"{name} {value:.3g}" for name, value in probed.values.items())
        say(f"probe after step {step:,}: {values}")

    def _writer(self) -> Any:
        # Loaded late: it takes a moment. The writer sends nothing anywhere; VisualDL's telemetry is in its server.
        from visualdl import LogWriter

        return LogWriter(str(self._directory / CURVES), flush_secs=10)

    def _add(self, record: StepRecord, quiet: bool) -> None:
        self._window.append(record)
        if record.step % self._log_every and record.step != self._steps:
            return
        means = window_means(self._window, self._peak)
        self._draw(means, record.step, record.time)
        if not quiet:
            say(console_line(record.step, self._steps, means))
        self._window = []

    def _draw(self, values: dict[str, float], step: int, seconds: float) -> None:
        for name, value in values.items():
            if math.isfinite(value):
                self._curves.add_scalar(tag=name, value=value, step=step, walltime=round(seconds * 1000))

    def _draw_probes(self, records: list[ProbeRecord]) -> None:
        """Hand probes to VisualDL, which needs a tag to be of one kind, and shows a text's lines as one."""
        times = {record.step: round(record.time * 1000) for record in records}
        for record in records:
            self._draw({f"probe/{name}": value for name, value in record.values.items()}, record.step, record.time)
            for name, text in record.texts.items():
                self._curves.add_text(f"texts/{name}", " | ".join(text.splitlines()), record.step, times[record.step])
        for step, name, pixels in self._probes.pictures([*times][-PICTURES_SHOWN:]):
            self._curves.add_image(f"pictures/{name}", pixels, step, times[step])


def window_means(window: list[StepRecord], peak_flops: float | None = None) -> dict[str, float]:
    """Return the curves' values: means over some steps, an objective's or a kind's over the steps that had it.

    peak_flops: of all devices together; without it there is no utilisation, train/mfu, in [0, 1].
    """
    seconds = max(sum(record.seconds for record in window), 1e-9)
    means = _loss_means(window)
    means["train/learning_rate"] = window[-1].lr
    means["train/gradient_norm"] = _mean([r.grad_norm for r in window if math.isfinite(r.grad_norm)])
    means["train/loss_scale"] = window[-1].scale
    means["train/overflows"] = window[-1].overflows
    means["train/examples_per_second"] = sum(record.examples for record in window) / seconds
    means["train/tokens_per_second"] = sum(record.tokens for record in window) / seconds
    rows = max(sum(record.rows for record in window), 1)
    means["train/padding_percent"] = 100 * (1 - sum(record.tokens for record in window) / rows)
    means["train/seconds_per_step"] = seconds / len(window)
    means["train/memory_gib"] = max(record.memory for record in window) / GIB
    if peak_flops and any(record.flops for record in window):
        means["train/mfu"] = sum(record.flops for record in window) / seconds / peak_flops
    for name in sorted({name for record in window for name in record.phases}):
        means[f"time/{name}_percent"] = 100 * sum(record.phases.get(name, 0.0) for record in window) / seconds
    return means


def _loss_means(window: list[StepRecord]) -> dict[str, float]:
    means = {"loss/total": _mean([record.loss for record in window])}
    for name in sorted({name for record in window for name in record.losses}):
        means[f"loss/{name}"] = _mean([record.losses[name] for record in window if name in record.losses])
    for kind in sorted({record.kind for record in window}):
        means[f"loss_by_kind/{kind}"] = _mean([record.loss for record in window if record.kind == kind])
    return means


def console_line(step: int, steps: int, means: dict[str, float]) -> str:
    """Return e.g. `step 100/1,000 (10 %) loss 3.2 (contrastive 0.7) rate 5e-05 norm 1, 120 examples/s,
    9,120 tokens/s, MFU 31 %, data wait 1 %, 45 s left`, the loss scale only where there is one."""
    parts = [f"{name[5:]} {value:.3g}" for name, value in means.items() if name[:5] == "loss/" and name != "loss/total"]
    scale, overflows = means["train/loss_scale"], int(means["train/overflows"])
    scaled = f" scale {scale:.4g}, {overflows} overflows" if scale != 1 or overflows else ""
    speed = [
        f"{means['train/examples_per_second']:.3g} examples/s",
        f"{means['train/tokens_per_second']:,.0f} tokens/s",
        *([f"MFU {100 * means['train/mfu']:.3g} %"] if "train/mfu" in means else []),
        f"data wait {means.get('time/data_percent', 0.0):.0f} %",
        f"{duration((steps - step) * means['train/seconds_per_step'])} left",
    ]
    return (
        f"step {step:,}/{steps:,} ({100 * step // steps} %) loss {means['loss/total']:.4g} ({', '.join(parts)}) "
        f"rate {means['train/learning_rate']:.3g} norm {means['train/gradient_norm']:.3g}{scaled}, {', '.join(speed)}"
    )


def read_metrics(path: Path) -> list[StepRecord]:
    """Return the steps that a metrics file holds; none without a file. A line cut short by a kill ends it."""
    if not path.is_file():
        return []
    records: list[StepRecord] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            fields = json.loads(line)
            fields["grad_norm"] = math.nan if fields["grad_norm"] is None else fields["grad_norm"]
            records.append(StepRecord(**fields))
        except (json.JSONDecodeError, TypeError, KeyError):
            break
    return records


def _line(record: StepRecord) -> str:
    fields = asdict(record)
    if not math.isfinite(record.grad_norm):
        fields["grad_norm"] = None  # JSON knows no NaN
    return json.dumps(fields, allow_nan=False) + "\n"


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else math.nan
