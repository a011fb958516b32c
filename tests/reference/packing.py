"""Packing by its definition: every row of an epoch written out, then cut."""

from itertools import pairwise

CLS, SEP = "[CLS]", "[SEP]"
Row = tuple[int, int | str]  # a document, and the number of a token in it or a special token


def pack(order: list[int], lengths: list[int], max_tokens: int) -> list[list[tuple[int, int, int]]]:
    """Return the pieces (document, begin, end) of each window of max_tokens - 2 rows, in the order of the documents."""
    rows: list[Row] = []
    for document in order:
        rows += [(document, CLS), *((document, token) for token in range(lengths[document])), (document, SEP)]
    window = max_tokens - 2
    sequences = [_pieces(rows[start : start + window]) for start in range(0, len(rows), window)]
    return sequences if sequences[-1] else sequences[:-1]


def _pieces(rows: list[Row]) -> list[tuple[int, int, int]]:
    words = [(document, token) for document, token in rows if isinstance(token, int)]
    borders = [0, *(i for i, (one, other) in enumerate(pairwise(words), 1) if one[0] != other[0]), len(words)]
    return [(words[a][0], words[a][1], words[b - 1][1] + 1) for a, b in pairwise(borders) if a < b]
