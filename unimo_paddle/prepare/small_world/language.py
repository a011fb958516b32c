"""Small pieces of correct English, and statements: a sentence beside the facts that it states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from unimo_paddle.prepare.small_world.scene import Placed, Scene

Drawn = TypeVar("Drawn")

PHRASES = {
    "left of": ("to the left of", "on the left of", "left of"),
    "right of": ("to the right of", "on the right of", "right of"),
    "above": ("above", "over"),
    "below": ("below", "under", "beneath"),
}
NUMBERS = ("zero", "one", "two", "three", "four")
_COLOURS = {"black", "blue", "brown", "green", "pink", "purple", "red", "silver", "white", "yellow"}
_CONSONANT_SOUNDS = ("eu", "uk", "uni", "one")
_VOWEL_SOUNDS = ("f-", "hour", "honest")


@dataclass(frozen=True)
class Said:
    """A thing as a sentence names it: the class, and the words (size, attributes) that the sentence used."""

    name: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Statement:
    """A sentence and all that it states.

    things: different objects of the scene.  relations: (subject, relation, object) as positions in `things`.
    background: its phrase, or "".  count: the number of things in the whole picture, or 0 when not stated.
    """

    text: str
    things: tuple[Said, ...]
    relations: tuple[tuple[int, str, int], ...] = ()
    background: str = ""
    count: int = 0


@dataclass
class Draft:
    """Collects the facts of a sentence while it is put together."""

    scene: Scene
    sized: bool
    things: list[int] = field(default_factory=list)
    relations: list[tuple[int, str, int]] = field(default_factory=list)

    def name(self, index: int) -> str:
        """Return an object as first named: "a small red apple"; remembers that it was."""
        self.things.append(index)
        return indefinite(described(self.scene.objects[index], self.sized))

    def again(self, index: int) -> str:
        """Return an object as named again: "the apple"."""
        return f"the {self.scene.objects[index].cutout.name}"

    def relate(self, first: int, relation: str, second: int, rng: np.random.Generator) -> str:
        """Return the words of a relation; remembers that it was stated."""
        self.relations.append((first, relation, second))
        return pick(rng, PHRASES[relation])

    def finish(self, text: str, background: bool = False, count: int = 0) -> Statement:
        """Return the statement, with a capital letter and a full stop."""
        objects = self.scene.objects
        said = tuple(Said(objects[k].cutout.name, objects[k].words if self.sized else objects[k].cutout.words)
                     for k in self.things)
        place = {index: position for position, index in enumerate(self.things)}
        relations = tuple((place[i], relation, place[j]) for i, relation, j in self.relations)
        phrase = self.scene.background.phrase if background else ""
        return Statement(sentence(text), said, relations, phrase, count)


def pick(rng: np.random.Generator, choices: Sequence[Drawn]) -> Drawn:
    """Return one of the choices."""
    return choices[rng.integers(len(choices))]


def described(thing: Placed, sized: bool) -> str:
    """Return "small red and white anemone flower"; the size only when asked for."""
    return noun_phrase(thing.words if sized else thing.cutout.words, thing.cutout.name)


def noun_phrase(words: Sequence[str], name: str) -> str:
    """Return the words before the name; two colours in a row are joined by "and"."""
    spoken: list[str] = []
    for before, word in zip(("", *words), words, strict=False):
        spoken += ["and", word] if before in _COLOURS and word in _COLOURS else [word]
    return " ".join([*spoken, name])


def indefinite(phrase: str) -> str:
    """Return the phrase after "a" or "an", by its first sound."""
    first = phrase.lower()
    vowel = first.startswith(_VOWEL_SOUNDS) or (first[0] in "aeiou" and not first.startswith(_CONSONANT_SOUNDS))
    return f"{'an' if vowel else 'a'} {phrase}"


def listing(phrases: Sequence[str]) -> str:
    """Return "a", "a and b" or "a, b and c"."""
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"


def plural(noun: str) -> str:
    """Return the plural of one of the wider words (bird, animal, flower, vehicle, musical instrument)."""
    return noun + "s"


def sentence(text: str) -> str:
    """Return the text with a capital first letter and a full stop."""
    return text[0].upper() + text[1:] + "."
