"""Word-level negatives: one object, attribute or relation of a caption exchanged for another of its kind."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unimo_paddle.corpus import Negative
from unimo_paddle.prepare.rewriting.english import normalise, replace_span, words
from unimo_paddle.prepare.rewriting.vocabulary import Node, Vocabulary

# True of many pictures in which another relation holds too: an exchange for, or of, one of these is rarely false.
_VAGUE = frozenset(
    {"near", "next to", "by", "beside", "with", "at", "along", "around", "close to", "in", "for", "from"})
_TRIES = 4   # draws for each negative that is wanted; a draw that is true of the image or came before is given up

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Facts:
    """What may be true of an image: entries and words that no negative may bring in, and its captions normalised."""

    entries: frozenset[int]
    words: frozenset[str]
    captions: frozenset[str]

    def may_hold(self, vocabulary: Vocabulary, entry: int) -> bool:
        """Tell whether an entry, or something with the same noun, may be true of the image."""
        return entry in self.entries or not vocabulary.entries[entry].heads.isdisjoint(self.words)


def image_facts(vocabulary: Vocabulary, captions: Sequence[str], objects: Iterable[str] = ()) -> Facts:
    """Collect what an image's captions mention, and what a detector has found in it (class names, "eagle,bird")."""
    names = [name.strip() for several in objects for name in several.lower().split(",") if name.strip()]
    entries = {node.entry for caption in captions for node in vocabulary.find(caption)}
    entries |= vocabulary.objects_named(names)
    said = {word for caption in captions for word, _, _ in words(caption)}
    said |= {name.split()[-1] for name in names}
    said.update(*(vocabulary.entries[entry].heads for entry in entries))
    return Facts(frozenset(entries), frozenset(said), frozenset(map(normalise, captions)))


class WordRewriter:
    """Draws negatives for captions of one corpus.

    mentions: how often each entry of the vocabulary is mentioned in the corpus's captions, int [entries]; an entry is
    drawn in proportion to it, so that negatives are no rarer words than captions, and never when it is 0.
    """

    def __init__(self, vocabulary: Vocabulary, mentions: Counts) -> None:
        self.vocabulary = vocabulary
        self._pools: dict[tuple[str, str], tuple[Counts, npt.NDArray[np.float64]]] = {}
        for kind in ("object", "attribute", "relation"):
            for number in ("singular", "plural", "mass"):
                chosen = np.array([i for i, entry in enumerate(vocabulary.entries)
                                   if mentions[i] and entry.kind == kind and _fits(entry.number, number)
                                   and entry.names[0] not in _VAGUE], dtype=np.int64)
                self._pools[kind, number] = chosen, np.cumsum(mentions[chosen], dtype=np.float64)

    def rewrite(self, pair_id: str, caption: str, facts: Facts, count: int, seed: int) -> list[Negative]:
        """Return up to `count` different negatives, the same for the same (seed, pair_id).

        None brings in what facts hold, nor equals a caption of the image. Fewer when the caption mentions little.
        """
        nodes = [node for node in self.vocabulary.find(caption) if self._can_change(node)]
        if not nodes:
            return []
        rng = np.random.default_rng((seed, zlib.crc32(pair_id.encode())))
        seen: set[tuple[int, int]] = set()
        found: dict[str, Negative] = {}
        for which, where in rng.random((_TRIES * count, 2)):
            node = nodes[int(which * len(nodes))]
            chosen, heights = self._pool(node)
            entry = int(chosen[heights.searchsorted(where * heights[-1], side="right")])
            if (node.start, entry) in seen or facts.may_hold(self.vocabulary, entry):
                continue
            seen.add((node.start, entry))
            negative = self._exchange(caption, node, entry)
            key = normalise(negative.text)
            if key not in facts.captions:
                found.setdefault(key, negative)
            if len(found) == count:
                break
        return list(found.values())

    def _can_change(self, node: Node) -> bool:
        return len(self._pool(node)[0]) > 0 and self.vocabulary.entries[node.entry].names[0] not in _VAGUE

    def _pool(self, node: Node) -> tuple[Counts, npt.NDArray[np.float64]]:
        return self._pools[self.vocabulary.entries[node.entry].kind, node.number]

    def _exchange(self, caption: str, node: Node, entry: int) -> Negative:
        old, new = self.vocabulary.entries[node.entry], self.vocabulary.entries[entry]
        text = replace_span(caption, node.start, node.end, new.written(node.number == "plural"))
        return Negative(text, "word", f"{old.kind}: {old.names[0]} -> {new.names[0]}")


def count_mentions(vocabulary: Vocabulary, captions: Iterable[str]) -> Counts:
    """Return how often captions mention each entry, int64 [entries]."""
    mentions = np.zeros(len(vocabulary.entries), dtype=np.int64)
    for caption in captions:
        for node in vocabulary.find(caption):
            mentions[node.entry] += 1
    return mentions


def _fits(entry: str, mention: str) -> bool:
    """Tell whether an entry of a number can stand for a mention of a number without breaking the grammar."""
    return entry in ("singular", "plural") if mention == "plural" else entry == mention
