import re

import pytest

from unimo_paddle.prepare.rewriting.plain_words import plain_words


def tokens(text):
    """Words and single signs, as spaCy cuts them."""
    return ((match.group(), match.start()) for match in re.finditer(r"\w+|[^\w\s]", text))


def read(caption):
    return " ".join(word.read for word in plain_words(caption, tokens))


@pytest.mark.parametrize(("caption", "model_reads"), [
    ("a key left of a duck", "A key near a duck ."),
    ("A key is to the  left of a duck.", "A key is near a duck ."),
    ("a key on the right-hand side of it", "A key near it ."),
    ("on top of the mat", "On the mat ."),
    ("a cat at the edge of a roof", "A cat on a roof ."),
    ("a duck with a key to its left", "A duck with a key near it ."),
    ("ducks with a key on their right", "Ducks with a key near them ."),
    ("a big-eared rabbit", "A big-eared rabbit ."),
    ("A DOG NEXT TO A CAT", "A dog near a cat ."),
    ("a trash can", "A trash bin ."), ("you can see", "You can see ."),
    ("the man left a key", "The man left a key ."),
    ("a unleft offal", "A unleft offal ."),
])
def test_what_the_model_reads(caption, model_reads):
    assert read(caption) == model_reads


@pytest.mark.parametrize(("caption", "name", "said"), [
    ("a key to the left of a duck", "left of", "to the left of"), ("a key RIGHT OF a duck", "right of", "RIGHT OF"),
    ("a cat in  front of a hut", "in front of", "in  front of"), ("it is off to the side of it", "off to side of",
                                                                 "off to the side of"),
    ("a duck with a key to its left", "left of", "to its left"), ("at the corner of a road", "corner", None),
])
def test_a_relation_keeps_its_name_and_its_place(caption, name, said):
    found = [(word.relation, caption[word.start:word.end]) for word in plain_words(caption, tokens) if word.relation]
    assert found == ([(name, said)] if said else [("at corner of", "at the corner of")])


def test_the_full_stop_that_is_read_in_addition_has_no_place():
    assert [(word.start, word.end) for word in plain_words("a dog", tokens)] == [(0, 1), (2, 5), (5, 5)]
    assert read("Is it a dog?") == "Is it a dog ?"


@pytest.mark.parametrize("caption", ["", " ", "\n\t", "...", "12 + 3", "!?", "🙂"])
def test_a_caption_without_a_letter_has_no_words(caption):
    assert plain_words(caption, tokens) == []
