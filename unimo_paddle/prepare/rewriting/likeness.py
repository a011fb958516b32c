"""Which names may be true of one and the same thing, or of a part of it: what a false caption must not bring in.

WordNet knows synonyms, kinds and parts. The tables below add what it lacks or draws finer than a person looking at a
picture does (its kitten is no cat, its daffodil no flower, its skier no man).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from unimo_paddle.prepare.rewriting import wordnet
from unimo_paddle.prepare.rewriting.lemmas import singular
from unimo_paddle.prepare.rewriting.word_tables import KIN, index_of
from unimo_paddle.prepare.rewriting.wordnet import WordNet

_SENSES = 6   # of a noun; rarer ones only forbid what nobody means

_KIN = index_of(KIN, ", ")
# A word of a family may be said of anything in it.
_GENERAL = {
    wordnet.PLANT: frozenset({"flower", "plant", "tree", "bush", "shrub", "leaf", "branch", "blossom", "foliage",
                              "weed", "greenery", "vegetation", "garden", "bouquet", "houseplant", "flora", "herb",
                              "petal"}),
    wordnet.FOOD: frozenset({"food", "fruit", "vegetable", "veggie", "meal", "dish", "snack", "lunch", "dinner",
                             "breakfast", "ingredient", "dessert", "salad", "item", "meat", "sauce", "topping",
                             "plate"}),
    wordnet.ANIMAL: frozenset({"animal", "creature", "pet", "wildlife", "herd", "flock", "pair", "bunch"}),
}
# By sex and age; anybody else may be each of them.
_PEOPLE = {
    "man": "man", "guy": "man", "gentleman": "man", "boy": "boy", "male": "man", "woman": "woman", "lady": "woman",
    "female": "woman", "girl": "girl", "baby": "baby", "toddler": "baby", "infant": "baby", "child": "child",
    "kid": "child", "person": "anybody", "people": "anybody", "crowd": "anybody", "couple": "anybody",
    "group": "anybody", "team": "anybody", "family": "anybody", "adult": "anybody", "someone": "anybody",
}
_MAY_BE = {
    "man": {"man", "boy"}, "woman": {"woman", "girl"}, "boy": {"boy", "man", "child", "baby"},
    "girl": {"girl", "woman", "child", "baby"}, "child": {"child", "boy", "girl", "baby"},
    "baby": {"baby", "child", "boy", "girl"}, "anybody": {"man", "woman", "boy", "girl", "child", "baby"},
}
_THINGS = frozenset({wordnet.ANIMAL, wordnet.ARTIFACT, wordnet.BODY, wordnet.FOOD, wordnet.OBJECT, wordnet.PLANT,
                     wordnet.SUBSTANCE})
_COLLECTIVE = frozenset({"pair", "bunch", "group", "couple", "set", "pile", "row", "bundle", "variety", "lot", "herd",
                         "flock", "crowd", "number", "collection", "string", "stack", "assortment", "piece", "slice"})
_CLOTHES = ("clothing", "footwear", "headdress", "jewelry", "eyeglasses")
_HIDDEN_IN_NAME = frozenset({"a", "an", "the", "of", "and", "with", "in", "for", "on"})


@dataclass(frozen=True)
class Meaning:
    """What a name stands for, as sets to compare.

    own: what it is called; reach: what else might be called so, and wholes it may be a part of.
    bans: what an image with such a thing may show without a word (a man's hat), one way only.
    """

    own: frozenset[object]
    reach: frozenset[object]
    bans: frozenset[object] = frozenset()

    def allows(self, other: Meaning) -> bool:
        """Tell whether a caption that brings in `other` is false of an image that shows this."""
        return other.own.isdisjoint(self.reach) and other.own.isdisjoint(self.bans) and self.own.isdisjoint(other.reach)


class Likeness:
    """Meanings of names, looked up once each."""

    def __init__(self, net: WordNet) -> None:
        self.net = net
        self._meanings: dict[str, Meaning] = {}
        self.domain = lru_cache(maxsize=1 << 16)(self._find_domain)

    def meaning(self, name: str) -> Meaning:
        """Return what a name means: lower case, singular; a detector's plural class names are taken too."""
        if name not in self._meanings:
            self._meanings[name] = self._find(name)
        return self._meanings[name]

    def may_bring(self, shown: str, new: str) -> bool:
        """Tell whether a caption that names `new` is false of an image that shows `shown`."""
        return self.meaning(shown).allows(self.meaning(new))

    def apart(self, one: str, other: str) -> bool:
        """Tell whether neither name may be said of what the other names."""
        return self.may_bring(one, other) and self.may_bring(other, one)

    def _find_domain(self, name: str) -> str:
        """Return "" for a thing one can see, else the kind of idea (act, time, ...): only of like kind may change."""
        files = [self._file(sense) for sense in self._senses(_what_is_counted(singular(name)))[:3]]
        return "" if not files or {*_THINGS, wordnet.PERSON}.intersection(files) else str(files[0])

    def _find(self, name: str) -> Meaning:
        whole = _what_is_counted(singular(name.lower()))
        words = [singular(word) for word in whole.split() if word not in _HIDDEN_IN_NAME]
        heads = [singular(part.split()[-1]) for part in whole.split(" of ") if part.split()]
        senses = self._senses(whole)
        files = {self._file(sense) for sense in senses}
        above = frozenset[int]().union(*(self.net.above(sense, "n") for sense in senses))
        wholes = self.net.reach(senses, "n", wordnet.WHOLES)
        kin = {("kin", i) for called in (whole, *heads) for i in _KIN.get(called, ())}
        general = {("any", file) for file, said in _GENERAL.items() if not said.isdisjoint(heads)}
        own = {*senses, *(("part of", each) for each in wholes), *heads, *kin, *general}
        reach = {*above, *(("part of", each) for each in above), *words, *kin, *general,
                 *(("any", file) for file in files if file in _GENERAL)}
        person = self._person(heads, senses)
        return Meaning(
            frozenset(own | ({("person", person)} if person else set()) | self._worn(senses, above)),
            frozenset(reach | {("person", other) for other in _may_be(person)}),
            frozenset({"body", "clothes"} if person else {"body"} if wordnet.ANIMAL in files else set()))

    def _person(self, heads: Sequence[str], senses: Sequence[int]) -> str:
        """Return which person a name means by sex and age ("anybody" when it tells neither), or "" for a thing."""
        told = next((_PEOPLE[head] for head in heads if head in _PEOPLE), "")
        return told or ("anybody" if senses and self._file(senses[0]) == wordnet.PERSON else "")

    def _worn(self, senses: Sequence[int], above: frozenset[int]) -> set[str]:
        """Return whether a name means a part of the body, or clothes."""
        body = {"body"} if senses and self._file(senses[0]) == wordnet.BODY else set()
        return body | (set() if self._clothing.isdisjoint(above) else {"clothes"})

    def _senses(self, name: str) -> tuple[int, ...]:
        """Return the noun senses of a name, or of its last words where the net lacks it ("uk post box": "postbox").

        An animal or a thing is not meant as the person it is said of too (dog).
        """
        words = name.partition(" of ")[0].split()
        found: tuple[int, ...] = ()
        for first in range(len(words)):
            part = " ".join(words[first:])
            found = found or self.net.senses(part, "n") or self.net.senses(part.replace(" ", ""), "n")
        found = found[:_SENSES]
        is_thing = bool(found) and self._file(found[0]) in _THINGS
        return tuple(sense for sense in found if not is_thing or self._file(sense) != wordnet.PERSON)

    def _file(self, sense: int) -> int:
        return self.net.synset(sense, "n").file

    @cached_property
    def _clothing(self) -> frozenset[int]:
        return frozenset(sense for name in _CLOTHES for sense in self.net.senses(name, "n")[:1])


def _may_be(person: str) -> set[str]:
    """Return the persons that may be meant by another word for this one."""
    if not person:
        return set()
    return {"anybody", *_MAY_BE[person], *(other for other, may in _MAY_BE.items() if person in may)}


def _what_is_counted(name: str) -> str:
    """Return "sheep" for a "herd of sheep"."""
    counted, _, of = name.partition(" of ")
    return singular(of) if of and counted in _COLLECTIVE else name
