"""Retrieval over a whole split: every text against every image, exactly.

I: images, T: texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.console import progress
from unimo_paddle.metrics.retrieval import Recall

Place = tuple[int, int]  # index of an image, index of a text
KS = (1, 5, 10)


def score_all(
    score: Callable[[Sequence[Place]], NDArray[np.float32]], lengths: Sequence[int], images: int, batch: int
) -> NDArray[np.float32]:
    """Return float32 [T, I]: the score of each text with each image, `batch` pairs at a time.

    score: maps (image, text) pairs to float32 [pairs].  lengths: of the T texts, in tokens: texts of like length
    share a batch, so that little of it is padding.
    """
    scores = np.empty((len(lengths), images), np.float32)
    batches = list(_batches(lengths, images, batch))
    for places in progress(batches, len(batches), "scoring every text with every image", "batch"):
        columns, rows = zip(*places, strict=True)
        scores[list(rows), list(columns)] = score(places)
    return scores


def table(directions: dict[str, Recall]) -> list[str]:
    """Return the lines of the table that a person reads, recalls in per cent."""
    head = "".join(f"{f'R@{k}':>9}" for k in KS) + f"{'mean rank':>12}"
    lines = [f"{'':16}{head}"]
    for name, result in directions.items():
        lines.append(f"{name:16}" + "".join(f"{100 * result.at[k]:9.2f}" for k in KS) + f"{result.mean_rank:12.1f}")
        lines.append(f"{'  by chance':16}" + "".join(f"{100 * result.chance[k]:9.2f}" for k in KS))
    return lines


def as_json(directions: dict[str, Recall]) -> dict[str, float | int]:
    """Return one flat object: e.g. image_to_text_R@1, and the same by chance; recalls in [0, 1]."""
    flat: dict[str, float | int] = {}
    for name, result in directions.items():
        key = name.replace(" ", "_")
        for k in KS:
            flat[f"{key}_R@{k}"] = round(result.at[k], 6)
            flat[f"{key}_R@{k}_chance"] = round(result.chance[k], 6)
        flat |= {f"{key}_queries": result.queries, f"{key}_candidates": result.candidates}
    return flat


def _batches(lengths: Sequence[int], images: int, batch: int) -> Iterator[list[Place]]:
    order = sorted(range(len(lengths)), key=lambda text: lengths[text])
    places = [(image, text) for text in order for image in range(images)]
    for start in range(0, len(places), batch):
        yield places[start : start + batch]
