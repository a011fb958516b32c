import pytest

from unimo_paddle.prepare.rewriting.english import plural
from unimo_paddle.prepare.rewriting.lemmas import singular, verb_lemma

NOUNS = """dogs dog, dishes dish, horses horse, buses bus, dresses dress, houses house, boxes box, potatoes potato,
shoes shoe, knives knife, leaves leaf, sheep sheep, men man, snowmen snowman, people person, cookies cookie,
puppies puppy, gloves glove, walruses walrus, benches bench, pants pants, skis ski, kiwis kiwi, vases vase, iris iris,
children child, octopuses octopus, lens lens, toes toe, glass glass, grass grass, bus bus, mice mouse, feet foot,
olives olive, ramen ramen, bookshelves bookshelf, tennis tennis"""
VERBS = """riding ride, sitting sit, standing stand, making make, playing play, hitting hit, chasing chase,
opening open, covering cover, surfing surf, petting pet, hanging hang, grazing graze, carrying carry, pulling pull,
facing face, posing pose, biting bite, decorating decorate, lying lie, tying tie, cutting cut, looking look, eating eat,
smiling smile, being be, using use, typing type, running run, stacking stack, placing place"""


def pairs(text):
    return [tuple(pair.split()) for pair in text.replace("\n", " ").split(", ")]


@pytest.mark.parametrize(("said", "name"), [*pairs(NOUNS)])
def test_the_singular_of_a_noun(said, name):
    assert singular(said) == name


def test_the_last_word_of_a_compound_is_made_singular():
    assert singular("fire hydrants") == "fire hydrant"
    assert singular("sports cars") == "sports car"


def test_the_singular_undoes_the_plural_that_rewriting_makes():
    nouns = ["dog", "box", "potato", "knife", "puppy", "glove", "bus", "vase", "toe", "horse", "church", "child",
             "woman", "leaf", "mango", "wife", "tooth", "daisy"]
    assert [singular(plural(noun)) for noun in nouns] == nouns


@pytest.mark.parametrize(("said", "name"), pairs(VERBS))
def test_the_lemma_of_a_participle(said, name):
    assert verb_lemma(said, "VBG") == name


@pytest.mark.parametrize(("said", "tag", "name"), [
    ("covered", "VBN", "cover"), ("parked", "VBN", "park"), ("sliced", "VBN", "slice"), ("tied", "VBN", "tie"),
    ("carried", "VBD", "carry"), ("topped", "VBN", "top"), ("held", "VBN", "hold"), ("sits", "VBZ", "sit"),
    ("watches", "VBZ", "watch"), ("carries", "VBZ", "carry"), ("has", "VBZ", "have"), ("ride", "VBP", "ride"),
])
def test_the_lemma_of_other_forms(said, tag, name):
    assert verb_lemma(said, tag) == name
