"""What changed from one text to another, word by word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby
from typing import Literal

Kind = Literal["same", "removed", "added"]

_TOKEN = re.compile(r"\s+|\w+(?:['’-]\w+)*|[^\w\s]")


@dataclass(frozen=True)
class Piece:
    """A stretch of the old text (same, removed) or of the new one (same, added)."""

    kind: Kind
    text: str


def difference(old: str, new: str) -> tuple[Piece, ...]:
    """Return the pieces that lead from one text to the other; no two neighbours are of one kind.

    Same and removed pieces give the old text, same and added ones the new. Words count as equal in small or capital
    letters, and are then shown as the new text has them, so that "A cat" -> "a cat" is no change of a word; so the
    old text comes back but for its capitals.
    """
    before, after = _TOKEN.findall(old), _TOKEN.findall(new)
    matcher = SequenceMatcher(None, [t.lower() for t in before], [t.lower() for t in after], autojunk=False)
    pieces: list[Piece] = []
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            pieces.append(Piece("same", "".join(after[j1:j2])))
            continue
        pieces += [Piece("removed", "".join(before[i1:i2])), Piece("added", "".join(after[j1:j2]))]
    return _in_order(_bridged([piece for piece in pieces if piece.text]))


def new_words(old: str, new: str) -> tuple[Piece, ...]:
    """Return the new text alone, with the words marked as added that the old one lacks.

    For a caption of another image: the whole of ours, struck through between its words, would tell nothing.
    """
    return tuple(piece for piece in difference(old, new) if piece.kind != "removed")


def _bridged(pieces: list[Piece]) -> list[Piece]:
    """Make a blank between two changes part of both, so that a phrase is exchanged as one, not word by word."""
    bridged: list[Piece] = []
    for i, piece in enumerate(pieces):
        inside = 0 < i < len(pieces) - 1 and piece.kind == "same" and piece.text.isspace()
        bridged += [Piece("removed", piece.text), Piece("added", piece.text)] if inside else [piece]
    return bridged


def _in_order(pieces: list[Piece]) -> tuple[Piece, ...]:
    """Join neighbours, and put what was removed before what was added in each stretch of changes."""
    ordered: list[Piece] = []
    for same, stretch in groupby(pieces, key=lambda piece: piece.kind == "same"):
        texts = dict.fromkeys(("same",) if same else ("removed", "added"), "")
        for piece in stretch:
            texts[piece.kind] += piece.text
        ordered += [Piece(kind, text) for kind, text in texts.items() if text]  # type: ignore[arg-type]
    return tuple(ordered)
