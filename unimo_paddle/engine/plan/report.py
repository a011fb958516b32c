"""The plan as lines to print."""

from __future__ import annotations

import os
from dataclasses import dataclass

from unimo_paddle import environment
from unimo_paddle.config import DetectorRun, OptimizerSettings, PretrainRun, TrainSettings
from unimo_paddle.engine.peak import peak_flops
from unimo_paddle.engine.plan.cards import (
    CARDS,
    device_state,
    largest_part,
    largest_rows,
    least_accumulate,
    needed_bytes,
)
from unimo_paddle.engine.plan.memory import checkpoint_bytes, recomputes
from unimo_paddle.engine.plan.sizes import ASSUMED, all_parameters, encoder_parameters, head_parameters, sizes_of
from unimo_paddle.engine.plan.steps import (
    ASSUMED_REGIONS,
    ASSUMED_TOKENS,
    DataSizes,
    encodings,
    examples_of,
    expected,
    objectives_of,
    own_rows,
    parts_of,
    rows_of,
    step_weights,
)
from unimo_paddle.engine.plan.table import gib, table
from unimo_paddle.engine.schedules import learning_rate
from unimo_paddle.model.flops import Cost, part_cost

GPUS = (1, 8, 16, 32, 64)
UTILISATION = 0.30  # assumed share of a card's peak
DAY = 86400
SETTING = {"text": "texts", "image": "images", "pair": "data"}  # the section of the settings that says how many rows


@dataclass(frozen=True)
class Usual:
    """A usual step of one kind. share: of the steps; examples: over all GPUs; cost: of the whole step."""

    kind: str
    share: float
    examples: int
    rows: int
    cost: Cost


def describe(run: PretrainRun | DetectorRun, known: DataSizes | None = None) -> list[str]:
    """Return the plan as lines to print. known: what is known of the data, nothing when left out."""
    known = known or DataSizes()
    lines = _describe_pretraining(run, known) if isinstance(run, PretrainRun) else _describe_detector(run)
    return [*lines, "", *_rate_lines(run.optimizer, run.train), "", *_environment_lines()]


def usual_steps(run: PretrainRun, known: DataSizes) -> list[Usual]:
    """Return a usual step of each kind that there is data for."""
    found = []
    for kind, share in step_weights(run).items():
        lengths = expected(run, kind, known)
        examples = examples_of(run, kind, lengths)
        found.append(Usual(kind, share, examples, own_rows(kind, lengths), _usual_cost(run, kind, known)))
    return found


def _usual_cost(run: PretrainRun, kind: str, known: DataSizes) -> Cost:
    """Return what a usual step costs over all GPUs, the mean of its ways of hiding words."""
    lengths, sizes = expected(run, kind, known), sizes_of(run)
    examples, ways = examples_of(run, kind, lengths), objectives_of(run) or [""]
    costs = [
        part_cost(part, sizes) for way in ways for part in parts_of(run, sizes, kind, examples, lengths, way)
    ]
    rows, flops = sum(cost.rows for cost in costs) // len(ways), sum(cost.flops for cost in costs) / len(ways)
    return Cost(rows, rows, flops)


def _describe_pretraining(run: PretrainRun, known: DataSizes) -> list[str]:
    return [
        f"pretraining into {run.output.directory}",
        *_assumed_lines(run, known),
        "",
        *_parameter_lines(run),
        "",
        *_step_lines(run, known),
        "",
        *_memory_lines(run, known),
        "",
        *_capacity_lines(run, known),
        "",
        *_time_lines(run, known),
        "",
        *_disk_lines(run),
    ]


def _assumed_lines(run: PretrainRun, known: DataSizes) -> list[str]:
    assumed = [f"model.{name} {number:,}" for name, number in ASSUMED.items() if getattr(run.model, name) is None]
    lengths = [
        f"{number} {what}"
        for number, what, told in (
            (ASSUMED_REGIONS, "regions an image", known.regions),
            (ASSUMED_TOKENS, "tokens a caption", known.caption),
        )
        if told is None
    ]
    return [f"assumed until the data says: {', '.join([*assumed, *lengths])}"] if assumed or lengths else []


def _parameter_lines(run: PretrainRun) -> list[str]:
    sizes, precision = sizes_of(run), run.precision
    encoder, parts = encoder_parameters(sizes), head_parameters(sizes)
    named = ", ".join(f"{name} {count / 1e6:.2f} M" for name, count in parts.items())
    level = "float32" if precision.level == "O0" else f"{precision.dtype} mixed with float32 ({precision.level})"
    return [
        f"model: {sizes.layers} layers, {sizes.width} wide, {sizes.heads} heads; {level}; layers are computed "
        f"{'twice (recompute)' if recomputes(run) else 'once'}",
        f"  encoder, embeddings and image projections  {encoder / 1e6:.2f} M parameters ({encoder:,})",
        f"  heads  {sum(parts.values()) / 1e6:.2f} M ({named})",
    ]


def _step_lines(run: PretrainRun, known: DataSizes) -> list[str]:
    rows = [
        (
            one.kind,
            f"{run.train.steps * one.share:,.0f}",
            f"{one.examples:,}",
            f"{one.rows}",
            f"{one.cost.rows:,}",
            f"{one.cost.flops / 1e12:,.4g}",
            f"{run.train.steps * one.share * one.examples:,.0f}",
            _passes(one, run, known),
        )
        for one in usual_steps(run, known)
    ]
    header = ("kind", "steps", "examples", "rows each", "rows encoded", "TFLOP", "examples in all", "epochs")
    times = encodings(run)
    return [
        f"steps: {run.train.steps:,}; a usual one over all GPUs, its examples a multiple of {run.data.multiple}",
        *table(header, rows),
        f"  a pair is encoded {sum(times.values())} times "
        f"({'; '.join(f'{count} for {name}' for name, count in times.items())})",
    ]


