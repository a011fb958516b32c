"""What a sweep or a study asks for: variants of one configuration, seeds, and how each run is judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from unimo_paddle.config import DetectorRun, Run, load_run
from unimo_paddle.errors import UserError

SEED, DIRECTORY = "train.seed", "output.directory"
_SHOWN = 3  # variants named in a message


@dataclass(frozen=True)
class Grid:
    """Variants x seeds of one configuration.

    variants: by name, the `key=value` settings that a variant differs by.  common: settings of every run; they win
    over a variant's.  seeds: none: the configuration's own.  evaluations: by name, settings of an evaluation; the only
    one may have the name "".
    """

    config: Path
    variants: Mapping[str, Sequence[str]]
    seeds: Sequence[int]
    common: Sequence[str]
    evaluations: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Planned:
    """One run: the settings to train with, and by the evaluation's name those to judge with."""

    variant: str
    seed: int
    overrides: tuple[str, ...]
    run: Run
    evaluations: Mapping[str, Run]


def plan(grid: Grid) -> list[Planned]:
    """Return the runs of a grid: all variants with the first seed, then all with the next.

    So a sweep that is stopped compares all variants already. Raises UserError with what is wrong in any variant's
    settings before one has begun.
    """
    _refuse_reserved(grid)
    faults: dict[str, list[str]] = {}  # message -> variants
    planned: list[Planned] = []
    for name in grid.variants:
        try:
            planned += _variant(grid, name)
        except UserError as error:
            faults.setdefault(str(error), []).append(name)
    if faults:
        raise UserError("\n".join(f"{_named(names)}: {message}" for message, names in faults.items()))
    order = {seed: place for place, seed in enumerate(grid.seeds)}
    return sorted(planned, key=lambda one: order.get(one.seed, 0))


def _refuse_reserved(grid: Grid) -> None:
    """Each run has its own folder, and the grid its seeds."""
    advice = {DIRECTORY: "the runs' folders are below the one of the sweep; name that", SEED: "list the seeds instead"}
    for text in [*grid.common, *(text for texts in grid.variants.values() for text in texts)]:
        key = text.partition("=")[0].strip()
        if key in advice:
            raise UserError(f"{text}: {key} is not for a single variant: {advice[key]}")


def _variant(grid: Grid, name: str) -> Iterator[Planned]:
    overrides = (*grid.variants[name], *grid.common)
    run = load_run(grid.config, overrides)
    if isinstance(run, DetectorRun):
        raise UserError(f"{grid.config}: is of kind {run.kind}, whose training is not judged by tools/evaluate.py")
    judged = {each: load_run(grid.config, (*overrides, *more)) for each, more in grid.evaluations.items()}
    for seed in grid.seeds or [run.train.seed]:
        evaluations = {each: _seeded(one, seed) for each, one in judged.items()}
        yield Planned(name, seed, overrides, _seeded(run, seed), evaluations)


def _seeded(run: Any, seed: int) -> Any:
    return replace(run, train=replace(run.train, seed=seed))


def _named(names: Sequence[str]) -> str:
    """Return e.g. `variant full` or `variants a, b, c and 4 more`."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"variant{'s'[: len(names) - 1]} {', '.join(names[:_SHOWN])}{more}"
