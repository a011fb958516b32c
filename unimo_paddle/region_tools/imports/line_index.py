"""Lines of a TSV by their key, without holding them; and .lineidx files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.errors import UserError
from unimo_paddle.region_tools.imports.lines import read_lines


class KeyedLines:
    """A TSV whose lines are found by their first column: about 150 bytes of memory a line."""

    def __init__(self, path: Path) -> None:
        """Read the keys; UserError when the file is damaged or a key comes twice."""
        self.path = path
        self._places: dict[bytes, tuple[int, int]] = {}
        for line in read_lines(path):
            key = line.data.partition(b"\t")[0]
            if line.fault or key in self._places:
                shown = key.decode("utf-8", "replace")
                raise UserError(f"{line.where}: {line.fault or f'the key {shown!r} comes twice'}")
            self._places[key] = line.start, len(line.data)
        self._file = path.open("rb")

    def find(self, key: bytes) -> bytes | None:
        """Return what follows the key, or None when there is no such line."""
        if key not in self._places:
            return None
        start, size = self._places[key]
        self._file.seek(start)
        return self._file.read(size).partition(b"\t")[2]


class LineStarts:
    """The numbers of a .lineidx file."""

    def __init__(self, starts: NDArray[np.int64]) -> None:
        self._starts = starts

    def __len__(self) -> int:
        return len(self._starts)

    def get(self, line: int) -> int:
        """Return where a line begins; -1 when the file has no such line."""
        return int(self._starts[line]) if line < len(self._starts) else -1


def line_starts(path: Path) -> LineStarts | None:
    """Read the .lineidx beside a TSV, or None when there is none; UserError when it holds something else."""
    beside = path.with_suffix(".lineidx")
    if not beside.is_file():
        return None
    try:
        return LineStarts(np.array(beside.read_text("ascii").split(), np.int64))
    except ValueError as error:
        raise UserError(f"{beside} is not a list of numbers: {error}") from None
