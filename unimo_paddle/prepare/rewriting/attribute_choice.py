"""Which attributes of a corpus are false of a thing that a caption calls otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from unimo_paddle.prepare.rewriting.contrast import Contrast, synonyms
from unimo_paddle.prepare.rewriting.corpus_vocabulary import CorpusVocabulary, Word
from unimo_paddle.prepare.rewriting.facts import Facts
from unimo_paddle.prepare.rewriting.likeness import Likeness
from unimo_paddle.prepare.rewriting.scene_graph import Attribute, SceneGraph
from unimo_paddle.prepare.rewriting.word_tables import OPINIONS

_OPINIONS = frozenset(OPINIONS.split())


class AttributeChoice:
    """The attributes of a corpus."""

    def __init__(self, vocabulary: CorpusVocabulary, likeness: Likeness, contrast: Contrast) -> None:
        self._words = {word.name: word for word in vocabulary.attributes
                       if word.name not in _OPINIONS and not contrast.compares(word.name)}
        self._contrast = contrast
        self._index: dict[object, list[str]] = {}
        for name in self._words:
            for key in contrast.marks(name):
                self._index.setdefault(key, []).append(name)
        self._contrasting = lru_cache(maxsize=1 << 14)(self._find_contrasting)
        self._unlike = lru_cache(maxsize=1 << 16)(likeness.apart)

    def rivals(self, graph: SceneGraph, attribute: Attribute, facts: Facts) -> list[Word]:
        """Return what contrasts with an attribute and is said of no thing like its own, in this caption or another."""
        name = graph.things[attribute.thing].name
        said = self._said_of(name, graph, facts)
        return [word for word in self._contrasting(attribute.name)
                if word.name not in name.split(" ") and not synonyms(said, word.name)]

    def may_swap(self, graph: SceneGraph, one: Attribute, other: Attribute, facts: Facts) -> bool:
        """Tell whether two attributes contrast and neither is said of the other's thing."""
        if not self._contrast.attributes(one.name, other.name):
            return False
        names = graph.things[one.thing].name, graph.things[other.thing].name
        return not (synonyms(self._said_of(names[0], graph, facts), other.name)
                    or synonyms(self._said_of(names[1], graph, facts), one.name))

    def shuffled(self, words: Sequence[Word], rng: np.random.Generator) -> list[Word]:
        """Return words in a random order, those that captions say more often rather first."""
        times = rng.standard_exponential(len(words)) / np.array([word.weight for word in words])
        return [words[i] for i in np.argsort(times, kind="stable")]

    def _said_of(self, name: str, graph: SceneGraph, facts: Facts) -> set[str]:
        """Return the attributes of a thing, and of all that may be meant by its name."""
        here = {(graph.things[each.thing].name, each.name) for each in graph.attributes}
        return {attribute for thing, attribute in facts.attributes | here
                if thing == name or not self._unlike(thing, name)}

    def _find_contrasting(self, name: str) -> tuple[Word, ...]:
        near = dict.fromkeys(other for key in self._contrast.rival_marks(name) for other in self._index.get(key, ()))
        return tuple(self._words[other] for other in near if self._contrast.attributes(name, other))
