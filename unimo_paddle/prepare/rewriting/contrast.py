"""Attributes and relations that exclude each other: red and blue, left of and right of, riding and eating.

"A red chair" -> "a wooden chair" may be true, so an attribute changes only along its own scale.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from unimo_paddle.prepare.rewriting import wordnet
from unimo_paddle.prepare.rewriting.word_tables import (
    MUTUAL,
    OPPOSITES,
    PLACED,
    POSTURES,
    SCALES,
    VAGUE,
    VERB_KIN,
    index_of,
)
from unimo_paddle.prepare.rewriting.wordnet import WordNet

_SIDE = re.compile(r"\b(left|right)\b", re.IGNORECASE)
_PLACED, _MUTUAL, _VAGUE = (frozenset(words.split()) for words in (PLACED, MUTUAL, VAGUE))
_MUTUAL |= {"next to", "close to", "across from", "near to", "along with", "together with"}
_SCALES = tuple(index_of(paragraph) for paragraph in SCALES.strip().split("\n\n"))
_COLOURS = _SCALES[0]
_POSTURES, _VERB_KIN = index_of(POSTURES), index_of(VERB_KIN)
_PLAIN_DEEDS = frozenset({"hold", "carry", "use", "swing", "hit", "read"})   # wide, but some deeds exclude them
_NONE: frozenset[int] = frozenset()
_VERB_SENSES = 8


class Contrast:
    """Judges attributes and verbs, with the help of WordNet's antonyms, origins and kinds."""

    def __init__(self, net: WordNet) -> None:
        self._net = net
        self._pairs: dict[tuple[str, str], bool] = {}
        self._doing = lru_cache(maxsize=1 << 14)(self._find_doing)
        self._poles_of: dict[str, tuple[frozenset[int], frozenset[int]]] = {}

    def attributes(self, old: str, new: str) -> bool:
        """Tell whether nothing that is `old` can be called `new` as well (both lower case)."""
        key = old, new
        if key not in self._pairs:
            self._pairs[key] = self._contrast(old, new)
        return self._pairs[key]

    def compares(self, word: str) -> bool:
        """Tell whether an adjective is a comparative or a superlative, which says something only beside another."""
        measured = any(word in scale for scale in _SCALES)
        return word.endswith(("er", "est")) and not measured and not self._net.senses(word, "a")

    def marks(self, word: str) -> set[object]:
        """Return keys by which the rivals of other words can find this one; rival_marks() of the others meet them."""
        measured = {("scale", i) for i, scale in enumerate(_SCALES) if word in scale}
        return {*measured, *self._poles(word)[0], *({"origin"} if self._origins_of(word) else ())}

    def rival_marks(self, word: str) -> set[object]:
        """Return the keys of all words that may contrast with this one; attributes() tells which do."""
        measured = {("scale", i) for i, scale in enumerate(_SCALES) if word in scale}
        return {*measured, *self._poles(word)[1], *({"origin"} if self._origins_of(word) else ())}

    def verbs(self, old: str, new: str, alone: bool) -> bool:
        """Tell whether whoever does `old` is hardly doing `new` too. alone: they take an object and no preposition."""
        if new in _VAGUE or old in _VAGUE - _PLAIN_DEEDS or old == new:
            return False
        before, after = _POSTURES.get(old, _NONE), _POSTURES.get(new, _NONE)
        if after or not alone:
            return bool(before and after) and before.isdisjoint(after)
        if not _VERB_KIN.get(old, _NONE).isdisjoint(_VERB_KIN.get(new, _NONE)):
            return False
        own, other = self._doing(old), self._doing(new)
        return bool(own[0] and other[0]) and own[0].isdisjoint(other[1]) and other[0].isdisjoint(own[1])

    def _contrast(self, old: str, new: str) -> bool:
        if self._origins_of(old) and self._origins_of(new):
            return self._other_origin(old, new)
        shared = [scale for scale in _SCALES if old in scale and new in scale]
        if shared:
            return not _line_shared(old, new)
        measured = [word for word in (old, new) if any(word in scale for scale in _SCALES)]
        return len(measured) < 2 and _COLOURS.keys().isdisjoint(measured) and self._antonyms(old, new)

    def _antonyms(self, old: str, new: str) -> bool:
        """Tell whether one word is the antonym of the other, or stands close to one, and they share no sense."""
        near_old, far_old = self._poles(old)
        near_new, _ = self._poles(new)
        return bool(near_new & far_old) and not near_new & near_old

    def _poles(self, word: str) -> tuple[frozenset[int], frozenset[int]]:
        """Return the heads of a word's commoner senses, and those opposite."""
        if word not in self._poles_of:
            synsets = {sense: self._net.synset(sense, "a") for sense in self._net.senses(word, "a")[:3]}
            heads = {sense if synset.targets((wordnet.ANTONYM,)) else (synset.targets((wordnet.SIMILAR,)) or [sense])[0]
                     for sense, synset in synsets.items()}
            far = (self._net.synset(head, "a").targets((wordnet.ANTONYM,)) for head in heads)
            self._poles_of[word] = frozenset(heads), frozenset(offset for each in far for offset in each)
        return self._poles_of[word]

    def _origins_of(self, word: str) -> frozenset[int]:
        """Return the places that an adjective pertains to: "Chinese" to China."""
        places = {pointer.offset for sense in self._net.senses(word, "a")
                  for pointer in self._net.synset(sense, "a").pointers
                  if pointer.symbol == wordnet.PERTAINS and pointer.part == "n"}
        kinds = (wordnet.LOCATION, wordnet.OBJECT)   # continents are filed as objects
        return frozenset(place for place in places if self._net.synset(place, "n").file in kinds)

    def _other_origin(self, old: str, new: str) -> bool:
        """Tell whether no place of one word lies in a place of the other."""
        olds, news = self._origins_of(old), self._origins_of(new)
        around_old, around_new = (self._net.reach(places, "n", wordnet.WHOLES) | places for places in (olds, news))
        return olds.isdisjoint(around_new) and news.isdisjoint(around_old)

    def _find_doing(self, verb: str) -> tuple[frozenset[int], frozenset[int]]:
        """Return the senses of a verb, and all they are kinds of, need, cause or are grouped with."""
        senses = self._net.senses(verb, "v")[:_VERB_SENSES]
        reach = set(senses)
        for sense in senses:
            reach |= self._net.above(sense, "v")
            reach |= set(self._net.synset(sense, "v").targets(
                (wordnet.ENTAILS, wordnet.CAUSES, wordnet.VERB_GROUP)))
        return frozenset(senses), frozenset(reach)


