"""Object tags: the names of what a detector saw, as captions are written from them (release, section 5.5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unimo_paddle.data.encode import Floats, Ints

CONFIDENCE = 0.35  # of a region's class, to name an object: the release's file for the base size; 0.2 for large


def object_tags(best: Ints, sure: Floats, classes: Sequence[str]) -> str | None:
    """Return the names of the classes seen, each once, the surest first; None when there is none.

    best: int [R], each region's likeliest class, 0 the background; sure: float32 [R], its probability.  classes without
    names of objects (the background and "object", as imported features have them) name nothing.
    """
    if len(classes) <= 2:
        return None
    order = np.argsort(-sure, kind="stable")
    chosen = [int(best[row]) for row in order if best[row] and sure[row] >= CONFIDENCE]
    return " ".join(dict.fromkeys(classes[one] for one in chosen)) or None
