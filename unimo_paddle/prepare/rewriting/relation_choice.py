"""How a relation of a caption can be said falsely: by its opposite, or by another deed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from unimo_paddle.prepare.rewriting.contrast import Contrast, can_swap, opposites
from unimo_paddle.prepare.rewriting.corpus_vocabulary import CorpusVocabulary, SaidVerb, verb_of
from unimo_paddle.prepare.rewriting.english import Place
from unimo_paddle.prepare.rewriting.facts import Facts, is_false
from unimo_paddle.prepare.rewriting.scene_graph import Relation, SceneGraph

_WAYS = {"left of": ("to the left of", "on the left of", "left of"),
         "right of": ("to the right of", "on the right of", "right of"),
         "above": ("above", "over"), "below": ("below", "under", "beneath")}
_WAY_OF = {"left of": "left of", "right of": "right of", "above": "above", "over": "above", "below": "below",
           "under": "below", "beneath": "below", "underneath": "below"}
MOST = 1000   # deeds of one form that are drawn from, the most frequent ones
_OPPOSITE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Said:
    """New words for a place of a caption; label: of the change."""

    place: Place
    by: str
    label: str


@dataclass(frozen=True)
class _Deed:
    """A verb as written, what follows it, and its dictionary form."""

    written: str
    rest: str
    lemma: str
    weight: float

    @property
    def name(self) -> str:
        return f"{self.lemma} {self.rest}".strip()


class RelationChoice:
    """The relations of a corpus."""

    def __init__(self, vocabulary: CorpusVocabulary, contrast: Contrast) -> None:
        self._contrast = contrast
        deeds: dict[str, list[_Deed]] = {}
        for (form, rest), words in vocabulary.verbs.items():
            deeds.setdefault(form, []).extend(_Deed(word.written, rest, word.name, word.weight) for word in words)
        self._deeds = {form: sorted(found, key=lambda deed: -deed.weight)[:MOST] for form, found in deeds.items()}
        self._lemmas = sorted({deed.lemma for found in self._deeds.values() for deed in found})
        self._excluded = lru_cache(maxsize=1 << 13)(self._find_excluded)
        self._rivals = lru_cache(maxsize=1 << 13)(self._find_rivals)

    def words(self, caption: str, graph: SceneGraph, facts: Facts,
              rng: np.random.Generator) -> Iterator[Iterator[Said]]:
        """Yield, for each relation, one word or name exchanged: its direction, or its verb."""
        for relation in _said_once(graph):
            verb = verb_of(caption, relation)
            yield _both(_opposite(caption, graph, relation, verb, facts, rng),
                        self._other_deeds(caption, graph, relation, verb, facts, rng, True) if verb else iter(()))

    def phrases(self, caption: str, graph: SceneGraph, facts: Facts,
                rng: np.random.Generator) -> Iterator[Iterator[Said]]:
        """Yield, for each relation, all its words exchanged: a direction, or a verb with its preposition."""
        for relation in _said_once(graph):
            verb = verb_of(caption, relation)
            yield (self._other_deeds(caption, graph, relation, verb, facts, rng, False) if verb
                   else _other_ways(caption, graph, relation, facts, rng))

    def _other_deeds(self, caption: str, graph: SceneGraph, relation: Relation, verb: SaidVerb, facts: Facts,
                     rng: np.random.Generator, same: bool) -> Iterator[Said]:
        """Yield other verbs, with what follows kept (same) or changed, that exclude all that is said of the two."""
        rivals, weights = self._rivals(verb.form, verb.lemma, verb.rest, same)
        names = _names(graph, relation)
        others = {name.partition(" ")[0] for one, name, other in facts.relations if (one, other) == names}
        kept = caption[verb.start:verb.end]
        place = Place.of(caption, verb.start, verb.end if same else relation.spans[0].end)
        for i in np.argsort(rng.standard_exponential(len(rivals)) / weights, kind="stable"):
            deed = rivals[i]
            if deed.lemma not in others and deed.written != kept:
                by = deed.written if same else f"{deed.written} {deed.rest}".strip()
                yield Said(place, by, f"relation: {relation.name} -> {deed.name}")

    def _find_excluded(self, lemma: str, alone: bool) -> frozenset[str]:
        return frozenset(other for other in self._lemmas if self._contrast.verbs(lemma, other, alone))

    def _find_rivals(self, form: str, lemma: str, rest: str, same: bool) -> tuple[list[_Deed], Floats]:
        """Return the deeds that one excludes, and their weights.

        A past participle needs another preposition than a doer's "by".
        """
        excluded = self._excluded(lemma, not (same and rest)) if form != "ed" or rest not in ("", "by") else ()
        found = [deed for deed in self._deeds.get(form, ()) if deed.lemma in excluded and (deed.rest == rest) == same
                 and (form != "ed" or deed.rest not in ("", "by"))]
        return found, np.array([deed.weight for deed in found])


def one_way(caption: str, graph: SceneGraph, facts: Facts) -> Iterator[Relation]:
    """Yield the relations that turn false when subject and object change places."""
    for relation in graph.relations:
        verb = verb_of(caption, relation)
        back = _names(graph, relation)[::-1]
        if can_swap(relation.name, verb.lemma if verb else "") and not _is_said(facts, back, relation.name):
            yield relation


def _opposite(caption: str, graph: SceneGraph, relation: Relation, verb: SaidVerb | None, facts: Facts,
              rng: np.random.Generator) -> Iterator[Said]:
    if len(relation.spans) > 1:
        return
    span = relation.spans[0]
    said = span.of(caption)
    found = opposites(said, relation.name, verb.lemma if verb else "")
    for i in rng.permutation(len(found)):
        to = _named(relation, verb, said, found[i])
        if not _is_said(facts, _names(graph, relation), to):
            yield Said(Place.of(caption, span.start, span.end), found[i], f"relation: {relation.name} -> {to}")


def _other_ways(caption: str, graph: SceneGraph, relation: Relation, facts: Facts,
                rng: np.random.Generator) -> Iterator[Said]:
    """Yield the other directions in all their words, where boxes show them false; without boxes the opposite."""
    way, span = _WAY_OF.get(relation.name, ""), relation.spans[0]
    if not way or len(relation.spans) > 1 or "its" in span.of(caption).lower().split():
        return
    names = _names(graph, relation)
    one, other = (facts.boxes.get(name) for name in names)
    false = [new for new in _WAYS if new == _OPPOSITE[way]
             or (new != way and one and other and is_false(new, one, other))]
    ways = [(new, words) for new in false for words in _WAYS[new] if not _is_said(facts, names, new)]
    for i in rng.permutation(len(ways)):
        new, words = ways[i]
        yield Said(Place.of(caption, span.start, span.end), words, f"relation: {relation.name} -> {new}")


def _both(first: Iterator[Said], second: Iterator[Said]) -> Iterator[Said]:
    yield from first
    yield from second


def _said_once(graph: SceneGraph) -> Sequence[Relation]:
    """Return one relation for each run of words: "a man and a woman sit on a bench" says "sit on" once."""
    return list({relation.spans: relation for relation in reversed(graph.relations)}.values())[::-1]


def _names(graph: SceneGraph, relation: Relation) -> tuple[str, str]:
    return graph.things[relation.subject].name, graph.things[relation.object].name


def _is_said(facts: Facts, names: tuple[str, ...], relation: str) -> bool:
    way = _WAY_OF.get(relation, relation)
    return any((one, other) == tuple(names) and _WAY_OF.get(name, name) == way for one, name, other in facts.relations)


def _named(relation: Relation, verb: SaidVerb | None, said: str, new: str) -> str:
    """Return the name of an exchanged relation: "left of" said "to the left of" and now "to the right of"."""
    if relation.name in ("left of", "right of"):
        return _OPPOSITE[relation.name]
    if not verb:
        return new.lower()
    kept = len(said) - len(verb.rest)
    return f"{verb.lemma} {new[kept:]}".strip()
