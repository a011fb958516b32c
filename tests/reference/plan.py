"""Cutting batches by their definition: from each place on, the largest batch that the budget allows."""


def cut(caps: list[list[int]], rows: int, multiple: int) -> list[int]:
    """Return where batches begin, and the end. caps: of each example, in their order, the size that each of its
    parts counts with; parts are padded apart."""
    bounds = [0]
    while bounds[-1] < len(caps):
        start = bounds[-1]
        counts = range(multiple, len(caps) - start + 1, multiple)
        bounds.append(start + max(n for n in counts if n * largest(caps[start : start + n]) <= rows))
    return bounds


def largest(caps: list[list[int]]) -> int:
    """Return the rows of an example as large as the largest in each part."""
    return sum(max(part) for part in zip(*caps, strict=True))
