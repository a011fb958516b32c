"""Tables for a terminal: columns as wide as their longest cell, numbers to the right."""

from __future__ import annotations

from collections.abc import Sequence

GIB = 1 << 30


def table(header: Sequence[str], rows: Sequence[Sequence[str]], indent: str = "  ") -> list[str]:
    """Return a header and rows as lines; the first column is aligned to the left, all others to the right."""
    lines = (header, *rows)
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    return [(indent + "  ".join(_aligned(line, widths))).rstrip() for line in lines]


def gib(count: float) -> str:
    """Return bytes as e.g. `3.21 GiB`."""
    return f"{count / GIB:.2f} GiB"


def _aligned(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    cells = [cell.rjust(width) for cell, width in zip(line, widths, strict=True)]
    return [line[0].ljust(widths[0]), *cells[1:]]
