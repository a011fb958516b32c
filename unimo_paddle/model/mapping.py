"""Moves arrays from one naming to another and reports what became of each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from unimo_paddle.errors import UserError
from unimo_paddle.model.model_folder import ModelSizes
from unimo_paddle.model.names import Name
from unimo_paddle.safe_pickle import Array

Side = Literal["ours", "release", "hf"]
_OPTIMIZER = re.compile(r"_(moment[12]|beta[12]_pow_acc)_\d+$|^learning_rate|^@LR_DECAY")
_SHOWN = 12


@dataclass
class Report:
    """What became of each array.

    mapped: (from, to, shape).  missing: (from, to) of those the source lacks, "-" where it has no name for it.
    unused: names of the source that went nowhere.  wrong: (name, fault) where shape or numbers cannot be right.
    """

    mapped: list[tuple[str, str, tuple[int, ...]]] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    wrong: list[tuple[str, str]] = field(default_factory=list)

    def table(self) -> str:
        """Lay the report out in lines; the layers of an encoder share a line, with their number in front."""
        lines = [("mapped", f"{source} -> {target}", _spell(shape)) for source, target, shape in self.mapped]
        lines += [("missing", f"{source} -> {target}", "") for source, target in self.missing]
        lines += [("unused", name, "optimizer" if _OPTIMIZER.search(name) else "") for name in self.unused]
        lines += [("wrong shape", name, fault) for name, fault in self.wrong]
        counted = Counter((kind, _any_layer(names), note) for kind, names, note in lines)
        width = max((len(names) for _, names, _ in counted), default=0)
        rows = [f"{kind:12}{count:5}  {names:{width}}  {note}" for (kind, names, note), count in counted.items()]
        return "\n".join([*map(str.rstrip, rows), self.summary()])

    def summary(self) -> str:
        """Say in one line how many arrays were mapped, missing, unused and of wrong shape."""
        return (
            f"mapped {len(self.mapped)}, missing {len(self.missing)}, unused {len(self.unused)}, "
            f"wrong shape {len(self.wrong)}"
        )


def _spell(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _any_layer(name: str) -> str:
    return re.sub(r"(layers?[._])\d+", r"\1*", name)


def move(
    table: list[Name],
    sides: tuple[Side, Side],
    available: Collection[str],
    read: Callable[[str], Array],
    sizes: ModelSizes,
) -> tuple[dict[str, Array], Report]:
    """Read every array the table knows and name it for the other side, as float32.

    available: the source's names.  read: name -> array in the source's shape, called only for names in the
    table.  Returns arrays in the target's layout, and the report; nothing is refused here.
    """
    report, moved = Report(), {}
    origin, goal = sides
    seen = set()
    for row in table:
        source, target = getattr(row, origin), getattr(row, goal)
        if target is None:
            continue
        if source is None or source not in available:
            report.missing.append((source or "-", target))
            continue
        seen.add(source)
        array = read(source)
        expected = sizes.shape(row.shape[::-1] if row.is_transposed and origin == "hf" else row.shape)
        fault = _fault(array, expected)
        if fault:
            report.wrong.append((source, fault))
            continue
        report.mapped.append((source, target, array.shape))
        turn = row.is_transposed and "hf" in sides
        moved[target] = np.ascontiguousarray(array.T if turn else array, np.float32)
    report.unused = sorted(set(available) - seen)
    return moved, report


def _fault(array: Array, expected: tuple[int | None, ...]) -> str:
    if len(array.shape) != len(expected) or any(
        want not in (None, have) for want, have in zip(expected, array.shape, strict=True)
    ):
        return f"is {_spell(array.shape) or 'a number'}, expected {' x '.join(str(want or '?') for want in expected)}"
    if array.dtype.kind != "f":
        return f"holds {array.dtype.name}, expected floating point"
    return "" if np.isfinite(array).all() else "holds NaN or infinity"


def refuse_gaps(report: Report, required: Collection[str], where: str) -> None:
    """Raise UserError that lists every missing array among the targets `required`, and every wrong shape."""
    faults = [f"{source} is missing (it gives {target})" for source, target in report.missing if target in required]
    faults += [f"{name} {fault}" for name, fault in report.wrong]
    if faults:
        more = [f"and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
        raise UserError(f"{where}: cannot be converted:\n  " + "\n  ".join(faults[:_SHOWN] + more))
