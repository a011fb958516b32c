"""The one table of a sweep: every run a row of a Parquet file, and on the console a line a variant.

Columns: variant, seed, overrides, in_grid (of the newest request; older runs of the folder stay), state (done, failed,
waiting), error, folder, config (YAML), data (what they are known by, JSON), commit, splits, steps, examples, tokens,
flops, train_seconds, evaluate_seconds; `score/NAME` as tools/evaluate.py printed it; `loss/NAME`, the mean over the
last tenth of the steps; curves: a list of {step, name, value}.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unimo_paddle.errors import UserError
from unimo_paddle.files import atomic_write

SCORE = "score/"
_BESIDE = ("_low", "_high", "_chance", "_queries", "_candidates", "_count")  # endings of what is no score itself
_WIDTH = 120  # characters of a line
Row = Mapping[str, Any]


def write(rows: Sequence[Row], path: Path) -> None:
    """Write the runs as one Parquet file, whole or not at all. A column that a row lacks is null there."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = list(dict.fromkeys(name for row in rows for name in row))
    table = pa.table({name: [row.get(name) for row in rows] for name in columns})
    with atomic_write(path) as file:
        pq.write_table(table, file, compression="zstd")


@dataclass(frozen=True)
class Line:
    """One variant: of its seeds, the wanted and the done, and of each score mean and standard deviation.

    A deviation is 0 where only one seed is done.
    """

    variant: str
    wanted: int
    done: int
    scores: Mapping[str, tuple[float, float]]

    @property
    def is_whole(self) -> bool:
        """Tell whether all seeds are done, so that the mean can be compared with others'."""
        return self.done == self.wanted


def score_names(rows: Sequence[Row], by: str | None) -> list[str]:
    """Return the scores there are: `by`, then as they were printed, without bounds, chance levels and counts."""
    names = dict.fromkeys(name.removeprefix(SCORE) for row in rows for name in row if name.startswith(SCORE))
    return sorted((name for name in names if not name.endswith(_BESIDE)), key=lambda name: name != by)


def summarise(rows: Sequence[Row], by: str | None) -> tuple[list[Line], list[str]]:
    """Return a line a variant, the best mean of `by` first and unfinished variants last, and the scores, `by` first.

    by: None is the first score. Raises UserError when no run has that score.
    """
    names = score_names(rows, by)
    if by is not None and names and by not in names:
        raise UserError(f"--by {by}: no run has this score; there are {', '.join(names)}")
    lines = [_line(variant, rows, names) for variant in dict.fromkeys(row["variant"] for row in rows)]
    return sorted(lines, key=lambda line: _place(line, names)), names


def _line(variant: str, rows: Sequence[Row], names: Sequence[str]) -> Line:
    mine = [row for row in rows if row["variant"] == variant]
    done = [row for row in mine if row["state"] == "done"]
    values = {name: [row[SCORE + name] for row in done if SCORE + name in row] for name in names}
    scores = {name: (statistics.fmean(some), _deviation(some)) for name, some in values.items() if some}
    return Line(variant, len(mine), len(done), scores)


def _deviation(values: Sequence[float]) -> float:
    if not all(map(math.isfinite, values)):
        return math.nan  # what statistics.stdev does not do
    return statistics.stdev(values) if len(values) > 1 else 0.0


def _place(line: Line, names: Sequence[str]) -> tuple[bool, bool, float]:
    mean, _ = line.scores.get(names[0], (math.nan, 0.0)) if names else (math.nan, 0.0)
    return (not line.is_whole, math.isnan(mean), 0.0 if math.isnan(mean) else -mean)


def show(lines: Sequence[Line], names: Sequence[str]) -> list[str]:
    """Return the lines of the table that a person reads: means, the first score's with the deviation over seeds."""
    wide = max(len("variant"), *(len(line.variant) for line in lines))
    cells = [["variant".ljust(wide), "seeds", *(name if place else f"{name} ± sd" for place, name in enumerate(names))]]
    for line in lines:
        means = [cell(line.scores.get(name), with_deviation=not place) for place, name in enumerate(names)]
        cells.append([line.variant.ljust(wide), f"{line.done}/{line.wanted}", *means])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    shown = _fitting(widths)
    table = ["  ".join(cell.rjust(width) for cell, width in zip(row[:shown], widths, strict=False)) for row in cells]
    left = len(widths) - shown
    return [*table, f"({left} more score{'s'[: left - 1]} in the Parquet file)"] if left else table


def cell(score: tuple[float, float] | None, with_deviation: bool = True) -> str:
    """Return e.g. `93.12 ± 0.31`, `93.12` or `-`."""
    if score is None:
        return "-"
    mean, deviation = score
    return f"{mean:.4g} ± {deviation:.2g}" if with_deviation and deviation else f"{mean:.4g}"


def _fitting(widths: Sequence[int]) -> int:
    """Return how many columns fit into a line; the first three always do."""
    shown, used = 0, 0
    for width in widths:
        used += width + 2
        if used > _WIDTH and shown >= 3:
            break
        shown += 1
    return shown


def notes(rows: Sequence[Row]) -> list[str]:
    """Return what makes the runs that are done hard to compare: several versions of the code, or of the data."""
    done = [row for row in rows if row["state"] == "done"]
    commits = sorted({row["commit"] for row in done})
    found = [f"the runs were trained at {len(commits)} commits: {', '.join(commits)}"] if len(commits) > 1 else []
    facts: dict[str, set[str]] = {}
    for row in done:
        for name, fact in json.loads(row["data"] or "{}").items():
            facts.setdefault(name, set()).add(str(fact))
    differing = [name for name, known in facts.items() if len(known) > 1]
    return found + ([f"the runs differ in their data: {', '.join(differing)}"] if differing else [])
