"""Which names may be said of the same thing."""

from itertools import product
from pathlib import Path

import pytest

from tests.prepare.rewriting.mini_wordnet import write_wordnet
from unimo_paddle.prepare.rewriting.corpus_vocabulary import CorpusVocabulary, Noun
from unimo_paddle.prepare.rewriting.likeness import Likeness
from unimo_paddle.prepare.rewriting.noun_choice import NounChoice, says_nothing
from unimo_paddle.prepare.rewriting.wordnet import FOLDER, WordNet


@pytest.fixture
def likeness(tmp_path: Path) -> Likeness:
    return Likeness(WordNet(write_wordnet(tmp_path / "net")))


@pytest.mark.parametrize(("shown", "new", "false"), [
    ("dog", "cat", True), ("dog", "dog", False), ("dogs", "dog", False),
    ("dog", "puppy", False), ("puppy", "dog", False), ("puppy", "animal", False), ("animal", "puppy", False),
    ("guide dog", "dog", False), ("dog", "dog house", False), ("fire truck", "fire engine", False),
    ("tennis ball", "tennis racket", True), ("dog", "person", True),   # a dog is no cad here
    ("car", "wheel", False), ("fire engine", "wheel", False), ("wheel", "car", False), ("cat", "wheel", True),
    ("dog", "head", False), ("man", "hat", False), ("hat", "man", True), ("dog", "hat", True),
    ("man", "woman", True), ("man", "rider", False), ("rider", "woman", False), ("boy", "man", False),
    ("people", "man", False), ("man", "person", False), ("girl", "boy", True),
    ("daffodil", "flower", False), ("flower", "daffodil", False), ("apple", "fruit", False),
    ("kitten", "cat", False), ("UK post box", "mailbox", False), ("bowl of soup", "bowl", False),
    ("string of garlic", "garlic bulb", False), ("", "cat", True), ("florp", "cat", True), ("florp", "florp", False),
])
def test_what_may_not_be_brought_in(likeness: Likeness, shown: str, new: str, false: bool) -> None:
    assert likeness.may_bring(shown, new) is false


def test_ideas_change_into_ideas_of_their_kind_only(likeness: Likeness) -> None:
    assert likeness.domain("tennis") == likeness.domain("golf") != likeness.domain("dog") == ""
    assert likeness.domain("florp") == likeness.domain("fire engines") == ""


@pytest.mark.parametrize("net", [None, FOLDER], ids=["small", "real"])
def test_the_index_rules_out_what_comparing_each_pair_does(net: Path | None, likeness: Likeness) -> None:
    if net and not (net / "data.noun").is_file():
        pytest.skip("WordNet is not installed")
    likeness = Likeness(WordNet(net)) if net else likeness
    names = ["dog", "puppy", "cat", "animal", "eagle", "bird", "man", "woman", "rider", "head", "hat", "car", "wheel",
             "fire engine", "daffodil", "flower", "apple", "plate", "mailbox", "uk post box", "kitchen", "house",
             "bowl of soup", "soup", "string of garlic", "garlic bulb", "sky", "table", "horse", "orange", "child"]
    nouns = tuple(Noun(name, name, 1.0) for name in names)
    vocabulary = CorpusVocabulary({"singular": nouns, "plural": (), "bare": ()},
                                  {"singular": (), "plural": (), "bare": ()}, (), {})
    choice = NounChoice(vocabulary, likeness)
    for shown in names:
        mask = choice.ruled_out(frozenset({shown}))
        for name, ruled_out in zip(names, mask, strict=True):
            assert ruled_out == (says_nothing(name) or not likeness.may_bring(shown, name)), (shown, name)
    for one, other in product(names[:6], names):
        both = choice.ruled_out(frozenset({one, other}))
        assert (both == choice.ruled_out(frozenset({one})) | choice.ruled_out(frozenset({other}))).all()
    assert choice.brings_in("cat", frozenset({"dog", "car"})) and not choice.brings_in("cat", frozenset({"cat"}))
    assert choice.brings_in("florp", frozenset({"dog"})) and not choice.brings_in("wall", frozenset({"dog"}))


def test_a_pair_is_what_there_is_a_pair_of(likeness: Likeness) -> None:
    assert likeness.domain("pair of dogs") == "" and not likeness.may_bring("pair of dogs", "dog")
    assert not likeness.may_bring("dog", "pair of puppies") and likeness.may_bring("dog", "pair of cats")
    assert not says_nothing("pair of pliers") and says_nothing("group of people") and says_nothing("brick wall")
