"""Documents packed into sequences of one length: nothing padded, every token once an epoch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.errors import UserError

SHORTEST = 5  # of max_tokens: one end, one beginning and at least one word in each window of max_tokens - 2 rows
_DOCUMENTS, _WINDOWS = 10, 11  # what a generator is for; data/stream.py has the other numbers


class Piece(NamedTuple):
    """The tokens begin..end of a document, at least one."""

    document: int
    begin: int
    end: int


class _Epoch(NamedTuple):
    """order: [N] documents as they follow each other; starts: int64 [N], the row of each one's [CLS];
    windows: [sequences], which window comes when."""

    number: int
    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    windows: NDArray[np.int64]


class Packing:
    """Which pieces of which documents make each sequence: a pure function of (seed, epoch, number of the sequence).

    The documents of an epoch are laid end to end in an order of its own, each as [CLS] words [SEP], and cut into
    windows of max_tokens - 2 rows: a document that is cut by both borders of a window gets a [SEP] and a [CLS] of its
    own, and still fits.  The windows come in random order, so that a batch is not made of one book.
    lengths: int32 [N], tokens of each document, at least 1.  sequences: how many there are, the same in each epoch.
    Of the last epoch that was asked for, 16 bytes a document are held.
    Raises UserError when there is no document or max_tokens is too small.
    """

    def __init__(self, lengths: NDArray[np.int32], max_tokens: int, seed: int) -> None:
        if not len(lengths):
            raise UserError("there are 0 documents to pack; at least 1 is needed: tokenise a split with texts")
        if max_tokens < SHORTEST:
            raise UserError(f"max_tokens of texts is {max_tokens}; at least {SHORTEST} are needed")
        self._lengths, self._window, self._seed = lengths, max_tokens - 2, seed
        # The last [SEP] alone would be a window without a word.
        rows = int(lengths.sum(dtype=np.int64)) + 2 * len(lengths) - 1
        self.sequences = -(-rows // self._window)
        self._last: _Epoch | None = None

    def sequence(self, epoch: int, number: int) -> list[Piece]:
        """Return the pieces of a sequence, at least one; with [CLS] and [SEP] each, they have at most max_tokens."""
        now = self._epoch(epoch)
        first = int(now.windows[number]) * self._window
        begin = int(np.searchsorted(now.starts, first, "right")) - 1
        end = int(np.searchsorted(now.starts, first + self._window, "left"))
        documents, words = now.order[begin:end], now.starts[begin:end] + 1
        lengths = self._lengths[documents]
        begins = np.clip(first - words, 0, lengths)
        ends = np.clip(first + self._window - words, 0, lengths)
        rows = zip(documents.tolist(), begins.tolist(), ends.tolist(), strict=True)
        return [Piece(*row) for row in rows if row[1] < row[2]]

    def _epoch(self, number: int) -> _Epoch:
        found = self._last
        if found is None or found.number != number:
            order = np.random.default_rng((self._seed, _DOCUMENTS, number)).permutation(len(self._lengths))
            starts = np.zeros(len(order), np.int64)
            np.cumsum(self._lengths[order[:-1]] + np.int64(2), out=starts[1:])
            windows = np.random.default_rng((self._seed, _WINDOWS, number)).permutation(self.sequences)
            self._last = found = _Epoch(number, order, starts, windows)
        return found