def _passes(one: Usual, run: PretrainRun, known: DataSizes) -> str:
    """How often the data are gone through, `unknown` without them."""
    count = {"text": known.tokens, "image": known.images, "pair": known.pairs}[one.kind]
    seen = run.train.steps * one.share * one.examples * (one.rows if one.kind == "text" else 1)
    return f"{seen / count:.2f}" if count else "unknown"


def _memory_lines(run: PretrainRun, known: DataSizes) -> list[str]:
    accumulate = run.train.accumulate
    worlds = [gpus for gpus in GPUS if run.data.multiple % (gpus * accumulate) == 0]
    header = ("GPUs", "weights", "gradients", "Adam", "largest part", "recomputed", "needed", *CARDS)
    lines = [
        f"memory per GPU, an estimate, with train.accumulate {accumulate}; the last columns: the train.accumulate from "
        "which it fits",
        *table(header, [_memory_row(run, known, gpus) for gpus in worlds]),
    ]
    part = largest_part(run, known, worlds[0] * accumulate)
    return [*lines, f"  the largest part: {part.name}, with {part.lengths.regions} regions and {part.lengths.tokens} "
                    "tokens a row"]  # fmt: skip


def _memory_row(run: PretrainRun, known: DataSizes, gpus: int) -> tuple[str, ...]:
    share, state = gpus * run.train.accumulate, device_state(run, gpus)
    plain, twice = (largest_part(run, known, share, recompute).bytes for recompute in (False, True))
    needed = needed_bytes(state, twice if recomputes(run) else plain)
    least = (_least(run, known, gpus, card) for card in CARDS)
    return (
        str(gpus),
        *(gib(count) for count in (state.weights, state.gradients, state.adam, plain.peak, twice.peak, needed)),
        *least,
    )


def _least(run: PretrainRun, known: DataSizes, gpus: int, card: str) -> str:
    """The smallest train.accumulate that fits; with recompute where nothing else does."""
    if plain := least_accumulate(run, known, gpus, card):
        return str(plain)
    twice = least_accumulate(run, known, gpus, card, recompute=True)
    return f"{twice}, recompute" if twice else "none"


def _capacity_lines(run: PretrainRun, known: DataSizes) -> list[str]:
    header = ("", *(f"{card}{', recompute' if twice else ''}" for card in CARDS for twice in (False, True)))
    rows = [
        (
            f"{SETTING[kind]}.rows, {rows_of(run, kind):,} now",
            *(f"{largest_rows(run, known, 1, card, kind, twice):,}" for card in CARDS for twice in (False, True)),
        )
        for kind in step_weights(run)
    ]
    title = "rows that one GPU takes at once; a step may have these times GPUs times train.accumulate"
    return [title, *table(header, rows)]


def _time_lines(run: PretrainRun, known: DataSizes) -> list[str]:
    flops = sum(one.share * one.cost.flops for one in usual_steps(run, known)) * run.train.steps
    dtype = "float32" if run.precision.level == "O0" else run.precision.dtype
    found = {name: peak_flops(device, dtype) for name, device in (("V100", "V100"), ("A100", "A100"))}
    peaks = {name: peak for name, peak in found.items() if peak}
    rows = [
        (str(gpus), *(f"{flops / (gpus * peak * UTILISATION * DAY):,.3g}" for peak in peaks.values()))
        for gpus in GPUS
        if run.data.multiple % (gpus * run.train.accumulate) == 0
    ]
    return [
        f"days for {flops:.3g} FLOP at {UTILISATION:.0%} of the peak in {dtype} (assumed, not measured)",
        *table(("GPUs", *(f"{name} ({peak / 1e12:g} TFLOP/s)" for name, peak in peaks.items())), rows),
    ]


def _disk_lines(run: PretrainRun) -> list[str]:
    size = checkpoint_bytes(all_parameters(sizes_of(run)))
    kept = run.train.keep_last + (run.watch.keep_best is not None)
    return [
        f"checkpoints: every {run.train.save_every:,} steps, {gib(size)} each; {kept} kept and one being written: "
        f"{gib((kept + 1) * size)}"
    ]


def _describe_detector(run: DetectorRun) -> list[str]:
    examples = run.train.steps * run.data.batch
    return [
        f"detector training into {run.output.directory}",
        f"  {run.detector.backbone}, pictures scaled to {run.detector.short_side} pixels on the short side, at most "
        f"{run.detector.long_side} on the long one; region features of {run.detector.feature_width} numbers",
        f"steps: {run.train.steps:,} of {run.data.batch} pictures, {examples:,} pictures in all",
    ]


def _rate_lines(optimizer: OptimizerSettings, train: TrainSettings) -> list[str]:
    warmup, total = optimizer.warmup_steps, train.steps
    milestones = sorted({0, warmup // 2, max(warmup - 1, 0), warmup, (warmup + total) // 2, total - 1})
    rates = [
        f"  step {step + 1:>9,}  "
        f"{learning_rate(step, optimizer.peak_lr, warmup, total, optimizer.schedule):.3g}"
        for step in milestones
    ]
    return [f"learning rate: schedule {optimizer.schedule}, {warmup:,} steps of warm-up", *rates]


def _environment_lines() -> list[str]:
    names = environment.settings()
    return ["CPU environment", *(f"  {name}={os.environ.get(name, '(not set)')}" for name in names)]
