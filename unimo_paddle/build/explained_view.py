"""One input as explained_page.py shows it, and how much a share is shaded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVELS = 9          # of a cell's shade
Shares = NDArray[np.float64]


@dataclass(frozen=True)
class Picture:
    """A picture within the page. width, height: pixels as embedded."""

    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class Box:
    """A region, in pixels of the view's frame."""

    name: str
    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True)
class View:
    """One input. question, image: as they were given, None where there was none.  picture: None where only its regions
    are at hand.  frame: width and height that the boxes are in.  names, is_written: W words, and which of them the
    model wrote.  left_out: words that are not shown.  regions: float64 [W, 1 + boxes], [W, 0] without an image; words:
    float64 [W, W] (attending.Looks).  answers: the answer, its number, its bar from 0 to 1."""

    question: str | None
    image: str | None
    picture: Picture | None
    frame: tuple[int, int]
    boxes: tuple[Box, ...]
    names: tuple[str, ...]
    is_written: tuple[bool, ...]
    left_out: int
    regions: Shares
    words: Shares
    answers: tuple[tuple[str, float, float], ...]

    @property
    def chosen(self) -> int:
        """The word that is chosen first: the first that was written, else [CLS], which answers are read from."""
        looking = [word for word in range(len(self.names)) if self.is_written[word] and self.looks(word)]
        return looking[0] if looking else 0

    def looks(self, word: int) -> bool:
        """Tell whether a word looks anywhere."""
        return bool(self.words[word].sum() + self.regions[word].sum() > 0)


def parts(shares: Shares) -> Shares:
    """Return shares as parts of the largest one."""
    return shares / max(shares.max(initial=0), 1e-9)


def levels(shares: Shares) -> NDArray[np.int64]:
    """Return int64, from 0 to LEVELS for the largest share."""
    return np.round(LEVELS * parts(shares)).astype(np.int64)