def opposites(said: str, name: str, verb: str) -> tuple[str, ...]:
    """Return what may stand for the words of a relation, and is false of whatever the relation holds of.

    said: the words as the caption has them ("to the left of"); name: the relation's; verb: its lemma, "" when it has
    none. The first words of a verb's relation are kept: "sitting on" -> "sitting under".
    """
    if _SIDE.search(name) and _SIDE.search(said):
        return (_SIDE.sub(_other_side, said),)
    preposition = name.removeprefix(verb).strip()
    if not said.lower().endswith(preposition) or preposition not in OPPOSITES:
        return ()
    if verb and (verb not in _PLACED or preposition in ("with", "without", "by", "at")):
        return ()
    kept = said[:len(said) - len(preposition)]
    return tuple(kept + _like(said, new) for new in OPPOSITES[preposition])


def can_swap(name: str, verb: str) -> bool:
    """Tell whether a relation turns false when its two sides change places."""
    rest = name.removeprefix(verb).strip() if verb else name
    return rest not in _MUTUAL and verb not in _MUTUAL and verb not in _VAGUE - _PLAIN_DEEDS


def synonyms(attributes: Iterable[str], new: str) -> bool:
    """Tell whether `new` may be another word for one of the attributes."""
    return any(old == new or _line_shared(old, new) for old in attributes)


def _other_side(match: re.Match[str]) -> str:
    side = "right" if match.group().lower() == "left" else "left"
    return side.capitalize() if match.group()[0].isupper() else side


def _like(said: str, new: str) -> str:
    return new.capitalize() if said[:1].isupper() and not said[:1].isspace() and len(said.split()) == 1 else new


def _line_shared(old: str, new: str) -> bool:
    return any(old in scale and new in scale and not scale[old].isdisjoint(scale[new]) for scale in _SCALES)
