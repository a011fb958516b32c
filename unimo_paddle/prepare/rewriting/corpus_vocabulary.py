"""What the captions of a corpus speak of, and how often: what exchanges are drawn from.

Counted from the scene graphs, shard by shard; the sums are what is kept, and a vocabulary is made from them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from unimo_paddle.errors import UserError
from unimo_paddle.files import atomic_write, read_text
from unimo_paddle.prepare.rewriting.english import number_of, plural
from unimo_paddle.prepare.rewriting.lemmas import verb_lemma
from unimo_paddle.prepare.rewriting.scene_graph import Relation, SceneGraph, Thing
from unimo_paddle.prepare.rewriting.word_tables import PREPOSITIONS

SCHEMA = 1
MOST = 10_000            # entries of one kind that are drawn from, the most frequent ones
FLATTENED = 0.75         # entries are drawn in proportion to count ** FLATTENED
MADE_PLURAL = 0.1        # a plural that was never seen counts as a tenth of its singular

Pool = Literal["singular", "plural", "bare"]   # bare: singular without an article ("water", "playing tennis")
POOLS: tuple[Pool, ...] = ("singular", "plural", "bare")

_COUNTED = re.compile(r"\b(a|an|one|another|each|every|either|single)(\s+[\w'’-]+){0,1}\s+$", re.IGNORECASE)
_DEFINITE = re.compile(r"(\b(the|this|that|his|her|its|their|my|your|our)|['’]s)\s+$", re.IGNORECASE)
_ANY_ARTICLE = re.compile(r"\ban?\b", re.IGNORECASE)
_ITEM = r"(?:(?!(?:with|of|in|on|at|near|and|is|are)\b)[\w'’-]+\s*){1,3}"
# "a cup, plate and" in front of "bowl": the article is said for all.
_LISTED = re.compile(rf"\ban?\s+{_ITEM}(?:,\s*{_ITEM})*(?:,\s*and|,|\band)\s+$", re.IGNORECASE)
_GOES_ON = re.compile(r"\s+of\b|['’](?:s\b|\s)", re.IGNORECASE)
_PREPOSITIONS = frozenset(PREPOSITIONS.split())
_FIRST = re.compile(r"(^|[.!?]\s)\W*$")
_INITIAL = "^"           # begins a key that was seen at the beginning of a sentence, where any word has a capital


@dataclass
class VocabularyCounts:
    """How often captions say what; counts of parts of a corpus can be added.

    nouns: (pool, name, as written).  attributes: (name, as written).  verbs: (form, what follows the verb, as written,
    lemma).  phrases: (pool, name of the noun, the noun as written, whole phrase as written).
    """

    nouns: Counter[tuple[str, ...]] = field(default_factory=Counter)
    attributes: Counter[tuple[str, ...]] = field(default_factory=Counter)
    verbs: Counter[tuple[str, ...]] = field(default_factory=Counter)
    phrases: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def __add__(self, other: VocabularyCounts) -> VocabularyCounts:
        """Return the counts of both."""
        return VocabularyCounts(*(getattr(self, table.name) + getattr(other, table.name) for table in fields(self)))

    def save(self, path: Path) -> None:
        """Write JSON; the same counts give the same bytes."""
        tables = {table.name: sorted([*key, count] for key, count in getattr(self, table.name).items())
                  for table in fields(self)}
        with atomic_write(path, "w") as file:
            json.dump({"schema": SCHEMA, **tables}, file, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def load(cls, path: Path) -> VocabularyCounts:
        """Read what save wrote; UserError when the file is something else."""
        try:
            content = json.loads(read_text(path))
            if content["schema"] != SCHEMA:
                raise ValueError(f"schema {content['schema']}, not {SCHEMA}")
            return cls(*(Counter({_key(row): int(row[-1]) for row in content[table.name]}) for table in fields(cls)))
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise UserError(f"{path} is no vocabulary of a corpus ({error}); remove it and rewrite again") from error


@dataclass(frozen=True)
class Noun:
    """written: as it goes into a caption; name: lower case, singular; phrase: with its adjectives, "" without."""

    written: str
    name: str
    weight: float
    phrase: str = ""


@dataclass(frozen=True)
class Word:
    """An attribute or a verb as written ("Chinese", "riding"); name: in its dictionary form."""

    written: str
    name: str
    weight: float


@dataclass(frozen=True)
class CorpusVocabulary:
    """Entries to draw from, the most frequent first.

    verbs: by (form, what follows), e.g. ("ing", "on").  countable: names that mostly have an article when singular.
    """

    nouns: dict[Pool, tuple[Noun, ...]]
    phrases: dict[Pool, tuple[Noun, ...]]
    attributes: tuple[Word, ...]
    verbs: dict[tuple[str, str], tuple[Word, ...]]
    countable: frozenset[str] = frozenset()

    @classmethod
    def of(cls, counts: VocabularyCounts, min_count: int = 1) -> CorpusVocabulary:
        """Make a vocabulary of what was counted at least min_count times."""
        nouns = {pool: _nouns(counts.nouns, pool, min_count) for pool in POOLS}
        nouns["plural"] = (*nouns["plural"], *_made_plurals(nouns))
        bare = {noun.name: noun.weight for noun in nouns["bare"]}
        countable = frozenset(noun.name for noun in nouns["singular"] if noun.weight > bare.get(noun.name, 0.0))
        phrases = {pool: _phrases(counts.phrases, pool, min_count) for pool in POOLS}
        for table in (nouns, phrases):   # "Man surfing": a headline's noun would be no English elsewhere
            table["bare"] = tuple(noun for noun in table["bare"] if noun.name not in countable)
        verbs: dict[tuple[str, str], list[Word]] = {}
        for (form, rest, written, lemma), count in _frequent(counts.verbs, min_count):
            verbs.setdefault((form, rest), []).append(Word(written, lemma, _weight(count)))
        attributes = (Word(written, name, _weight(count))
                      for (name,), written, count in _written(counts.attributes, min_count))
        return cls(nouns, phrases, tuple(attributes), {key: tuple(words[:MOST]) for key, words in verbs.items()},
                   countable)

    def pool_of(self, caption: str, thing: Thing) -> Pool:
        """Return the pool of nouns that may stand in a thing's place; a headline's "man" is countable all the same."""
        pool = pool_of(caption, thing)
        headline = pool == "bare" and (thing.phrase.start == 0 or not _ANY_ARTICLE.search(caption))
        return "singular" if headline and thing.name in self.countable else pool


def count_graphs(captions: Iterable[str], graphs: Iterable[SceneGraph]) -> VocabularyCounts:
    """Count what captions say; their graphs in the same order."""
    counts = VocabularyCounts()
    for caption, graph in zip(captions, graphs, strict=True):
        for thing in graph.things:
            _count_thing(counts, caption, thing, {a.span for a in graph.attributes if graph.things[a.thing] == thing})
        for attribute in graph.attributes:
            counts.attributes[attribute.name, _shown(caption, attribute.span.start, attribute.span.of(caption))] += 1
        for relation in graph.relations:
            verb = verb_of(caption, relation)
            if verb:
                counts.verbs[verb.form, verb.rest, verb.word.lower(), verb.lemma] += 1
    return counts


def pool_of(caption: str, thing: Thing) -> Pool:
    """Return the pool of nouns that may stand in a thing's place without breaking the grammar."""
    if thing.number == "plural" or number_of(thing.span.of(caption)) == "plural":
        return "plural"
    before = caption[max(thing.phrase.start - 60, 0):thing.phrase.start]
    if _COUNTED.search(before):
        return "singular"
    mass = thing.number == "mass" or number_of(thing.name) == "mass"
    return "singular" if not mass and (_DEFINITE.search(before) or _LISTED.search(before)) else "bare"


