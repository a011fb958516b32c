"""Piece by piece: what a rule-based translator changed, what of it surely says the same, and what is put back."""

import pytest

from tests.prepare.rewriting.stand_ins import FewWords, LetterEncoder
from unimo_paddle.prepare.rewriting.mending import Change, SameMeaning, apply_changes, find_changes

ALIKE = {"image": "picture", "big": "large", "little": "small", "rhinoceros": "rhino", "stamp": "seal", "pink": "red"}


@pytest.fixture
def same():
    return SameMeaning(LetterEncoder(ALIKE), FewWords())


def mend(same, caption, translated):
    changes = find_changes(caption, translated)
    return apply_changes(caption, [change for change, kept in zip(changes, same.keep(changes), strict=True) if kept])


@pytest.mark.parametrize(("caption", "translated", "mended"), [
    ("A large dog in a picture.", "big dog in image.", "A big dog in an image."),
    ("An image of an apple.", "One picture of apple.", "A picture of an apple."),
    ("A dog is right of a large cup.", "A dog is well of a cup big.", "A dog is right of a large cup."),
    ("A dog beneath the large cup.", "Dog under the big cup.", "A dog under the big cup."),
    ("A dog to the left of a cup.", "A dog on the left of a cup.", "A dog on the left of a cup."),
    ("A dog to the north of a cup.", "A dog on the north of a cup.", "A dog to the north of a cup."),
    ("A dog on the left of a cup.", "A dog on the right of a cup.", "A dog on the left of a cup."),
    ("Two large dogs.", "Three big dogs.", "Two big dogs."),
    ("A dog with a cup above it.", "A dog with a cup below him.", "A dog with a cup above it."),
    ("A photo showing a dog.", "A photo that shows a dog.", "A photo that shows a dog."),
    ("A dog by a brick building.", "A dog by a brick that builds.", "A dog by a brick building."),
    ("A dog walking home.", "A dog walk home.", "A dog walking home."),
    ("A red cup.", "A pink cup.", "A red cup."),
    ("A picture of dogs.", "An images of dogs.", "A picture of dogs."),
    ("A rhino.", "A rhinoceros.", "A rhinoceros."),
    ("A fire truck.", "A truck of fire.", "A fire truck."),
    ("Picture of a dog", "image of a dog.", "Image of a dog"),
    ("A dog.", "A dog and a cat in the house.", "A dog."),
    ("", "A dog.", ""),
])
def test_good_pieces_stay_and_bad_ones_are_put_back(same, caption, translated, mended):
    assert mend(same, caption, translated) == mended


def test_a_rare_common_sense_needs_likeness_and_a_first_sense_little():
    first = Change(0, 8, "aubergine", ("eggplant",), ("aubergine",))
    rare = Change(0, 4, "stamp", ("seal",), ("stamp",))
    assert SameMeaning(LetterEncoder(), FewWords()).keep([first, rare]) == [True, False]
    assert SameMeaning(LetterEncoder(ALIKE), FewWords()).keep([rare]) == [True]
    assert SameMeaning(LetterEncoder(), FewWords()).keep([]) == []


@pytest.mark.parametrize(("old", "new", "fluent", "kept"), [
    ("fire truck", "fire engine", False, True),
    ("adjustable wrench", "adjustable spanner", False, True),     # one word of two, and a synonym
    ("trophy cup", "trophy", False, True),                        # says less
    ("trophy", "trophy cup", True, False),                        # says more
    ("pair of dogs", "dogs", False, False),
    ("dog", "small dog", True, False),
    ("green cup", "red cup", True, False),
    ("race car", "racing car", True, True),
    ("race car", "racing car", False, False),                     # only a person's English is trusted without a sense
])
def test_names_that_people_translated(old, new, fluent, kept):
    change = Change(0, len(old), new, tuple(old.split()), tuple(new.split()))
    assert SameMeaning(LetterEncoder(), FewWords()).keep_names([(change, fluent)]) == [kept]
