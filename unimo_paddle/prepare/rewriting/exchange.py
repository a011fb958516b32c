"""Phrase- and word-level negatives: nodes of a caption's scene graph exchanged for others of their kind.

Paper section 2.1. A negative has to be false of the image and good English; when in doubt it is not made.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, combinations, cycle, islice, pairwise, zip_longest

import numpy as np

from unimo_paddle.corpus import Negative
from unimo_paddle.prepare.rewriting.attribute_choice import AttributeChoice
from unimo_paddle.prepare.rewriting.contrast import Contrast
from unimo_paddle.prepare.rewriting.corpus_vocabulary import CorpusVocabulary, Noun, is_part_of_a_name
from unimo_paddle.prepare.rewriting.english import Place, normalise, replace_places
from unimo_paddle.prepare.rewriting.facts import Facts
from unimo_paddle.prepare.rewriting.likeness import Likeness
from unimo_paddle.prepare.rewriting.noun_choice import Mask, NounChoice, says_nothing
from unimo_paddle.prepare.rewriting.relation_choice import RelationChoice, Said, one_way
from unimo_paddle.prepare.rewriting.scene_graph import Attribute, SceneGraph, Span, Thing
from unimo_paddle.prepare.rewriting.wordnet import WordNet

LEVELS = ("phrase", "word")
# What these deny or leave open does not turn false when a word is exchanged.
_DENIED = re.compile(r"\b(no|not|without|never|none|nothing|nobody|neither|nor|or|except|instead|unlike|if)\b|n['’]t\b",
                     re.IGNORECASE)
_WHO = re.compile(r",?\s+(who|whom|whose|himself|herself)\b", re.IGNORECASE)
PHRASES_A_NOUN = 4   # a phrase with adjectives is exchanged for a noun alone once in so many times


@dataclass(frozen=True)
class Change:
    """Words for places of the caption, and how to name that: "object: dog -> sheep"."""

    edits: tuple[tuple[Place, str], ...]
    label: str


@dataclass(frozen=True)
class Subject:
    """A caption at work: what is known of it and its image, and its own random numbers."""

    caption: str
    graph: SceneGraph
    facts: Facts
    ruled_out: Mask
    count: int
    rng: np.random.Generator

    def place(self, span: Span) -> Place:
        """Return a place of the caption."""
        return Place.of(self.caption, span.start, span.end)

    @cached_property
    def things(self) -> list[Thing]:
        """The things that may be exchanged without breaking a name ("piece of cake") or a clause ("who")."""
        return [thing for thing in self.graph.things if not is_part_of_a_name(self.caption, thing)
                and not _WHO.match(self.caption, thing.phrase.end)]


class Exchanger:
    """Makes the negatives of captions of one corpus; keeps what it has looked up."""

    def __init__(self, vocabulary: CorpusVocabulary, net: WordNet) -> None:
        self._likeness, contrast = Likeness(net), Contrast(net)
        self._nouns = NounChoice(vocabulary, self._likeness)
        self._attributes = AttributeChoice(vocabulary, self._likeness, contrast)
        self._relations = RelationChoice(vocabulary, contrast)
        self._vocabulary = vocabulary
        spelt = [noun.written for nouns in vocabulary.nouns.values() for noun in nouns]
        self._proper = {words.split(" ")[0] for words in spelt if words[:1].isupper()}

    def negatives(self, pair_id: str, caption: str, graph: SceneGraph, facts: Facts, level: str, count: int,
                  seed: int) -> list[Negative]:
        """Return up to `count` different negatives of a level, the same for the same (seed, pair_id, level).

        graph: the caption's.  None brings in what the facts hold, nor equals one of their captions.  Fewer, or none,
        when the caption names little or denies something.
        """
        if level not in LEVELS:
            raise ValueError(f"level {level!r} is not one of {', '.join(LEVELS)}")
        if not graph.things or _DENIED.search(caption) or count < 1:
            return []
        rng = np.random.default_rng((seed, zlib.crc32(pair_id.encode()), LEVELS.index(level)))
        names = facts.names.union(thing.name for thing in graph.things)
        subject = Subject(caption, graph, facts, self._nouns.ruled_out(names), count, rng)
        changes = self._word_changes(subject) if level == "word" else self._phrase_changes(subject)
        found: dict[str, Negative] = {}
        for change in filter(_apart, _in_turn(changes)):
            text = replace_places(caption, change.edits)
            key = normalise(text)
            if key not in facts.captions and key not in found:
                found[key] = Negative(text, level, change.label)
                if len(found) == count:
                    break
        return list(found.values())

    def tells_apart(self, graph: SceneGraph, facts: Facts) -> bool:
        """Tell whether a caption with this graph names a thing that an image with these facts lacks."""
        return any(self._nouns.brings_in(thing.name, facts.names) for thing in graph.things)

    def _word_changes(self, subject: Subject) -> list[Iterator[Change]]:
        """Return the changes of each node."""
        things = [self._renamed(subject, thing, subject.count) for thing in subject.things]
        return [*things, *self._other_words(subject, subject.graph.attributes)]

    def _phrase_changes(self, subject: Subject) -> list[Iterator[Change]]:
        phrases = [self._rephrased(subject, thing) for thing in subject.things]
        swaps = [*self._sides_swapped(subject), *self._attributes_swapped(subject)]
        relations = self._relations.phrases(subject.caption, subject.graph, subject.facts, subject.rng)
        return [*phrases, *map(_as_changes, relations), iter(_shuffled(swaps, subject.rng)), self._two_nodes(subject)]

    def _other_words(self, subject: Subject, attributes: Iterable[Attribute]) -> list[Iterator[Change]]:
        """Return the changes of some attributes and of all relations."""
        relations = self._relations.words(subject.caption, subject.graph, subject.facts, subject.rng)
        return [*(self._recoloured(subject, attribute) for attribute in attributes), *map(_as_changes, relations)]

    def _renamed(self, subject: Subject, thing: Thing, count: int) -> Iterator[Change]:
        """Yield the thing's noun exchanged, wherever it is named again too."""
        places = [subject.place(span) for span in (thing.span, *thing.again)]
        for noun in self._drawn(subject, thing, count, phrases=False):
            yield Change(tuple((place, noun.written) for place in places), f"object: {thing.name} -> {noun.name}")

    def _drawn(self, subject: Subject, thing: Thing, count: int, phrases: bool) -> list[Noun]:
        pool = self._vocabulary.pool_of(subject.caption, thing)
        return self._nouns.draw(thing.name, pool, phrases, subject.ruled_out, count, subject.rng)

    def _recoloured(self, subject: Subject, attribute: Attribute) -> Iterator[Change]:
        """Yield an attribute exchanged for each that contrasts."""
        place = subject.place(attribute.span)
        rivals = self._attributes.rivals(subject.graph, attribute, subject.facts)
        for word in self._attributes.shuffled(rivals, subject.rng):
            yield Change(((place, word.written),), f"attribute: {attribute.name} -> {word.name}")

    def _rephrased(self, subject: Subject, thing: Thing) -> Iterator[Change]:
        """Yield the adjectives and the noun exchanged for those of another thing, or now and then for a noun alone."""
        again = [subject.place(span) for span in thing.again]
        phrase = subject.place(thing.phrase)
        old = self._inside(phrase, thing.phrase.of(subject.caption))
        drawn = self._drawn(subject, thing, subject.count, phrases=True)
        if thing.phrase != thing.span:
            few = len(drawn) // PHRASES_A_NOUN if drawn else subject.count
            drawn = list(_alternated(drawn, self._drawn(subject, thing, few, phrases=False)))
        for noun in drawn:
            new = noun.phrase or noun.written
            yield Change(((phrase, new), *((place, noun.written) for place in again)), f"phrase: {old} -> {new}")

    def _inside(self, place: Place, text: str) -> str:
        """Return words as they are written inside a sentence: a capital that only the beginning demands goes."""
        proper = text.split(" ")[0] in self._proper or text[1:2].isupper()
        return text[:1].lower() + text[1:] if place.opens and not proper else text

    def _sides_swapped(self, subject: Subject) -> Iterator[Change]:
        """Yield "a dog left of a cat" as "a cat left of a dog"."""
        for relation in one_way(subject.caption, subject.graph, subject.facts):
            one, other = subject.graph.things[relation.subject], subject.graph.things[relation.object]
            if self._may_swap(subject, one, other):
                change = self._swap(subject, one.phrase, other.phrase, f"swap: {one.name} <-> {other.name}")
                again = [(subject.place(span), self._inside(subject.place(new.span), new.span.of(subject.caption)))
                         for old, new in ((one, other), (other, one)) for span in old.again]
                yield Change((*change.edits, *again), change.label)

    def _may_swap(self, subject: Subject, one: Thing, other: Thing) -> bool:
        """Tell whether two things can change places: like in number, unlike in kind, neither a part of a name."""
        pools = {self._vocabulary.pool_of(subject.caption, thing) for thing in (one, other)}
        return (len(pools) == 1 and one in subject.things and other in subject.things
                and not says_nothing(one.name) and not says_nothing(other.name)
                and self._likeness.apart(one.name, other.name))

    def _attributes_swapped(self, subject: Subject) -> Iterator[Change]:
        """Yield "a red apple and a blue plate" as "a blue apple and a red plate"."""
        for one, other in combinations(subject.graph.attributes, 2):
            if one.thing != other.thing and self._attributes.may_swap(subject.graph, one, other, subject.facts):
                yield self._swap(subject, one.span, other.span, f"swap: {one.name} <-> {other.name}")

    def _swap(self, subject: Subject, one: Span, other: Span, label: str) -> Change:
        places = [subject.place(span) for span in (one, other)]
        first, second = (self._inside(place, subject.caption[place.start:place.end]) for place in places)
        return Change(((places[0], second), (places[1], first)), label)

    def _two_nodes(self, subject: Subject) -> Iterator[Change]:
        """Yield changes of a thing together with another node; the thing alone makes them false."""
        each = subject.count // max(len(subject.things), 1) + 1
        renamed = [list(self._renamed(subject, thing, each)) for thing in subject.things]
        turns = []
        for i, thing in enumerate(subject.things):
            attributes = [one for one in subject.graph.attributes if subject.graph.things[one.thing] != thing]
            second = _in_turn([*map(iter, renamed[i + 1:]), *self._other_words(subject, attributes)])
            pairs = zip(renamed[i], cycle(list(islice(second, each))), strict=False)
            turns.append(_together(*pair) for pair in pairs if pair[0].edits[0][1] != pair[1].edits[0][1])
        return _in_turn(turns)


