"""Which candidates become a caption's paraphrases."""

import pytest

from tests.prepare.rewriting.stand_ins import FewWords, LetterEncoder
from unimo_paddle.prepare.rewriting.human_translation import HumanTranslations
from unimo_paddle.prepare.rewriting.paraphrase import (
    Candidate,
    Paraphraser,
    arrange,
    bounds,
    difference,
    plainer,
    sift,
    styled,
    telling,
)

ALIKE = {"image": "picture", "big": "large", "little": "small", "engine": "truck"}


class Table:
    """A translator that looks its answers up."""

    def __init__(self, name, table, is_fluent=False):
        self.name, self.table, self.is_fluent, self.calls = name, table, is_fluent, []

    def __call__(self, texts):
        self.calls.append(list(texts))
        return [self.table.get(text) for text in texts]


def paraphraser(translators, human=None, **settings):
    return Paraphraser(translators, LetterEncoder(ALIKE), FewWords(), human, **settings)


def candidates(*texts):
    return [Candidate(text, "x") for text in texts]


def test_a_rule_based_pivot_is_mended_and_split_into_distinct_ones():
    caption = "A large dog in a picture of a small cup."
    table = Table("apertium:xx", {caption: "Big hound in image of little cup."})
    found, = paraphraser([table]).paraphrases([caption])
    assert found.texts[0] == max(found.texts, key=lambda text: found.scores[found.texts.index(text)])
    assert "A big dog in an image of a little cup." in found.texts and len(found.texts) == 3
    assert set(found.origins) == {"apertium:xx"} and found.scores == tuple(sorted(found.scores, reverse=True))


def test_a_fluent_pivot_counts_as_a_whole():
    caption = "two dogs to the left of a cup"
    good, bad = "Left of a cup are two dogs.", "Right of a cup are two dogs."
    found, = paraphraser([Table("neural:a", {caption: good}, True), Table("neural:b", {caption: bad}, True)],
                         threshold=0.5).paraphrases([caption])
    assert (found.texts, found.origins) == (("left of a cup are two dogs",), ("neural:a",))


def test_nothing_found_is_nothing_kept():
    found = paraphraser([Table("x", {})]).paraphrases(["A dog.", "A cup."])
    assert [each.texts for each in found] == [(), ()]
    assert paraphraser([]).paraphrases([]) == []


def test_equal_captions_are_translated_once_and_get_the_same():
    table = Table("x", {"A large dog.": "A big dog."})
    first, second, third = paraphraser([table]).paraphrases(["A large dog.", "A cup.", "A large dog."])
    assert first == third and first.texts == ("A big dog.",) and second.texts == ()
    assert table.calls == [["A large dog.", "A cup."]]


def test_the_threshold_and_the_number_are_kept():
    caption = "A dog."
    pivots = [Table(f"neural:{word}", {caption: f"A {word}."}, True)
              for word in ("god", "hog", "zzzzzz", "dogs", "good")]
    texts = paraphraser(pivots, keep=2, threshold=0.6).paraphrases([caption])[0].texts
    assert len(texts) == 2 and "A zzzzzz." not in texts


def test_people_name_a_thing_otherwise():
    human = HumanTranslations({"a fire truck": {"en_GB": "A fire engine.", "es": "x"}}, {})
    found, = paraphraser([], human).paraphrases(["A dog beside a fire truck and a Fire truck."])
    assert (found.texts, found.origins) == (("A dog beside a fire engine and a fire engine.",), ("human:en_GB",))


def test_people_translated_the_whole_caption():
    table = Table("es", {"Un perro grande.": "Hound big.", "Otro.": "A big dog."})
    human = HumanTranslations({"A large dog.": {"en": "a dog that is large", "es": "Otro."}}, {"es": table})
    found, = paraphraser([], human, threshold=0.5).paraphrases(["A large dog."])
    assert sorted(zip(found.texts, found.origins, strict=True)) == [
        ("A big dog.", "human:es"), ("A dog that is large.", "human:en")]


def test_sift_drops_copies_repetitions_and_what_lost_or_turned_a_fact():
    caption = "Two dogs to the left of the cup."
    kept = sift(caption, candidates(
        "two dogs to left of a cup", "Two hounds left of the cup.", "Two hounds, left of a cup!",
        "Two hounds right of it.", "Three hounds left of it.", "Two hounds near it.",
        "Two hounds are not left of it.", "2 hounds on its left."))
    assert [each.text for each in kept] == ["Two hounds left of the cup.", "2 hounds on its left."]


def test_words_of_place_number_and_negation():
    assert telling("No dog is under 3 cups, isn't it?") == {"no": 2, "below": 1, "three": 1}
    assert telling("one of them over a cup") == {"above": 1}


def test_the_most_different_come_first_and_stay_apart_from_each_other():
    texts = ("a b c x", "a b y z", "a b y w", "q r s t")
    assert [each.text for each in arrange("a b c d", candidates(*texts), 3)] == ["q r s t", "a b y z", "a b c x"]
    assert difference("a dog and the cat", "dog, cat cat") == 2


@pytest.mark.parametrize(("caption", "plain"), [
    ("A dog right of a cup", "A dog to the right of a cup"), ("Left of a dog", "To the left of a dog"),
    ("on the left of it", "on the left of it"), ("what is left of it", "what is left of it"),
    ("turn left", "turn left"),
])
def test_bare_sides_are_spelt_out(caption, plain):
    assert plainer(caption) == plain


@pytest.mark.parametrize(("text", "caption", "wanted"), [
    ("a  dog runs", "A dog.", "A dog runs."), ("A dog runs.", "a dog", "a dog runs"), ("UK dog", "a dog", "UK dog"),
    ("a dog?", "Is it a dog?", "A dog?"), ("", "A dog.", "."),
])
def test_style_is_the_captions(text, caption, wanted):
    assert styled(text, caption) == wanted


def test_bounds_leave_leading_articles_out():
    assert bounds("A large dog.") == (2, 11)
    assert bounds("...") == (0, 0)
