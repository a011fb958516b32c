"""English, vocabularies and word-level negatives."""

from pathlib import Path

import numpy as np
import pytest

from unimo_paddle.errors import UserError
from unimo_paddle.prepare.rewriting.english import article, normalise, number_of, plural, replace_span
from unimo_paddle.prepare.rewriting.vocabulary import Vocabulary, read_vocabulary
from unimo_paddle.prepare.rewriting.word_level import WordRewriter, count_mentions, image_facts

OBJECTS = ["dog,puppy", "guide dog", "cat", "sheep", "orange", "fire hydrant", "eagle", "knife", "water", "snow",
           "jeans", "people", "person", "box"]
ATTRIBUTES = ["orange", "small,little", "old", "red"]
RELATIONS = ["of", "to the", "left of", "above,over", "near"]


@pytest.fixture
def vocabulary(tmp_path: Path) -> Vocabulary:
    for name, lines in (("objects", OBJECTS), ("attributes", ATTRIBUTES), ("relations", RELATIONS)):
        (tmp_path / f"{name}_vocab.txt").write_text("\n".join(lines) + "\n\n")
    return read_vocabulary(tmp_path)


def mentions(vocabulary: Vocabulary, caption: str) -> list[tuple[str, str, str]]:
    return [(caption[node.start:node.end], vocabulary.entries[node.entry].kind, node.number)
            for node in vocabulary.find(caption)]


@pytest.mark.parametrize(("one", "many"), [
    ("dog", "dogs"), ("box", "boxes"), ("bus", "buses"), ("church", "churches"), ("berry", "berries"), ("toy", "toys"),
    ("knife", "knives"), ("sheep", "sheep"), ("snowman", "snowmen"), ("goldfish", "goldfish"), ("human", "humans"),
    ("fire hydrant", "fire hydrants"), ("person", "people"), ("tomato", "tomatoes"), ("cell phone", "cell phones"),
    ("bunch of grapes", "bunches of grapes"), ("Christmas tree", "Christmas trees"),
])
def test_plurals(one: str, many: str) -> None:
    assert plural(one) == many
    assert number_of(one) == "singular"


def test_numbers_of_entries() -> None:
    names = ("jeans", "people", "scissors", "water", "tennis", "bus", "glass", "cactus", "orange juice glasses",
             "pair of pliers", "heads of broccoli")
    assert [number_of(name) for name in names] == [
        "plural", "plural", "plural", "mass", "singular", "singular", "singular", "singular", "plural",
        "singular", "plural"]


@pytest.mark.parametrize(("phrase", "wanted"), [
    ("dog", "a"), ("apple", "an"), ("hour glass", "an"), ("house", "a"), ("unicorn", "a"), ("umbrella", "an"),
    ("used car", "a"), ("uninteresting dog", "an"), ("European flag", "a"), ("one-eyed cat", "a"), ("onion", "an"),
    ("Ugly owl", "an"), ("utensil", "a"), ("ewe", "a"), ("honest man", "an"),
])
def test_articles(phrase: str, wanted: str) -> None:
    assert article(phrase) == wanted


@pytest.mark.parametrize(("text", "old", "new", "wanted"), [
    ("An apple on a table.", "apple", "dog", "A dog on a table."),
    ("see a  dog", "dog", "owl", "see an  owl"),
    ("Dogs run", "Dogs", "sheep", "Sheep run"),
    ("the dog", "dog", "owl", "the owl"),
    ("a TV", "TV", "owl", "an owl"),
    ("a Christmas tree", "Christmas tree", "magpie", "a magpie"),
    ("It is so. Trees", "Trees", "dogs", "It is so. Dogs"),
    ("a dog", "dog", "Christmas tree", "a Christmas tree"),
    ("banana dog", "dog", "owl", "banana owl"),
    ("dog", "dog", "owl", "owl"),
])
def test_replacing_mends_article_and_capital(text: str, old: str, new: str, wanted: str) -> None:
    start = text.index(old)
    assert replace_span(text, start, start + len(old), new) == wanted


def test_normalising_forgets_case_space_and_punctuation() -> None:
    assert normalise("  A Dog's  t-shirt, (red)_!") == normalise("a dog's t-shirt red") == "a dog's t-shirt red"


def test_mentions_longest_first_with_plural_synonym_and_double_meaning(vocabulary: Vocabulary) -> None:
    assert mentions(vocabulary, "Two little guide dogs to the left of an orange cat, over snow") == [
        ("little", "attribute", "singular"), ("guide dogs", "object", "plural"),
        ("to the left of", "relation", "singular"), ("orange", "attribute", "singular"), ("cat", "object", "singular"),
        ("over", "relation", "singular"), ("snow", "object", "mass")]
    assert mentions(vocabulary, "An orange near knives") == [
        ("orange", "object", "singular"), ("near", "relation", "singular"), ("knives", "object", "plural")]
    assert mentions(vocabulary, "fire of the hydrant") == mentions(vocabulary, "") == []
    assert mentions(vocabulary, "puppies left of people")[0] == ("puppies", "object", "plural")