def _as_changes(found: Iterable[Said]) -> Iterator[Change]:
    return (Change(((said.place, said.by),), said.label) for said in found)


def _in_turn(lists: Sequence[Iterator[Change]]) -> Iterator[Change]:
    """Yield the first of each, then the second of each, and so on."""
    return (change for row in zip_longest(*lists) for change in row if change is not None)


def _alternated(many: Sequence[Noun], few: Sequence[Noun]) -> Iterator[Noun]:
    """Yield a few nouns between many phrases, evenly; the few alone where there are no others."""
    step = max(len(many) // max(len(few), 1), 1)
    blocks: Iterator[tuple[Sequence[Noun], Sequence[Noun]]]
    blocks = zip_longest((many[i:i + step] for i in range(0, len(many), step)), ([noun] for noun in few), fillvalue=[])
    return chain.from_iterable((*block, *noun) for block, noun in blocks)


def _together(one: Change, other: Change) -> Change:
    return Change((*one.edits, *other.edits), f"{one.label}, {other.label}")


def _apart(change: Change) -> bool:
    """Tell whether no place of a change overlaps another."""
    places = sorted((place.start - len(place.article), place.end) for place, _ in change.edits)
    return all(end <= start for (_, end), (start, _) in pairwise(places))


def _shuffled(changes: Sequence[Change], rng: np.random.Generator) -> list[Change]:
    return [changes[i] for i in rng.permutation(len(changes))]