def is_part_of_a_name(caption: str, thing: Thing) -> bool:
    """Tell whether the noun goes on in words that the thing leaves out ("piece of cake", "plumber's wrench")."""
    return bool(_GOES_ON.match(caption, thing.phrase.end))


@dataclass(frozen=True)
class SaidVerb:
    """The main verb of a relation: caption[start:end] is `word`, in a form (ing, s, ed, base), then comes `rest`."""

    start: int
    end: int
    word: str
    form: str
    lemma: str
    rest: str


def verb_of(caption: str, relation: Relation) -> SaidVerb | None:
    """Return the verb of a relation that has one, in one run of words ("is sitting on": "sitting", rest "on")."""
    lemma, _, rest = relation.name.partition(" ")
    if lemma in _PREPOSITIONS:
        return None
    span = relation.spans[0]
    for match in re.finditer(r"[\w'’-]+", span.of(caption)):
        word = match.group().lower()
        form = _form(word, lemma)
        if form and caption[span.start + match.end():span.end].lower().split() == rest.split():
            return SaidVerb(span.start + match.start(), span.start + match.end(), match.group(), form, lemma, rest)
    return None


def _form(word: str, lemma: str) -> str:
    """Return the form that a word is of a lemma, "" when it is none."""
    for form, tag in (("ing", "VBG"), ("ed", "VBN"), ("s", "VBZ")):
        if word != lemma and word.endswith(form) and verb_lemma(word, tag) == lemma:
            return form
    if word == lemma:
        return "base" if verb_lemma(word + "ing", "VBG") in (lemma, lemma.rstrip("e")) else ""
    return "ed" if verb_lemma(word, "VBN") == lemma else ""


