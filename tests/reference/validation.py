"""The checks of rewrites, written from their definition: every text against every other."""

import re


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def count(pairs, rewrites) -> dict[str, int]:
    """Return how often each fault occurs; pairs: (image, caption); rewrites: (positives, negative texts)."""
    found = {"copy": 0, "positive": 0, "true": 0, "doubled": 0, "doubled positive": 0}
    for (image, caption), (positives, negatives) in zip(pairs, rewrites, strict=True):
        found["copy"] += sum(words(text) == words(caption) for text in positives)
        for i, text in enumerate(negatives):
            found["positive"] += any(words(text) == words(other) for other in positives)
            found["true"] += any(words(text) == words(other) for where, other in pairs if where == image)
            found["doubled"] += any(words(text) == words(other) for other in negatives[:i])
        for i, text in enumerate(positives):
            found["doubled positive"] += any(words(text) == words(other) for other in positives[:i])
    return found
