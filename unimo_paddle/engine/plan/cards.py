"""Which cards a run fits on, and how many examples each takes at once."""

from __future__ import annotations

from dataclasses import dataclass

from unimo_paddle.config import PretrainRun
from unimo_paddle.data.batch import LanguagePart, Part, VisualPart
from unimo_paddle.engine.plan.memory import GIB, Kept, State, numbers_of, part_bytes, state_bytes
from unimo_paddle.engine.plan.sizes import all_parameters, layered_parameters, sizes_of
from unimo_paddle.engine.plan.steps import (
    DataSizes,
    Lengths,
    examples_of,
    objectives_of,
    parts_of,
    rows_of,
    step_weights,
    usual_range,
)

# Memory as the driver reports it, MiB.
CARDS = {"V100 16 GB": 16160, "V100 32 GB": 32510, "80 GB": 81559}
# Assumed: CUDA context, cuBLAS and NCCL buffers, and buckets of gradients on their way; what the allocator cannot use.
RESERVE, FRAGMENTS = 2 * GIB, 0.05


@dataclass(frozen=True)
class Largest:
    """The part of a step that takes the most memory. name: of kind and part; lengths: at which it does."""

    name: str
    bytes: Kept
    lengths: Lengths


def largest_part(
    run: PretrainRun, known: DataSizes, share: int, recompute: bool | None = None, kind: str = ""
) -> Largest:
    """Return the part that takes the most on one device. share: processes times micro-batches that a step is cut into.
    kind: of data, every kind when empty. recompute: other than the run's."""
    sizes, numbers = sizes_of(run), numbers_of(run, recompute)
    found = [
        Largest(f"{one}, {_name(part)}", part_bytes(part, sizes, numbers), lengths)
        for one in ([kind] if kind else step_weights(run))
        for lengths in usual_range(run, one, known)
        for objective in objectives_of(run) or [""]
        for part in parts_of(run, sizes, one, -(-examples_of(run, one, lengths) // share), lengths, objective)
    ]
    return max(found, key=lambda one: one.bytes.peak, default=Largest("none", Kept(0, 0), Lengths(0, 0, 0, 0)))


def needed_bytes(state: State, part: Kept) -> int:
    """Return what a device needs: state, the largest part with what fragments, and the reserve."""
    return state.total + round(part.peak * (1 + FRAGMENTS)) + RESERVE


def device_state(run: PretrainRun, world: int) -> State:
    """Return the model's state on each of `world` devices."""
    sizes = sizes_of(run)
    return state_bytes(
        all_parameters(sizes), layered_parameters(sizes), sizes.layers, run.precision, run.parallel, world
    )


def fits(
    run: PretrainRun, known: DataSizes, world: int, accumulate: int, card: str, recompute: bool | None = None
) -> bool:
    """Tell whether a step fits on `world` cards when each cuts its share into `accumulate` micro-batches.
    recompute: other than the run's."""
    part = largest_part(run, known, world * accumulate, recompute)
    return needed_bytes(device_state(run, world), part.bytes) <= CARDS[card] << 20


def least_accumulate(
    run: PretrainRun, known: DataSizes, world: int, card: str, recompute: bool | None = None
) -> int | None:
    """Return the smallest train.accumulate with which a step fits on `world` cards, None when none does."""
    shares = run.data.multiple // world
    choices = [n for n in range(1, shares + 1) if run.data.multiple % (world * n) == 0]
    return next((n for n in choices if fits(run, known, world, n, card, recompute)), None)


def largest_rows(run: PretrainRun, known: DataSizes, world: int, card: str, kind: str, recompute: bool) -> int:
    """Return about the most rows of a kind, as its budget counts them, that one
    card takes at once, 0 when the model alone does not fit. What is kept grows with the rows in proportion."""
    room = (CARDS[card] << 20) - RESERVE - device_state(run, world).total
    whole = largest_part(run, known, 1, recompute, kind)
    return max(0, int(room / (whole.bytes.peak * (1 + FRAGMENTS)) * rows_of(run, kind))) if whole.bytes.peak else 0


def _name(part: Part) -> str:
    if isinstance(part, LanguagePart):
        return f"words hidden ({part.objective})"
    return "regions hidden" if isinstance(part, VisualPart) else "contrast"