def _count_thing(counts: VocabularyCounts, caption: str, thing: Thing, described: set[Any]) -> None:
    if is_part_of_a_name(caption, thing):
        return
    pool = pool_of(caption, thing)
    counts.nouns[pool, thing.name, _shown(caption, thing.span.start, thing.span.of(caption))] += 1
    if described and thing.phrase.start < thing.span.start and thing.phrase.end == thing.span.end:
        phrase = _shown(caption, thing.phrase.start, thing.phrase.of(caption))
        counts.phrases[pool, thing.name, thing.span.of(caption), phrase] += 1


def _shown(caption: str, start: int, text: str) -> str:
    """Return text as a key that knows whether its capital may be the sentence's."""
    return _INITIAL + text[:1].lower() + text[1:] if _FIRST.search(caption[:start]) else text


def _written(counter: Counter[tuple[str, ...]], min_count: int) -> Iterator[tuple[tuple[str, ...], str, int]]:
    """Yield (key, as mostly written inside a sentence, count) for keys whose last part is as written."""
    spellings: dict[tuple[str, ...], Counter[str]] = {}
    for key, count in counter.items():
        spellings.setdefault(key[:-1], Counter())[key[-1]] += count
    for key, seen in sorted(spellings.items(), key=lambda each: (-each[1].total(), each[0])):
        if seen.total() >= min_count:
            best = min(seen.items(), key=lambda each: (each[0].startswith(_INITIAL), -each[1], each[0]))
            yield key, best[0].removeprefix(_INITIAL), seen.total()


def _frequent(counter: Counter[tuple[str, ...]], min_count: int) -> list[tuple[tuple[str, ...], int]]:
    return sorted(((key, count) for key, count in counter.items() if count >= min_count),
                  key=lambda each: (-each[1], each[0]))


def _nouns(counter: Counter[tuple[str, ...]], pool: Pool, min_count: int) -> tuple[Noun, ...]:
    mine = Counter({key[1:]: count for key, count in counter.items() if key[0] == pool})
    return tuple(Noun(written, name, _weight(count)) for (name,), written, count in _written(mine, min_count))[:MOST]


def _phrases(counter: Counter[tuple[str, ...]], pool: Pool, min_count: int) -> tuple[Noun, ...]:
    mine: Counter[tuple[str, ...]] = Counter()
    for (of, name, noun, phrase), count in counter.items():
        if of == pool:
            mine[name, noun.lower(), phrase.lower().removeprefix(_INITIAL), phrase] += count
    made = (Noun(phrase[len(phrase) - len(noun):], name, _weight(count), phrase)
            for (name, noun, _), phrase, count in _written(mine, min_count))
    return tuple(made)[:MOST]


def _made_plurals(nouns: dict[Pool, tuple[Noun, ...]]) -> Iterator[Noun]:
    """Yield plurals of names that were seen in the singular only."""
    seen = {noun.name for noun in nouns["plural"]}
    for noun in nouns["singular"]:
        if noun.name not in seen and number_of(noun.name) == "singular":
            yield Noun(plural(noun.written), noun.name, noun.weight * MADE_PLURAL**FLATTENED)


def _weight(count: int) -> float:
    return float(count**FLATTENED)


def _key(row: list[Any]) -> tuple[str, ...]:
    if not all(isinstance(part, str) for part in row[:-1]):
        raise ValueError(f"{row!r} is no entry")
    return tuple(row[:-1])