def test_names_keep_their_capitals_and_share_nouns(tmp_path: Path) -> None:
    (tmp_path / "objects_vocab.txt").write_text("Christmas tree\npair of pliers\npliers\nbox")
    (tmp_path / "attributes_vocab.txt").write_text("red")
    (tmp_path / "relations_vocab.txt").write_text("on")
    vocabulary = read_vocabulary(tmp_path)
    assert mentions(vocabulary, "two christmas trees, pairs of pliers") == [
        ("christmas trees", "object", "plural"), ("pairs of pliers", "object", "plural")]
    facts = image_facts(vocabulary, ["a pair of pliers"])
    words = WordRewriter(vocabulary, count_mentions(vocabulary, ["pliers on a Christmas tree", "a box"]))
    found = words.rewrite("p", "a pair of pliers", facts, 9, 0)
    assert {negative.text for negative in found} == {"a Christmas tree", "a box"}


def test_vocabulary_faults_are_named_together(tmp_path: Path) -> None:
    (tmp_path / "objects_vocab.txt").write_text("dog\n")
    with pytest.raises(UserError, match=r"lacks attributes_vocab\.txt, relations_vocab\.txt"):
        read_vocabulary(tmp_path)
    (tmp_path / "attributes_vocab.txt").write_text(" , \n")
    (tmp_path / "relations_vocab.txt").write_bytes(b"\xff")
    with pytest.raises(UserError, match=r"attributes_vocab\.txt has no entries"):
        read_vocabulary(tmp_path)
    (tmp_path / "attributes_vocab.txt").write_text("red")
    with pytest.raises(UserError, match="byte 0 is not UTF-8"):
        read_vocabulary(tmp_path)


CORPUS = ["A dog left of a cat", "An old eagle above a red box", "Two dogs in the water", "sheep over snow",
          "a small cat", "an orange", "people near a person"]


def rewriter(vocabulary: Vocabulary) -> WordRewriter:
    return WordRewriter(vocabulary, count_mentions(vocabulary, CORPUS))


def test_negatives_are_hand_checkable(vocabulary: Vocabulary) -> None:
    caption = "A dog left of an old box."
    facts = image_facts(vocabulary, [caption, "A puppy and a cat"], objects={"eagle,bird", "snow"})
    found = rewriter(vocabulary).rewrite("p", caption, facts, 100, seed=0)
    assert {(negative.text, negative.change) for negative in found} == {
        (text, change) for text, change in {
            "A sheep left of an old box.": "object: dog -> sheep",
            "An orange left of an old box.": "object: dog -> orange",
            "A person left of an old box.": "object: dog -> person",
            "A dog left of an old sheep.": "object: box -> sheep",
            "A dog left of an old orange.": "object: box -> orange",
            "A dog left of an old person.": "object: box -> person",
            "A dog above an old box.": "relation: left of -> above",
            "A dog left of a red box.": "attribute: old -> red",
            "A dog left of a small box.": "attribute: old -> small",
        }.items()}
    assert all(negative.level == "word" for negative in found)


def test_plural_and_mass_stay_so_and_vague_relations_are_left(vocabulary: Vocabulary) -> None:
    def texts(caption: str) -> set[str]:
        facts = image_facts(vocabulary, [caption])
        return {n.text for n in rewriter(vocabulary).rewrite("p", caption, facts, 100, seed=0)}

    assert texts("dogs") == {"cats", "sheep", "oranges", "eagles", "boxes", "people"}
    assert texts("on water") == {"on snow"}
    assert texts("near") == texts("") == set()
    assert texts("a person") == {"a dog", "a cat", "a sheep", "an orange", "an eagle", "a box"}   # not people


def test_same_seed_and_pair_same_negatives(vocabulary: Vocabulary) -> None:
    caption = "A dog left of an old box"
    facts = image_facts(vocabulary, [caption])
    draws = [rewriter(vocabulary).rewrite(pair, caption, facts, 4, seed) for pair, seed in
             (("p", 1), ("p", 1), ("q", 1), ("p", 2))]
    assert draws[0] == draws[1] and len(draws[0]) == 4
    assert draws[0] != draws[2] and draws[0] != draws[3]


def test_draws_follow_the_frequency(vocabulary: Vocabulary) -> None:
    counts = count_mentions(vocabulary, ["cat"] * 30 + ["eagle"] * 10 + ["dog"])
    assert counts.sum() == 41
    facts = image_facts(vocabulary, ["a dog"])
    words = WordRewriter(vocabulary, counts)
    drawn = [words.rewrite(f"p{i}", "a dog", facts, 1, 0) for i in range(2000)]
    share = np.mean([found[0].text == "a cat" for found in drawn if found])
    assert abs(share - 0.75) < 0.03   # three standard errors
