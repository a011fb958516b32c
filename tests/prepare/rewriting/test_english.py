"""Plurals, articles, and words put into a sentence."""

import pytest

from unimo_paddle.prepare.rewriting.english import (
    Place,
    article,
    normalise,
    number_of,
    plural,
    replace_places,
    replace_span,
    words,
)


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
    ("Ugly owl", "an"), ("F-22 Raptor", "an"), ("UK post box", "a"), ("SUV", "an"),
    ("US flag", "a"), ("8 ball", "an"), ("fox", "a"), ("VW Beetle", "a"), ("xylophone", "a"), ("utensil", "a"),
    ("ewe", "a"), ("honest man", "an"),
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


def test_several_places_at_once() -> None:
    text = "An apple is left of a dog."
    first, second = (Place.of(text, text.index(word), text.index(word) + len(word)) for word in ("apple", "dog"))
    assert replace_places(text, [(second, "apple"), (first, "dog")]) == "A dog is left of an apple."
    assert replace_places(text, []) == text
    assert first.article == "An " and second.article == "a "


def test_words_know_their_places() -> None:
    assert words("A T-shirt, (red)") == [("a", 0, 1), ("t-shirt", 2, 9), ("red", 12, 15)]
