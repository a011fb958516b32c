"""What is counted, how it is kept, and which nouns may stand in which place."""

import random
from pathlib import Path

import pytest

from tests.prepare.rewriting.hand_graphs import graph, span
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.rewriting.corpus_vocabulary import (
    CorpusVocabulary,
    VocabularyCounts,
    count_graphs,
    is_part_of_a_name,
    pool_of,
    verb_of,
)
from unimo_paddle.prepare.rewriting.scene_graph import Relation, SceneGraph, Thing

CORPUS = [
    ("A small dog on a Christmas tree.", [("dog", "dog", "singular", "small"), ("Christmas tree", "christmas tree",
                                                                             "singular")], [(0, "on", "on", 1)]),
    ("Christmas trees in the snow", [("Christmas trees", "christmas tree", "plural"), ("snow", "snow", "mass")],
     [(0, "in", "in", 1)]),
    ("Dogs", [("Dogs", "dog", "plural")], []),
    ("Chinese dog riding a horse", [("dog", "dog", "singular", "Chinese"), ("horse", "horse", "singular")],
     [(0, "riding", "ride", 1)]),
    ("A dog is sitting on a small dog", [("dog", "dog", "singular"), ("small dog", "dog", "singular")],
     [(0, "is sitting on", "sit on", 1)]),
    ("A piece of cake", [("piece", "piece", "singular")], []),
]


def counted(captions: list[tuple] = CORPUS) -> VocabularyCounts:
    return count_graphs([caption for caption, *_ in captions], [graph(*each) for each in captions])


def test_counts_are_hand_checkable() -> None:
    counts = counted()
    assert counts.nouns == {
        ("singular", "dog", "dog"): 2, ("singular", "christmas tree", "Christmas tree"): 1,
        ("plural", "christmas tree", "^christmas trees"): 1, ("bare", "snow", "snow"): 1, ("plural", "dog", "^dogs"): 1,
        ("bare", "dog", "dog"): 1, ("singular", "horse", "horse"): 1, ("singular", "dog", "small dog"): 1}
    assert counts.attributes == {("small", "small"): 1, ("chinese", "^chinese"): 1}
    assert counts.phrases == {("singular", "dog", "dog", "small dog"): 1, ("bare", "dog", "dog", "^chinese dog"): 1}
    assert counts.verbs == {("ing", "", "riding", "ride"): 1, ("ing", "on", "sitting", "sit"): 1}


def test_parts_add_up_in_any_order(tmp_path: Path) -> None:
    whole, parts = counted(), [counted([each]) for each in CORPUS]
    random.Random(0).shuffle(parts)
    added = sum(parts, VocabularyCounts())
    assert added == whole
    whole.save(tmp_path / "a.json")
    added.save(tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert VocabularyCounts.load(tmp_path / "a.json") == whole
    assert CorpusVocabulary.of(VocabularyCounts.load(tmp_path / "b.json")) == CorpusVocabulary.of(whole)


def test_the_vocabulary_is_written_as_sentences_write_it() -> None:
    vocabulary = CorpusVocabulary.of(counted())
    assert [(noun.written, noun.name) for noun in vocabulary.nouns["singular"]] == [
        ("dog", "dog"), ("Christmas tree", "christmas tree"), ("horse", "horse")]
    assert {noun.written for noun in vocabulary.nouns["plural"]} == {"christmas trees", "dogs", "horses"}
    assert [noun.written for noun in vocabulary.nouns["bare"]] == ["snow"]   # the headline's dog is countable
    dog, horse = vocabulary.nouns["singular"][0], vocabulary.nouns["singular"][2]
    assert dog.weight == pytest.approx(3**0.75) and horse.weight == 1.0
    horses = next(noun for noun in vocabulary.nouns["plural"] if noun.name == "horse")
    assert horses.weight == pytest.approx(0.1**0.75)
    assert [noun.phrase for noun in vocabulary.phrases["singular"]] == ["small dog"]
    assert [word.name for word in vocabulary.verbs["ing", "on"]] == ["sit"]
    assert not CorpusVocabulary.of(counted(), min_count=3).nouns["bare"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema":2}', '{"schema":1,"nouns":[[1,2]],"attributes":[],'
                                     '"verbs":[],"phrases":[]}', '{"schema":1,"nouns":[["a","b"]]}'])
