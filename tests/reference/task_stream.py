"""Which examples make each batch of a task's epoch, and which images and texts belong together, by slow loops."""

import math


def batches(sizes, mixed, turns, batch, window, strips):
    """sizes: (image rows, text rows) of each example.  mixed: the epoch's order, before sorting; turns: the order in
    which batches come; window: in batches; strips: numbers to try."""
    kept = mixed[: len(sizes) // batch * batch]
    orders = [in_strips(sizes, kept, batch, window, count) for count in strips]
    best = min([cut(order, batch) for order in orders], key=lambda found: sum(padded(sizes, one) for one in found))
    return [best[turn] for turn in turns]


def in_strips(sizes, rows, batch, window, strips):
    """Windows by the images' sizes, cut into strips of whole batches, these sorted by texts; the largest first."""
    found = []
    for some in cut(rows, batch * window):
        by_image = sorted(some, key=lambda row: -sizes[row][0])
        for strip in cut(by_image, batch * math.ceil(window / strips)):
            found += sorted(strip, key=lambda row: -sizes[row][1])
    return found


def cut(rows, size):
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def padded(sizes, rows):
    """Rows of a batch whose images and texts are padded to the longest of each."""
    return len(rows) * sum(max(sizes[row][part] for row in rows) for part in (0, 1))


def is_true(records, image, record):
    """Is the text of `record` true of an image?"""
    words = record.text.lower().split()
    said = [other for other in records if other.text.lower().split() == words]
    return any(image == other.image or image in other.images for other in said)
