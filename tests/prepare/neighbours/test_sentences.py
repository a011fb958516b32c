"""Cutting documents into sentences, case by case."""

import pytest

from unimo_paddle.corpus import Text
from unimo_paddle.prepare.neighbours.sentences import is_same, sentences, split


@pytest.mark.parametrize(("text", "wanted"), [
    ("A dog runs. It barks! Why? Nobody knows…  Ever.", ["A dog runs.", "It barks!", "Why?", "Nobody knows…", "Ever."]),
    ("Mr. Smith met Dr. Jones on St. Mary Street.", ["Mr. Smith met Dr. Jones on St. Mary Street."]),
    ("It costs 3.5 euros. 20 people paid.", ["It costs 3.5 euros.", "20 people paid."]),
    ("See Fig. 3 and No. 5. No. They left.", ["See Fig. 3 and No. 5.", "No.", "They left."]),
    ("The U.S. Army and J. S. Bach, e.g. Monday.", ["The U.S. Army and J. S. Bach, e.g. Monday."]),
    ("“Stop!” he said. “Why?” “Because.” She left.", ["“Stop!” he said.", "“Why?”", "“Because.”", "She left."]),
    ('He asked: "Who?" "Me." (It was true.) Then, etc. and so on.',
     ['He asked: "Who?"', '"Me."', "(It was true.)", "Then, etc. and so on."]),
    ("A title without a stop\n\nA first line\nthat goes on. Next", ["A title without a stop",
                                                                    "A first line that goes on.", "Next"]),
    ("Élan vital. Über alles. 東京。", ["Élan vital.", "Über alles.", "東京。"]),
    ("  \n\n ", []), ("", []), ("...", ["..."]), ("Wait... What?", ["Wait...", "What?"]),
    ("version 1.2.3 is out", ["version 1.2.3 is out"]),
])  # fmt: skip
def test_split(text, wanted):
    assert split(text) == wanted


def test_sentences_are_numbered_filtered_and_unique():
    documents = [
        Text("d1", "Too short. The dog sees the big cat. THE DOG sees the big cat! The dog sees another big cat."),
        Text("d2", "The dog, sees the big cat. " + "Word " * 41 + ". A bus stands in the street."),
        Text("d3", ""),
    ]
    assert list(sentences(documents)) == [
        Text("d1#1", "The dog sees the big cat."), Text("d1#3", "The dog sees another big cat."),
        Text("d2#2", "A bus stands in the street."),
    ]  # fmt: skip
    assert [text.id for text in sentences(documents, 1, 2)] == ["d1#0"]


def test_near_copies():
    assert is_same("a b c d", "a b c d e") and is_same("", "") and is_same("a b", "b a")
    assert not is_same("a b c", "a b c d")  # 0.75
