"""Texts with their special tokens and positions, as the release lays them out for each kind of task (sections 3, 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from unimo_paddle.data.encode import FIRST_POSITION, TextRow
from unimo_paddle.data.tokenizer import Tokens

MOST_TURNS = 15  # of a dialogue that are read, the last ones
PASSAGE, ANSWERING = 2, 0  # roles; the current question's is 1
_NO_WORDS = Tokens(np.zeros(0, np.int64), np.zeros(0, np.bool_))


class Special(NamedTuple):
    """Ids of the special tokens."""

    cls: int
    sep: int
    mask: int


class Piece(NamedTuple):
    """Words with special tokens, whose positions run on from `position`. role, turn: of all of them, in a dialogue."""

    tokens: Tokens
    position: int = FIRST_POSITION
    role: int = ANSWERING
    turn: int = 0


def text(tokens: Tokens, special: Special, most: int) -> Piece:
    """[CLS] words [SEP]; too long a text loses its last words."""
    return Piece(_wrapped([special.cls], _cut(tokens, most - 2), [special.sep]))


def pair(first: Tokens, second: Tokens, special: Special, most: int) -> Piece:
    """[CLS] a [SEP] b [SEP]: of too long a pair the longer text loses its last word, b where both are as long, until
    it fits (section 5.1)."""
    a, b = len(first.ids), len(second.ids)
    over = max(a + b - (most - 3), 0)
    # First the longer one is cut down to the other, then both in turn, b first.
    one_sided = min(over, abs(a - b))
    a, b = (a - one_sided, b) if a > b else (a, b - one_sided)
    a, b = a - (over - one_sided) // 2, b - (over - one_sided + 1) // 2
    front = _wrapped([special.cls], _cut(first, a), [special.sep])
    back = _wrapped([], _cut(second, b), [special.sep])
    return Piece(Tokens(np.concatenate([front.ids, back.ids]), np.concatenate([front.word_start, back.word_start])))


def tags(tokens: Tokens, special: Special, most: int) -> Piece:
    """[CLS] words [SEP], plainly cut, unlike all others: the last [SEP] may be lost (section 5.5)."""
    return Piece(_cut(_wrapped([special.cls], tokens, [special.sep]), most))


def dialogue(passage: Tokens | None, turns: Sequence[Tokens], special: Special, most: int) -> list[Piece]:
    """[CLS], the passage and the turns, at most MOST_TURNS, each with a [SEP] and with positions from 3 again.

    Turns are counted back: the last one, the current question, is turn 1.  most: tokens of [CLS] and one of the
    others, not of all together (section 5.2).
    """
    count = len(turns)
    found = [Piece(_wrapped([special.cls], _NO_WORDS, []), FIRST_POSITION, count % 2, count)]
    others = [] if passage is None else [(passage, PASSAGE, 0)]
    others += [(turn, back % 2, back) for back, turn in zip(range(count, 0, -1), turns, strict=True)]
    for tokens, role, turn in others:
        found.append(Piece(_wrapped([], _cut(tokens, most - 2), [special.sep]), FIRST_POSITION + 1, role, turn))
    return found


def target(tokens: Tokens, special: Special, most: int, end: str) -> Piece:
    """[CLS] words end. end: sep, which every caption has (section 5.5), or mask, which a text that is cut has not
    (section 5.2)."""
    if end == "sep":
        return text(tokens, special, most)
    return Piece(_cut(_wrapped([special.cls], tokens, [special.mask]), most))


def joined(pieces: Sequence[Piece], is_dialogue: bool) -> TextRow:
    """Lay pieces end to end; there may be none."""
    lengths = [len(one.tokens.ids) for one in pieces]
    starts, inside = np.array([one.position for one in pieces], np.int64), [np.arange(length) for length in lengths]
    return TextRow(
        ids=np.concatenate([_NO_WORDS.ids, *(one.tokens.ids for one in pieces)]),
        positions=np.repeat(starts, lengths) + np.concatenate([_NO_WORDS.ids, *inside]),
        word_start=np.concatenate([_NO_WORDS.word_start, *(one.tokens.word_start for one in pieces)]),
        roles=np.repeat([one.role for one in pieces], lengths).astype(np.int64) if is_dialogue else None,
        turns=np.repeat([one.turn for one in pieces], lengths).astype(np.int64) if is_dialogue else None,
    )


def _wrapped(before: list[int], tokens: Tokens, after: list[int]) -> Tokens:
    """Put special tokens, which count as words, around a text."""
    ids = np.concatenate([np.array(before, np.int64), tokens.ids, np.array(after, np.int64)])
    marks = [np.ones(len(before), np.bool_), tokens.word_start, np.ones(len(after), np.bool_)]
    return Tokens(ids, np.concatenate(marks))


def _cut(tokens: Tokens, most: int) -> Tokens:
    return Tokens(tokens.ids[:most], tokens.word_start[:most])
