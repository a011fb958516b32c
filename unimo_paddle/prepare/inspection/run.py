"""Shows one pair of a corpus: on the terminal, and as a page."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from unimo_paddle.console import say
from unimo_paddle.corpus import Corpus
from unimo_paddle.files import atomic_write
from unimo_paddle.prepare.inspection.gather import gather
from unimo_paddle.prepare.inspection.page import page
from unimo_paddle.prepare.inspection.terminal import Paint, lines
from unimo_paddle.regions import RegionStore


def inspect(corpus: Path, pair_id: str, store: Path | None, out: Path | None) -> None:
    """Print everything about a pair, and write the page `out`, one file that can be sent to anybody.

    store: regions, whose boxes are drawn over the picture. Raises UserError, with the nearest ids for an unknown one.
    """
    view = gather(Corpus(corpus), pair_id, RegionStore(store) if store else None)
    for line in lines(view, Paint(colour=_wants_colour())):
        say(line)
    if out:
        with atomic_write(out, "w") as file:
            file.write(page(view))
        say(f"page: {out}")


def _wants_colour() -> bool:
    """Tell whether standard output is a terminal that shows colours and nobody asked for none (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
