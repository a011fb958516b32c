"""What generation is told, what it drives, and what it returns. N rows (hypotheses that go on), V vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.generation.trie import Node


@dataclass(frozen=True)
class Ids:
    """The vocabulary's special ids.

    start: what every text is begun with, [CLS]; end: what ends it, [MASK] or [SEP] (release, section 15); pad: of no
    meaning to generation itself.  word_start: bool [V], tokens that open a new word, for trigram blocking alone.
    banned: never generated, as if the vocabulary lacked them.
    """

    start: int
    end: int
    pad: int
    word_start: NDArray[np.bool_] | None = None
    banned: tuple[int, ...] = ()


@dataclass(frozen=True)
class Hypothesis:
    """A text: its ids without start and end.

    log_probability: the model's own, its end counted where it has one; score: that divided by the length penalty.
    """

    ids: tuple[int, ...]
    score: float
    log_probability: float


@dataclass(frozen=True)
class Partial:
    """A text that goes on. node: how far it has come in the trie, where there is one."""

    ids: tuple[int, ...] = ()
    log_probability: float = 0.0
    node: Node | None = None


class Stepper(Protocol):
    """A model that has read its sources and keeps what it computes of texts. It begins with one row a source."""

    @property
    def inputs(self) -> int:
        """The number of sources."""

    def step(self, tokens: NDArray[np.int64], position: int) -> NDArray[np.float32]:
        """Add one token to each row's text and return the logits of what follows, float32 [N, V], for the caller to
        change. tokens: int64 [N]; position: theirs in the position table."""

    def keep(self, parents: NDArray[np.int64]) -> None:
        """Let row i from now on continue what row parents[i] was; int64 [N'], rows of one source side by side and in
        the sources' order. A source without rows is not asked for again."""
