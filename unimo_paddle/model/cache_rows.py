"""Which texts go on, where what they kept lies, and which source each reads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class Rows:
    """N rows over B sources; every token of every row has a slot, a number that never changes.

    source: int64 [N], ascending.  slots: int64 [N, t], those of each row's tokens: rows that split share them, and to
    reorder rows nothing but these numbers moves.  used: slots given out.
    """

    def __init__(self, inputs: int) -> None:
        self.inputs, self.used = inputs, 0
        self.source = np.arange(inputs)
        self.slots = np.zeros((inputs, 0), np.int64)

    def add(self) -> None:
        """Give each row a slot for one token more."""
        count = len(self.source)
        fresh = np.arange(self.used, self.used + count)
        self.slots = np.concatenate((self.slots, fresh[:, None]), axis=1)
        self.used += count

    def keep(self, parents: Ints) -> None:
        """Let row i continue what row parents[i] was. ValueError when rows of a source are not side by side."""
        source = self.source[parents]
        if (np.diff(source) < 0).any():
            raise ValueError(f"parents {parents.tolist()} mix the sources' order: {source.tolist()}")
        self.source, self.slots = source, self.slots[parents]