def test_damaged_counts_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "counts.json").write_text(content)
    with pytest.raises(UserError, match=r"counts\.json is no vocabulary of a corpus"):
        VocabularyCounts.load(tmp_path / "counts.json")


def thing(caption: str, noun: str, number: str = "singular", phrase: str = "") -> Thing:
    return Thing(span(caption, noun), noun.lower(), number, span(caption, phrase or noun))  # type: ignore[arg-type]


@pytest.mark.parametrize(("caption", "noun", "number", "pool"), [
    ("a dog", "dog", "singular", "singular"), ("A big dog", "dog", "singular", "singular"),
    ("the dog", "dog", "singular", "singular"), ("dog", "dog", "singular", "bare"),
    ("the water", "water", "mass", "bare"), ("the water", "water", "singular", "bare"),
    ("two dogs", "dogs", "plural", "plural"), ("wooden cabinets", "cabinets", "singular", "plural"),
    ("playing tennis", "tennis", "singular", "bare"), ("a man's hat", "hat", "singular", "singular"),
    ("with a stove, microwave and oven", "oven", "singular", "singular"),
    ("with a stove, microwave and oven", "microwave", "singular", "singular"),
    ("a dish with rice and corn", "corn", "singular", "bare"), ("another dog", "dog", "singular", "singular"),
    ("rice and tomato", "tomato", "singular", "bare"),
])
def test_pools(caption: str, noun: str, number: str, pool: str) -> None:
    assert pool_of(caption, thing(caption, noun, number)) == pool


def test_what_stands_before_the_adjectives_decides() -> None:
    assert pool_of("A very big dog", thing("A very big dog", "dog", phrase="big dog")) == "singular"
    assert pool_of("the big red dog", thing("the big red dog", "dog", phrase="big red dog")) == "singular"


def test_a_headline_s_noun_is_countable() -> None:
    vocabulary = CorpusVocabulary.of(counted())
    for caption, pool in (("dog on grass", "singular"), ("a cat with dog", "bare")):
        assert vocabulary.pool_of(caption, thing(caption, "dog")) == pool


@pytest.mark.parametrize(("caption", "noun", "wanted"), [
    ("a piece of cake", "piece", True), ("a plumber's wrench", "plumber", True), ("the dogs' bowl", "dogs", True),
    ("a piece often seen", "piece", False), ("a dog", "dog", False), ("a dog, of course", "dog", False),
])
def test_names_that_go_on(caption: str, noun: str, wanted: bool) -> None:
    assert is_part_of_a_name(caption, thing(caption, noun)) is wanted


@pytest.mark.parametrize(("words", "name", "wanted"), [
    ("is sitting on", "sit on", ("sitting", "ing", "sit", "on")), ("rides", "ride", ("rides", "s", "ride", "")),
    ("is being washed by", "wash by", ("washed", "ed", "wash", "by")), ("stand near", "stand near",
                                                                      ("stand", "base", "stand", "near")),
    ("held by", "hold by", ("held", "ed", "hold", "by")), ("to the left of", "left of", None), ("over", "over", None),
    ("Sitting  in front of", "sit in front of", ("Sitting", "ing", "sit", "in front of")),
    ("sitting quietly on", "sit on", None),
])
def test_verbs_of_relations(words: str, name: str, wanted: tuple[str, ...] | None) -> None:
    caption = f"x {words} y"
    found = verb_of(caption, Relation((span(caption, words),), name, 0, 1))
    assert (found and (found.word, found.form, found.lemma, found.rest)) == wanted
    assert not found or caption[found.start:found.end] == found.word


def test_empty_graphs_count_nothing() -> None:
    assert count_graphs(["", "!"], [SceneGraph(), SceneGraph()]) == VocabularyCounts()
    assert CorpusVocabulary.of(VocabularyCounts()).nouns == {"singular": (), "plural": (), "bare": ()}
