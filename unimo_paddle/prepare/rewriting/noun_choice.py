"""Draws nouns that are false of an image, in proportion to how often captions say them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from unimo_paddle.prepare.rewriting.corpus_vocabulary import POOLS, CorpusVocabulary, Noun, Pool
from unimo_paddle.prepare.rewriting.lemmas import singular
from unimo_paddle.prepare.rewriting.likeness import Likeness
from unimo_paddle.prepare.rewriting.word_tables import EVERYWHERE

_EVERYWHERE = frozenset(EVERYWHERE.split())
_MANY, _SPARE = 8, 4   # from so many nouns for each wanted one, drawing so many times as many is mostly enough

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Table:
    """Nouns of one pool and domain. names: int64 [n], their numbers; heights: float64 [n], sums of weights so far."""

    nouns: tuple[Noun, ...]
    names: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]
    heights: npt.NDArray[np.float64]


class NounChoice:
    """The nouns and noun phrases of a corpus, and which of them an image rules out."""

    def __init__(self, vocabulary: CorpusVocabulary, likeness: Likeness) -> None:
        self._likeness = likeness
        entries = [noun for part in (vocabulary.nouns, vocabulary.phrases) for pool in POOLS for noun in part[pool]]
        self._numbers = {name: number for number, name in enumerate(dict.fromkeys(noun.name for noun in entries))}
        self._never = np.array([says_nothing(name) for name in self._numbers], dtype=bool)
        self._own, self._reach = self._index()
        self._tables = {(phrases, pool, domain): table
                        for phrases, part in ((False, vocabulary.nouns), (True, vocabulary.phrases))
                        for pool in POOLS for domain, table in self._by_domain(part[pool])}
        self._forbidden = lru_cache(maxsize=1 << 16)(self._find_forbidden)
        self.ruled_out = lru_cache(maxsize=256)(self._find_ruled_out)

    def brings_in(self, name: str, shown: frozenset[str]) -> bool:
        """Tell whether a caption that names a thing is false of an image that shows all of `shown`."""
        number = self._numbers.get(name)
        if number is not None:
            return not self.ruled_out(shown)[number]
        return not says_nothing(name) and all(self._likeness.may_bring(other, name) for other in shown)

    def draw(self, like: str, pool: Pool, phrases: bool, ruled_out: Mask, count: int,
             rng: np.random.Generator) -> list[Noun]:
        """Return up to `count` different nouns (or phrases) of a pool that may stand where the name `like` stands.

        ruled_out: as ruled_out() returns it.  Drawn one after the other, each in proportion to its weight.
        """
        table = self._tables.get((phrases, pool, self._likeness.domain(like)))
        if table is None or count < 1:
            return []
        chosen = _quickly(table, ruled_out, count, rng) if len(table.nouns) >= _MANY * count else []
        return [table.nouns[place] for place in chosen or _thoroughly(table, ruled_out, count, rng)]

    def _find_ruled_out(self, names: frozenset[str]) -> Mask:
        """Return, for each name of the vocabulary, whether it may be true of an image that shows all `names`."""
        mask = self._never.copy()
        for name in names:
            mask[self._forbidden(name)] = True
        return mask

    def _find_forbidden(self, name: str) -> npt.NDArray[np.int64]:
        meaning = self._likeness.meaning(name)
        lists = [self._own.get(key, ()) for key in (*meaning.reach, *meaning.bans)]
        lists += [self._reach.get(key, ()) for key in meaning.own]
        return np.array(sorted({number for each in lists for number in each}), dtype=np.int64)

    def _index(self) -> tuple[dict[Hashable, list[int]], dict[Hashable, list[int]]]:
        """Return the numbers of names by what they are called, and by what else they might be."""
        own: dict[Hashable, list[int]] = {}
        reach: dict[Hashable, list[int]] = {}
        for name, number in self._numbers.items():
            meaning = self._likeness.meaning(name)
            for index, keys in ((own, meaning.own), (reach, meaning.reach)):
                for key in keys:
                    index.setdefault(key, []).append(number)
        return own, reach

    def _by_domain(self, nouns: Sequence[Noun]) -> Iterable[tuple[str, _Table]]:
        domains: dict[str, list[Noun]] = {}
        for noun in nouns:
            domains.setdefault(self._likeness.domain(noun.name), []).append(noun)
        for domain, chosen in domains.items():
            weights = np.array([noun.weight for noun in chosen])
            yield domain, _Table(tuple(chosen), np.array([self._numbers[noun.name] for noun in chosen], dtype=np.int64),
                                 weights, np.cumsum(weights))


def _quickly(table: _Table, ruled_out: Mask, count: int, rng: np.random.Generator) -> list[int]:
    """Draw from many nouns; what comes again or is ruled out is passed over. None when too few are left."""
    drawn = table.heights.searchsorted(rng.random(_SPARE * count) * table.heights[-1], side="right")
    places = dict.fromkeys(drawn[~ruled_out[table.names[drawn]]].tolist())
    return list(places)[:count] if len(places) >= count else []


def _thoroughly(table: _Table, ruled_out: Mask, count: int, rng: np.random.Generator) -> list[int]:
    """Draw as many as there are: the first of exponential times come first, with the odds of drawing in turn."""
    times = rng.standard_exponential(len(table.nouns)) / table.weights
    times[ruled_out[table.names]] = np.inf
    chosen = np.argsort(times, kind="stable")[:count]
    return chosen[times[chosen] < np.inf].tolist()


def says_nothing(name: str) -> bool:
    """Tell whether a name may be said of almost any picture ("sky", "group of people"; not "pair of pliers")."""
    return all(singular(part.split(" ")[-1]) in _EVERYWHERE for part in name.split(" of "))
