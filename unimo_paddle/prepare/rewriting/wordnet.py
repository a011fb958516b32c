"""Reads Princeton's WordNet as Debian's package wordnet-base installs it: senses, and the pointers between them.

A small reader of our own: the files are sorted and every pointer is a byte offset, so they are mapped into memory and
read where they are asked (NLTK's reader loads the whole index first, two seconds and 150 MB in every worker, and wants
files that this package does not have). The format is described in wndb(5WN).
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from unimo_paddle.errors import UserError

FOLDER = Path("/usr/share/wordnet")
PARTS = {"n": "noun", "v": "verb", "a": "adj"}

# Pointers (wninput(5WN)) by what they mean to us.
HYPERNYMS = ("@", "@i")
WHOLES = ("#p", "#m", "#s")
ANTONYM, SIMILAR, PERTAINS, ENTAILS, CAUSES, VERB_GROUP = "!", "&", "\\", "*", ">", "$"

# Lexicographer files (lexnames(5WN)) by number.
ACT, ANIMAL, ARTIFACT, BODY, FOOD, LOCATION, OBJECT, PERSON, PLANT, SUBSTANCE = 4, 5, 6, 8, 13, 15, 17, 18, 20, 27


@dataclass(frozen=True)
class Pointer:
    """To a synset, or from word `source` of this one to word `target` of that one (both 0 when among synsets)."""

    symbol: str
    offset: int
    part: str
    source: int
    target: int


@dataclass(frozen=True)
class Synset:
    """words: in small letters, "_" for a space; file: the number of its lexicographer file."""

    words: tuple[str, ...]
    file: int
    pointers: tuple[Pointer, ...]

    def targets(self, symbols: Iterable[str]) -> list[int]:
        """Return the offsets that the pointers with one of the symbols lead to, in the same part of speech."""
        return [pointer.offset for pointer in self.pointers if pointer.symbol in symbols]


class WordNet:
    """An opened word net. Part of speech: "n", "v" or "a"; a sense is the byte offset of its synset in that part."""

    def __init__(self, folder: Path = FOLDER) -> None:
        """Raises UserError that names every missing file and the package that has them."""
        names = [f"{kind}.{part}" for part in PARTS.values() for kind in ("index", "data")]
        missing = [name for name in names if not (folder / name).is_file()]
        if missing:
            raise UserError(f"there is no word net in {folder} ({', '.join(missing)} missing); without one nothing "
                            f"tells whether a negative is false. Install it with: apt-get install wordnet-base")
        self.folder = folder
        self._files = {name: _map(folder / name) for name in names}
        self._senses: dict[tuple[str, str], tuple[int, ...]] = {}
        self._synsets: dict[tuple[str, int], Synset] = {}
        self._above: dict[tuple[str, int], frozenset[int]] = {}

    def senses(self, word: str, part: str) -> tuple[int, ...]:
        """Return the senses of a dictionary form ("fire engine"), the commonest first; none when it is not listed."""
        key = word.lower().replace(" ", "_"), part
        if key not in self._senses:
            lines = self._files[f"index.{PARTS[part]}"]
            fields = _find(lines, key[0].encode() + b" ").split() if key[0].strip("_") else []
            self._senses[key] = tuple(int(field) for field in fields[-int(fields[2]):]) if fields else ()
        return self._senses[key]

    def synset(self, offset: int, part: str) -> Synset:
        """Return the synset at an offset that this word net gave; UserError when the file is damaged there."""
        key = part, offset
        if key not in self._synsets:
            name = f"data.{PARTS[part]}"
            data = self._files[name]
            line = data[offset:data.find(b"\n", offset)].decode("latin-1")
            try:
                self._synsets[key] = _synset(line, offset)
            except (ValueError, IndexError) as error:
                raise UserError(f"{self.folder / name} has no synset at byte {offset}: {line[:60]!r} ({error}); "
                                f"reinstall wordnet-base") from error
        return self._synsets[key]

    def above(self, offset: int, part: str) -> frozenset[int]:
        """Return a sense and all that it is a kind of, up to the root."""
        key = part, offset
        if key not in self._above:
            self._above[key] = self.reach([offset], part, HYPERNYMS) | {offset}
        return self._above[key]

    def reach(self, offsets: Iterable[int], part: str, symbols: Iterable[str]) -> frozenset[int]:
        """Return what the symbols lead to from the offsets, and on from there; the offsets only where led to again."""
        found: set[int] = set()
        ahead = list(offsets)
        while ahead:
            new = set(self.synset(ahead.pop(), part).targets(symbols)) - found
            found |= new
            ahead += new
        return frozenset(found)

    def antonyms(self, word: str, part: str) -> Iterator[tuple[int, str]]:
        """Yield (synset, word) of each direct antonym of each sense of a word."""
        key = word.lower().replace(" ", "_")
        for sense in self.senses(word, part):
            synset = self.synset(sense, part)
            for pointer in synset.pointers:
                if pointer.symbol == ANTONYM and synset.words[pointer.source - 1] == key:
                    yield pointer.offset, self.synset(pointer.offset, part).words[pointer.target - 1]


def _map(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        try:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as error:
            raise UserError(f"{path} is empty; reinstall wordnet-base") from error


def _find(lines: mmap.mmap, start: bytes) -> str:
    """Return the line that begins with `start` among sorted lines, or ""."""
    low, high = 0, len(lines)
    while low < high:
        middle = (low + high) // 2
        begin = lines.rfind(b"\n", 0, middle) + 1
        end = lines.find(b"\n", begin)
        end = len(lines) if end < 0 else end
        line = lines[begin:end]
        if line.startswith(start):
            return line.decode("latin-1")
        low, high = (end + 1, high) if line < start else (low, begin)
    return ""


def _synset(line: str, offset: int) -> Synset:
    """Read "offset file type words {word id} pointers {symbol offset part source/target} ... | gloss"."""
    fields = line.partition(" | ")[0].split()
    if int(fields[0]) != offset:
        raise ValueError("another offset stands there")
    count = int(fields[3], 16)
    words = tuple(word.lower().partition("(")[0] for word in fields[4:4 + 2 * count:2])
    first = 5 + 2 * count
    pointers = [fields[place:place + 4] for place in range(first, first + 4 * int(fields[first - 1]), 4)]
    return Synset(words, int(fields[1]), tuple(
        Pointer(symbol, int(target), "a" if part == "s" else part, int(ends[:2], 16), int(ends[2:], 16))
        for symbol, target, part, ends in pointers))
