"""Phrase- and word-level negatives, by hand on a small word net, and on real captions with the real one."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.prepare.rewriting.hand_graphs import graph
from tests.prepare.rewriting.mini_wordnet import write_wordnet
from unimo_paddle.corpus import Negative
from unimo_paddle.prepare.rewriting.corpus_vocabulary import CorpusVocabulary, count_graphs
from unimo_paddle.prepare.rewriting.english import normalise
from unimo_paddle.prepare.rewriting.exchange import LEVELS, Exchanger
from unimo_paddle.prepare.rewriting.facts import Seen, image_facts
from unimo_paddle.prepare.rewriting.scene_graph import SceneGraph
from unimo_paddle.prepare.rewriting.wordnet import WordNet

Said = tuple[str, SceneGraph]


def said(caption: str, *rest: object, **more: object) -> Said:
    return caption, graph(caption, *rest, **more)  # type: ignore[arg-type]


SINGULAR = "singular"
CORPUS = [
    said("A red dog left of a cat", [("dog", "dog", SINGULAR, "red"), ("cat", "cat", SINGULAR)],
         [(0, "left of", "left of", 1)]),
    said("An old eagle above a blue box", [("eagle", "eagle", SINGULAR, "old"), ("box", "box", SINGULAR, "blue")],
         [(0, "above", "above", 1)]),
    said("Two dogs", [("dogs", "dog", "plural")]),
    said("a man is riding a sheep", [("man", "man", SINGULAR), ("sheep", "sheep", SINGULAR)],
         [(0, "is riding", "ride", 1)]),
    said("a man eating an apple", [("man", "man", SINGULAR), ("apple", "apple", SINGULAR)],
         [(0, "eating", "eat", 1)]),
    said("a woman playing tennis", [("woman", "woman", SINGULAR), ("tennis", "tennis", "mass")]),
    said("a woman playing golf", [("woman", "woman", SINGULAR), ("golf", "golf", "mass")]),
    said("a Chinese apple on a white plate", [("apple", "apple", SINGULAR, "Chinese"),
                                             ("plate", "plate", SINGULAR, "white")], [(0, "on", "on", 1)]),
    said("an American dog", [("dog", "dog", SINGULAR, "American")]),
]
NOUNS = {"dog", "cat", "eagle", "box", "man", "sheep", "apple", "woman", "plate"}


@pytest.fixture(scope="module")
def exchanger(tmp_path_factory: pytest.TempPathFactory) -> Exchanger:
    captions, graphs = zip(*CORPUS, strict=True)
    net = WordNet(write_wordnet(tmp_path_factory.mktemp("net") / "net"))
    return Exchanger(CorpusVocabulary.of(count_graphs(captions, graphs)), net)


def negatives(exchanger: Exchanger, caption: Said, level: str, *others: Said, seen: Seen | None = None,
              positives: Sequence[str] = (), count: int = 500, seed: int = 0, pair: str = "p") -> list[Negative]:
    captions, graphs = zip(caption, *others, strict=True)
    facts = image_facts(captions, graphs, seen, positives)
    return exchanger.negatives(pair, *caption, facts, level, count, seed)


def texts(found: list[Negative], change: str = "") -> set[str]:
    return {negative.text for negative in found if negative.change.startswith(change)}


def test_word_level_is_hand_checkable(exchanger: Exchanger) -> None:
    found = negatives(exchanger, CORPUS[0], "word", said("A puppy", [("puppy", "puppy", SINGULAR)]),
                      seen=Seen(frozenset({"eagle", "bird"})))
    left = NOUNS - {"dog", "cat", "eagle"}   # the puppy and the cat are there, and so is the eagle
    articles = {noun: "An" if noun == "apple" else "A" for noun in NOUNS}
    assert {(negative.text, negative.change) for negative in found} == {
        *((f"A red {noun} left of a cat", f"object: dog -> {noun}") for noun in left),
        *((f"A red dog left of {articles[noun].lower()} {noun}", f"object: cat -> {noun}") for noun in left),
        ("A blue dog left of a cat", "attribute: red -> blue"),
        ("A white dog left of a cat", "attribute: red -> white"),
        ("A red dog right of a cat", "relation: left of -> right of")}
    assert all(negative.level == "word" for negative in found)


def test_phrase_level_is_hand_checkable(exchanger: Exchanger) -> None:
    found = negatives(exchanger, CORPUS[0], "phrase")
    assert texts(found, "swap") == {"A cat left of a red dog"}
    ways = ("to the right of", "on the right of", "right of")
    assert texts(found, "relation") == {f"A red dog {way} a cat" for way in ways}
    phrases = texts(found, "phrase")
    assert {"An old eagle left of a cat", "A blue box left of a cat", "A Chinese apple left of a cat",
            "A red dog left of a white plate", "A red dog left of an old eagle"} <= phrases
    assert phrases & {f"A {noun} left of a cat" for noun in NOUNS}   # now and then the adjective goes
    assert not [text for text in phrases if "American dog" in text]   # another dog is a dog
    both = {negative.change for negative in found if ", " in negative.change}
    assert {change.partition(": ")[0] for change in both} == {"object"}   # which makes it false by itself
    assert any(re.fullmatch(r"object: dog -> \w+, object: cat -> \w+", change) for change in both)
    assert any(re.fullmatch(r"object: cat -> \w+, attribute: red -> \w+", change) for change in both)


def test_later_mentions_change_with_the_first(exchanger: Exchanger) -> None:
    caption = said("A dog above a cat, and a box left of the dog", [("dog", "dog", SINGULAR), ("cat", "cat", SINGULAR),
                                                                    ("box", "box", SINGULAR)],
                   [(0, "above", "above", 1), (2, "left of", "left of", 0)], again=(0,))
    assert "An apple above a cat, and a box left of the apple" in texts(negatives(exchanger, caption, "word"))
    found = negatives(exchanger, caption, "phrase")
    assert "A white plate above a cat, and a box left of the plate" in texts(found)
    assert texts(found, "swap") == {"A cat above a dog, and a box left of the cat",
                                    "A box above a cat, and a dog left of the box"}


def test_attributes_said_of_another_such_thing_stay_out(exchanger: Exchanger) -> None:
    caption = said("A red dog", [("dog", "dog", SINGULAR, "red")])
    blue = said("a blue puppy", [("puppy", "puppy", SINGULAR, "blue")])
    apple = said("a blue apple", [("apple", "apple", SINGULAR, "blue")])
    assert texts(negatives(exchanger, caption, "word", blue), "attribute") == {"A white dog"}
    assert texts(negatives(exchanger, caption, "word", apple), "attribute") == {"A white dog", "A blue dog"}
    chinese = said("a Chinese apple", [("apple", "apple", SINGULAR, "Chinese")])
    assert texts(negatives(exchanger, chinese, "word"), "attribute") == {"an American apple"}


def test_attributes_change_places(exchanger: Exchanger) -> None:
    caption = said("A red box and a blue apple",
                   [("box", "box", SINGULAR, "red"), ("apple", "apple", SINGULAR, "blue")])
    assert texts(negatives(exchanger, caption, "phrase"), "swap") == {"A blue box and a red apple"}
    again = said("a blue box", [("box", "box", SINGULAR, "blue")])
    assert texts(negatives(exchanger, caption, "phrase", again), "swap") == set()


def test_number_and_kind_stay(exchanger: Exchanger) -> None:
    dogs = said("Two dogs are here", [("dogs", "dog", "plural")])
    assert texts(negatives(exchanger, dogs, "word")) == {
        f"Two {noun} are here" for noun in ("cats", "eagles", "boxes", "men", "women", "sheep", "apples", "plates")}
    assert texts(negatives(exchanger, CORPUS[5], "word"), "object: tennis") == {"a woman playing golf"}


def test_verbs_change_into_verbs_of_their_form(exchanger: Exchanger) -> None:
    assert texts(negatives(exchanger, CORPUS[3], "word"), "relation") == {"a man is eating a sheep"}
    eats = said("the man eats a sheep", [("man", "man", SINGULAR), ("sheep", "sheep", SINGULAR)],
                [(0, "eats", "eat", 1)])
    assert texts(negatives(exchanger, CORPUS[3], "word", eats), "relation") == set()
    assert texts(negatives(exchanger, CORPUS[3], "phrase"), "swap") == {"a sheep is riding a man"}


def test_boxes_allow_more_directions(exchanger: Exchanger) -> None:
    beside = Seen(frozenset({"dog", "cat"}), {"dog": (0, 0, 10, 10), "cat": (20, 0, 30, 10)})
    found = negatives(exchanger, CORPUS[0], "phrase", seen=beside)
    assert {negative.change for negative in found if negative.change.startswith("relation")} == {
        f"relation: left of -> {way}" for way in ("right of", "above", "below")}


def test_what_is_said_the_other_way_round_is_no_negative(exchanger: Exchanger) -> None:
    back = said("A dog right of a cat and a cat left of a dog", [("dog", "dog", SINGULAR), ("cat", "cat", SINGULAR)],
                [(0, "right of", "right of", 1), (1, "left of", "left of", 0)])   # there are several of each
    assert not texts(negatives(exchanger, CORPUS[0], "word", back), "relation")
    assert not texts(negatives(exchanger, CORPUS[0], "phrase", back), "swap")


@pytest.mark.parametrize("caption", [
    said("a man without a dog", [("man", "man", SINGULAR), ("dog", "dog", SINGULAR)]),
    said("a dog or a cat", [("dog", "dog", SINGULAR), ("cat", "cat", SINGULAR)]),
    said("This isn't a dog", [("dog", "dog", SINGULAR)]), said("no dog", [("dog", "dog", SINGULAR)]),
    said("a piece of cake", [("piece", "piece", SINGULAR)]), said("a man who waits", [("man", "man", SINGULAR)]),
    ("", SceneGraph()), ("Hurry!", SceneGraph()),
])
def test_what_would_not_turn_false_is_left(exchanger: Exchanger, caption: Said) -> None:
    assert [negatives(exchanger, caption, level) for level in LEVELS] == [[], []]


def test_none_equals_a_positive(exchanger: Exchanger) -> None:
    caption = said("A red dog.", [("dog", "dog", SINGULAR, "red")])
    assert "A red cat." in texts(negatives(exchanger, caption, "word"))
    found = negatives(exchanger, caption, "word", positives=["a RED  cat!"])
    assert "A red cat." not in texts(found) and "A red apple." in texts(found)


def test_same_seed_pair_and_level_same_negatives(exchanger: Exchanger) -> None:
    def draw(**how: object) -> list[Negative]:
        return negatives(exchanger, CORPUS[0], "word", count=6, **how)  # type: ignore[arg-type]

    assert draw() == draw() and len(draw()) == 6
    assert draw() != draw(pair="q") and draw() != draw(seed=1)
    assert negatives(exchanger, CORPUS[0], "word", count=0) == []
    with pytest.raises(ValueError, match="'sentence' is not one of phrase, word"):
        negatives(exchanger, CORPUS[0], "sentence")


def test_draws_follow_the_flattened_frequency(exchanger: Exchanger, tmp_path: Path) -> None:
    corpus = [said(f"a {noun}", [(noun, noun, SINGULAR)]) for noun in ["cat"] * 81 + ["box"] * 16 + ["dog"]]
    captions, graphs = zip(*corpus, strict=True)
    drawing = Exchanger(CorpusVocabulary.of(count_graphs(captions, graphs)), WordNet(write_wordnet(tmp_path / "net")))
    draws = Counter(negatives(drawing, corpus[-1], "word", count=1, pair=f"p{i}")[0].text for i in range(1000))
    assert draws.keys() == {"a cat", "a box"}
    assert abs(draws["a cat"] / 1000 - 27 / 35) < 0.04   # 81^0.75 : 16^0.75 = 27 : 8; three standard errors


def test_captions_of_others_are_told_apart_by_a_thing(exchanger: Exchanger) -> None:
    facts = image_facts(*([each] for each in CORPUS[0]))
    assert exchanger.tells_apart(CORPUS[1][1], facts)
    assert not exchanger.tells_apart(CORPUS[2][1], facts)
    assert not exchanger.tells_apart(SceneGraph(), facts)


def test_every_negative_of_the_corpus_keeps_the_rules(exchanger: Exchanger) -> None:
    for number, caption in enumerate(CORPUS):
        for level in LEVELS:
            found = negatives(exchanger, caption, level, pair=str(number), count=100)
            keys = [normalise(negative.text) for negative in found]
            assert len(set(keys)) == len(keys) and normalise(caption[0]) not in keys
            for negative in found:
                assert not re.search(r"\ba [aeiou]|\ban [^aeiou]", negative.text, re.IGNORECASE), negative
                assert negative.text[0].isupper() == caption[0][0].isupper() and negative.level == level
