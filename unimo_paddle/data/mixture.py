"""Which kind of data each step is made of: by weight, evenly spread, the same for every rank and after every resume."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.data.batch import Batch
from unimo_paddle.errors import UserError

_BLOCK = 4096  # steps that are counted in one go
# 2^64 over the golden ratio: multiples of it, modulo 2^64, fill the circle more evenly than those of any other number.
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class Stream(Protocol):
    """What a mixture is made of: a pure function of the step."""

    def batch(self, step: int) -> Batch:
        """Return one rank's share of a step."""


class Mixture:
    """Steps of several kinds by weight; each stream counts its own steps, so that none of its batches is skipped.

    streams: name -> (stream, weight).  The kinds of steps form a Weyl sequence that begins where the seed says: over
    any stretch of steps, each kind has its share to within a few steps.
    Raises UserError when a weight is negative or not a number, or none is above 0.
    """

    def __init__(self, streams: Mapping[str, tuple[Stream, float]], seed: int) -> None:
        weights = {name: weight for name, (_, weight) in streams.items()}
        wrong = [f"{name} {weight}" for name, weight in weights.items() if not (0 <= weight < math.inf)]
        if wrong or not any(weights.values()):
            raise UserError(
                f"data.weight, texts.weight, images.weight: {', '.join(wrong) or 'none is above 0'}; numbers from 0 up "
                f"are wanted, at least one above 0"
            )
        used = {name: stream for name, (stream, _) in streams.items() if weights[name] > 0}
        self._names, self._streams = list(used), list(used.values())
        shares = np.cumsum([weights[name] for name in used])
        self._borders = shares[:-1] / shares[-1]
        self._offset = np.random.default_rng(seed).integers(2**64, dtype=np.uint64)
        self._before = [np.zeros(len(used), np.int64)]  # steps of each kind before each block

    def kind(self, step: int) -> str:
        """Return the kind of a step."""
        return self._names[self._kinds(step, step + 1)[0]]

    def own_step(self, step: int) -> int:
        """Return how many steps of its own kind came before a step."""
        return int(self._counts(step)[self._kinds(step, step + 1)[0]])

    def batch(self, step: int) -> Batch:
        """Return one rank's share of a step, from the stream whose turn it is; raises what that raises."""
        return self._streams[self._kinds(step, step + 1)[0]].batch(self.own_step(step))

    def _kinds(self, begin: int, end: int) -> NDArray[np.int64]:
        """The kinds of the steps begin..end, as numbers: int64 [end - begin]."""
        places = np.arange(begin, end, dtype=np.uint64) * _GOLDEN + self._offset
        return np.searchsorted(self._borders, places / 2.0**64, "right")

    def _counts(self, step: int) -> NDArray[np.int64]:
        """How many steps of each kind came before a step: int64 [kinds]."""
        block = step // _BLOCK
        while len(self._before) <= block:
            begin = (len(self._before) - 1) * _BLOCK
            self._before.append(self._before[-1] + self._tally(begin, begin + _BLOCK))
        return self._before[block] + self._tally(block * _BLOCK, step)

    def _tally(self, begin: int, end: int) -> NDArray[np.int64]:
        return np.bincount(self._kinds(begin, end), minlength=len(self._names))
