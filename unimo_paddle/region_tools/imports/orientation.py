"""Which of two numbers is the width? The boxes tell: none reaches beyond its picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from unimo_paddle.errors import UserError
from unimo_paddle.region_tools.imports.fields import OVERHANG

AUTO, WIDTH_FIRST, HEIGHT_FIRST = "auto", "width-first", "height-first"
ADVICE = f"--size-order {WIDTH_FIRST} or {HEIGHT_FIRST}"
ENOUGH = 64  # lines that speak for one order with none against it; reading on would only cost time


@dataclass(frozen=True)
class Sized:
    """The two numbers of a line's size, and how far its boxes reach to the right and down."""

    where: str
    first: int
    second: int
    right: float
    bottom: float

    def fits(self, width: float, height: float) -> bool:
        """Tell whether a picture of this size holds the boxes."""
        return self.right <= width + OVERHANG and self.bottom <= height + OVERHANG


def order_of(sizes: Iterable[Sized], order: str, path: Path) -> bool:
    """Return whether the width comes first in a file.

    order: what the user says; "auto" lets the file's lines vote. A line votes when its boxes fit one way only. The
    majority wins (a line against it is a fault of that line, found when it is taken); reading stops at ENOUGH votes
    that agree. Without any vote, square pictures need no order, and for others UserError asks for it, as it does when
    the votes are even.
    """
    if order != AUTO:
        return order == WIDTH_FIRST
    votes: dict[bool, list[str]] = {True: [], False: []}
    undecided = ""
    for line in sizes:
        width_first, height_first = line.fits(line.first, line.second), line.fits(line.second, line.first)
        if width_first != height_first:
            votes[width_first].append(line.where)
        elif width_first and line.first != line.second:
            undecided = undecided or line.where
        if max(map(len, votes.values())) >= ENOUGH and not min(map(len, votes.values())):
            break
    if len(votes[True]) != len(votes[False]):
        return len(votes[True]) > len(votes[False])
    if votes[True]:
        raise UserError(
            f"{path}: {len(votes[True])} lines say that the width comes first (e.g. {votes[True][0]}), as many that "
            f"the height does (e.g. {votes[False][0]}); look at them and give {ADVICE}"
        )
    if undecided:
        raise UserError(
            f"{path}: its boxes fit both ways, so they do not tell whether width or height comes first (e.g. "
            f"{undecided}); give {ADVICE}"
        )
    return True
