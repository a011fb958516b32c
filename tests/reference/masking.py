"""Slow oracles of data/masking.py, from the definitions: pixel counting and plain loops."""

from __future__ import annotations


def overlap(one: list[int], other: list[int]) -> float:
    """Intersection over union of two x1 y1 x2 y2 boxes on whole pixels, by counting the pixels."""

    def pixels(box: list[int]) -> set[tuple[int, int]]:
        return {(x, y) for x in range(box[0], box[2]) for y in range(box[1], box[3])}

    both, either = pixels(one) & pixels(other), pixels(one) | pixels(other)
    return len(both) / len(either) if either else 0.0


def words(word_start: list[bool]) -> list[list[int]]:
    """The places of each word of a row, [CLS] and [SEP] left out; the first token always opens a word."""
    found: list[list[int]] = []
    for place in range(1, len(word_start) - 1):
        if word_start[place] or not found:
            found.append([])
        found[-1].append(place)
    return found


def cut(ids: list[int], fragments: list[tuple[int, int]]) -> dict[str, list[int]]:
    """The seq2seq row of a text [CLS] w0 w1 .. [SEP] with fragments (begin, end) of its words moved to the target.

    Paper section 4 and release section 3: positions of the source from 2, of each target piece from 2 again.
    """
    cls, words_, sep = ids[0], ids[1:-1], ids[-1]
    gone = {i for begin, end in fragments for i in range(begin, end)}
    source = [cls] + [word for i, word in enumerate(words_) if i not in gone] + [sep]
    row = {"ids": list(source), "positions": [i + 2 for i in range(len(source))], "labelled": [], "targets": []}
    for begin, end in fragments:
        piece = [cls, *words_[begin:end], sep]
        for i, token in enumerate(piece):
            if i + 1 < len(piece):
                row["labelled"].append(len(row["ids"]))
                row["targets"].append(piece[i + 1])
            row["ids"].append(token)
            row["positions"].append(i + 2)
    return row


def may_read(i: int, j: int, n_image: int, n_source: int, n_text: int) -> bool:
    """Whether row i of [image, source, target] reads row j under seq2seq: the image is seen by every token; the
    source by all; the target by itself and by the target after it (paper section 4)."""
    if max(i, j) >= n_image + n_text:
        return False
    is_target = j >= n_image + n_source
    return j <= i if is_target else True
