"""Attributes, relations and verbs that exclude each other."""

from pathlib import Path

import pytest

from tests.prepare.rewriting.mini_wordnet import write_wordnet
from unimo_paddle.prepare.rewriting.contrast import Contrast, can_swap, opposites, synonyms


@pytest.fixture
def contrast(tmp_path: Path) -> Contrast:
    from unimo_paddle.prepare.rewriting.wordnet import WordNet

    return Contrast(WordNet(write_wordnet(tmp_path / "net")))


@pytest.mark.parametrize(("old", "new", "excluded"), [
    ("red", "blue", True), ("red", "red", False), ("red", "maroon", False), ("red", "orange", False),
    ("red", "wooden", False), ("red", "small", False), ("gray", "silver", False), ("white", "silver", False),
    ("small", "large", True), ("tiny", "huge", True), ("small", "tiny", False), ("large", "tall", False),
    ("old", "young", True), ("old", "new", True), ("old", "small", False), ("wooden", "metal", True),
    ("open", "closed", True), ("black", "dark", False), ("sitting", "standing", True), ("busy", "idle", True),
    ("busy", "lazy", True), ("lazy", "idle", False), ("busy", "red", False), ("chinese", "american", True),
    ("chinese", "asian", False), ("asian", "chinese", False), ("chinese", "red", False), ("florp", "red", False),
])
def test_attributes(contrast: Contrast, old: str, new: str, excluded: bool) -> None:
    assert contrast.attributes(old, new) is excluded
    if excluded:
        assert contrast.rival_marks(old) & contrast.marks(new)   # else the index of a corpus would miss it


def test_other_words_for_an_attribute() -> None:
    assert synonyms({"red", "big"}, "large") and synonyms({"blue"}, "blue")
    assert not synonyms({"red", "big"}, "small") and not synonyms((), "red")


def test_comparatives_are_told(contrast: Contrast) -> None:
    assert contrast.compares("larger") and contrast.compares("largest") and not contrast.compares("silver")
    assert not contrast.compares("busy") and not contrast.compares("red")


@pytest.mark.parametrize(("old", "new", "alone", "excluded"), [
    ("ride", "eat", True, True), ("ride", "ride", True, False), ("ride", "hold", True, False),
    ("gallop", "ride", True, False), ("eat", "swallow", True, False), ("swallow", "throw", True, True),
    ("eat", "throw", True, False),   # of one line of the table
    ("sit", "stand", False, True), ("sit", "seat", False, False), ("sleep", "lie", False, False),
    ("ride", "throw", False, False),   # what is done "on" something says too little
    ("ride", "sit", True, False), ("look", "ride", True, False), ("florp", "ride", True, False),
])
def test_verbs(contrast: Contrast, old: str, new: str, alone: bool, excluded: bool) -> None:
    assert contrast.verbs(old, new, alone) is excluded


@pytest.mark.parametrize(("said", "name", "verb", "wanted"), [
    ("to the left of", "left of", "", ("to the right of",)), ("On its Right", "right of", "", ("On its Left",)),
    ("in front of", "in front of", "", ("behind",)), ("with", "with", "", ("without",)),
    ("above", "above", "", ("below", "under", "beneath")), ("Over", "over", "", ("Under", "Below", "Beneath")),
    ("is sitting on", "sit on", "sit", ("is sitting under", "is sitting beneath", "is sitting behind")),
    ("covered in", "cover in", "cover", ()), ("playing with", "play with", "play", ()), ("left", "leave", "leave", ()),
    ("holding", "hold", "hold", ()), ("of", "of", "", ()), ("washed by", "wash by", "wash", ()),
])
def test_opposites(said: str, name: str, verb: str, wanted: tuple[str, ...]) -> None:
    assert opposites(said, name, verb) == wanted


def test_only_one_way_relations_are_swapped() -> None:
    assert can_swap("left of", "") and can_swap("ride", "ride") and can_swap("sit on", "sit") and can_swap("on", "")
    assert not any(can_swap(*each) for each in (("near", ""), ("next to", ""), ("play with", "play"),
                                                ("look at", "look"), ("meet", "meet"), ("have", "have")))
