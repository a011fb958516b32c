"""Word differences: hand cases, and what must hold for any two texts."""

from itertools import pairwise

import numpy as np
import pytest

from unimo_paddle.prepare.inspection.difference import Piece, difference, new_words

CAPTION = "A small dog sits on a red sofa."


def signs(old: str, new: str) -> str:
    marks = {"same": "{}", "removed": "[-{}-]", "added": "{{+{}+}}"}
    return "".join(marks[piece.kind].format(piece.text) for piece in difference(old, new))


@pytest.mark.parametrize(("new", "shown"), [
    ("A small cat sits on a red sofa.", "A small [-dog-]{+cat+} sits on a red sofa."),
    ("A large brown cow sits on a red sofa.", "A [-small dog-]{+large brown cow+} sits on a red sofa."),
    ("A small dog sits to the left of a red sofa.", "A small dog sits [-on-]{+to the left of+} a red sofa."),
    ("An apple sits on a red sofa.", "[-A small dog-]{+An apple+} sits on a red sofa."),
    ("a small dog sits on a red sofa", "a small dog sits on a red sofa[-.-]"),
    (CAPTION, CAPTION),
    ("", f"[-{CAPTION}-]"),
])  # fmt: skip
def test_changed_words_stand_where_they_changed(new: str, shown: str) -> None:
    assert signs(CAPTION, new) == shown


def test_letters_within_a_word_are_not_compared() -> None:
    assert signs("two dogs", "two dog's") == "two [-dogs-]{+dog's+}"
    assert signs("犬 と 猫", "犬 と 鳥") == "犬 と [-猫-]{+鳥+}"


def test_another_caption_shows_its_own_words_only() -> None:
    pieces = new_words(CAPTION, "A dog under a tree.")
    assert "".join(piece.text for piece in pieces) == "A dog under a tree."
    assert [piece for piece in pieces if piece.kind != "same"] == [Piece("added", "under"), Piece("added", "tree")]


@pytest.mark.parametrize("seed", range(40))
def test_pieces_give_both_texts_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    words = ["a", "dog", "cat", " ", "  ", ",", "b-c", "it's", "."]
    old, new = ("".join(rng.choice(words, rng.integers(0, 15))) for _ in range(2))
    pieces = difference(old, new)
    assert "".join(piece.text for piece in pieces if piece.kind != "added") == old
    assert "".join(piece.text for piece in pieces if piece.kind != "removed") == new
    kinds = [piece.kind for piece in pieces]
    assert all(one != other for one, other in pairwise(kinds))
    assert ("added", "removed") not in list(pairwise(kinds))
