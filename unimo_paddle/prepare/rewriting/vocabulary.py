"""Objects, attributes and relations by name, and where a caption mentions them.

Reads the files of bottom-up-attention's data/genome/1600-400-20: one entry a line, its synonyms separated by commas.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from unimo_paddle.errors import UserError
from unimo_paddle.files import read_text
from unimo_paddle.prepare.rewriting.english import number_of, plural, words

FILES = {"object": "objects_vocab.txt", "attribute": "attributes_vocab.txt", "relation": "relations_vocab.txt"}
# In the relation list of Visual Genome, but too empty to be false when exchanged ("a group of people").
_EMPTY = frozenset({"a", "an", "the", "of", "to", "and", "is", "has", "are", "be"})
_SIDES = ("left of", "right of")   # captions say "to the left of", the vocabulary "left of"


@dataclass(frozen=True)
class Entry:
    """One line of a vocabulary. names: the first is the one that is written; number: english.number_of (objects)."""

    kind: str
    names: tuple[str, ...]
    number: str

    @cached_property
    def heads(self) -> frozenset[str]:
        """The nouns of each name, and their plurals: things that share one are not told apart ("guide dog", "dog")."""
        names = self.names if self.kind != "relation" else ()
        last = {part.lower().split(" ")[-1] for name in names for part in name.split(" of ")}
        return frozenset(last | ({plural(word) for word in last} if self.kind == "object" else set()))

    def written(self, as_plural: bool) -> str:
        """Return the name as it goes into a caption."""
        if self.names[0] in _SIDES:
            return f"to the {self.names[0]}"
        return plural(self.names[0]) if as_plural and self.number != "plural" else self.names[0]


@dataclass(frozen=True)
class Node:
    """A mention: caption[start:end] names entry number `entry`. number: singular, plural or mass, as mentioned."""

    entry: int
    start: int
    end: int
    number: str


class Vocabulary:
    """Entries, and the search for them in captions."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)
        self._index: dict[tuple[str, ...], dict[str, tuple[int, str]]] = {}
        self._longest: dict[str, int] = {}
        for number, entry in enumerate(self.entries):
            for name in entry.names:
                self._enter(name, entry.kind, number, entry.number)
        for number, entry in enumerate(self.entries):   # afterwards: a name in the list goes before a made plural
            for name in entry.names if entry.kind == "object" and entry.number == "singular" else ():
                self._enter(plural(name), entry.kind, number, "plural")

    def find(self, caption: str) -> list[Node]:
        """Return the mentions from left to right, the longest at each place, none overlapping another.

        A word that is both an attribute and an object is an attribute in front of an object ("orange cat").
        """
        tokens = words(caption)
        nodes: list[Node] = []
        place = 0
        while place < len(tokens):
            length, senses = self._longest_match(tokens, place)
            if not length:
                place += 1
                continue
            entry, number = senses[self._choose(senses, tokens, place + length)]
            start = tokens[place][1]
            if self.entries[entry].names[0] in _SIDES:
                start = _with_to_the(tokens, place)
            nodes.append(Node(entry, start, tokens[place + length - 1][2], number))
            place += length
        return nodes

    def objects_named(self, names: Iterable[str]) -> set[int]:
        """Return the object entries that a detector's class names stand for."""
        senses = (self._index.get(tuple(word for word, _, _ in words(name)), {}) for name in names)
        return {found["object"][0] for found in senses if "object" in found}

    def _enter(self, name: str, kind: str, entry: int, number: str) -> None:
        key = tuple(word for word, _, _ in words(name))
        if key:
            self._index.setdefault(key, {}).setdefault(kind, (entry, number))
            self._longest[key[0]] = max(self._longest.get(key[0], 0), len(key))

    def _longest_match(self, tokens: list[tuple[str, int, int]],
                       place: int) -> tuple[int, dict[str, tuple[int, str]]]:
        for length in range(self._longest.get(tokens[place][0], 0), 0, -1):
            senses = self._index.get(tuple(word for word, _, _ in tokens[place:place + length]))
            if senses and place + length <= len(tokens):
                return length, senses
        return 0, {}

    def _choose(self, senses: dict[str, tuple[int, str]], tokens: list[tuple[str, int, int]], after: int) -> str:
        if len(senses) == 1 or "relation" in senses:
            return "relation" if "relation" in senses else next(iter(senses))
        before_object = after < len(tokens) and "object" in self._longest_match(tokens, after)[1]
        return "attribute" if before_object else "object"


def read_vocabulary(folder: Path) -> Vocabulary:
    """Read the three files of a folder; UserError names all that are missing or empty."""
    missing = [name for name in FILES.values() if not (folder / name).is_file()]
    if missing:
        raise UserError(f"the vocabulary folder {folder} lacks {', '.join(missing)} (one entry a line, synonyms "
                        f"separated by commas, as in bottom-up-attention's data/genome/1600-400-20)")
    entries: list[Entry] = []
    for kind, name in FILES.items():
        found = [entry for line in read_text(folder / name).splitlines() if (entry := _entry(kind, line))]
        if not found:
            raise UserError(f"{folder / name} has no entries")
        entries += found
    return Vocabulary(entries)


def _entry(kind: str, line: str) -> Entry | None:
    names = tuple(dict.fromkeys(" ".join(name.split()) for name in line.split(",") if name.strip()))
    if not names or (kind == "relation" and _EMPTY.issuperset(names[0].lower().split(" "))):
        return None
    return Entry(kind, names, number_of(names[0]) if kind == "object" else "singular")


def _with_to_the(tokens: list[tuple[str, int, int]], place: int) -> int:
    """Return where "to the left of" begins when place is at "left"."""
    in_front = [word for word, _, _ in tokens[max(place - 2, 0):place]]
    return tokens[place - 2][1] if in_front in (["to", "the"], ["on", "the"]) else tokens[place][1]
