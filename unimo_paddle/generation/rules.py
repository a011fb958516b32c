"""What may follow a text, and with which probability: bans, least length, no word trigram twice, answers of a trie."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.errors import UserError
from unimo_paddle.generation.trie import Trie
from unimo_paddle.generation.types import Ids, Partial
from unimo_paddle.task_spec import Decoding

REPEATED = -65000.0   # the release's, added to the log-probability of what would say a trigram again
GROUP = 256           # numbers of which the largest is found first

Row = NDArray[np.float32]


@dataclass(frozen=True)
class Follow:
    """What may follow one text.

    logits: float32 [V], -inf what may not; log_sum: log of the sum of their exponentials.  allowed: int64, ascending,
    the only tokens considered, None for all: the others keep their share of the probability, so that answers are
    compared by what the model itself thinks of them.
    """

    logits: Row
    log_sum: float
    allowed: NDArray[np.int64] | None = None

    def best(self, count: int, less: Mapping[int, float]) -> list[tuple[int, float]]:
        """Return the `count` best tokens with their log-probabilities, best first by that minus less[token] (0 where
        absent, never negative); of equals the lower id. Fewer where fewer may follow."""
        # At most so many of the best can fall behind.
        tokens, values = self.top(count + len(less))
        pairs = list(zip(tokens.tolist(), (values.astype(np.float64) - self.log_sum).tolist(), strict=True))
        if less:
            pairs.sort(key=lambda pair: less.get(pair[0], 0.0) - pair[1])
        return pairs[:count]

    def top(self, count: int) -> tuple[NDArray[np.int64], Row]:
        """Return the `count` best tokens, int64, and their logits, float32, best first; of equals the lower id."""
        if self.allowed is None:
            tokens = largest(self.logits, count)
            values = self.logits[tokens]
        else:
            some = self.logits[self.allowed]
            order = largest(some, count)
            tokens, values = self.allowed[order], some[order]
        possible = values > -np.inf
        return tokens[possible], values[possible]


class Rules:
    """The rules of one call of generate()."""

    def __init__(self, decoding: Decoding, ids: Ids, trie: Trie | None) -> None:
        self._least, self._ids, self._trie = decoding.least, ids, trie
        self._word_start = ids.word_start if decoding.block_trigrams else None
        self._banned = np.array(ids.banned, np.int64)

    def begin(self) -> Partial:
        """Return a text without tokens."""
        return Partial(node=self._trie.root if self._trie else None)

    def grown(self, text: Partial, token: int, log_probability: float) -> Partial:
        """Return a text with one token more. log_probability: of the whole."""
        node = text.node.children[token] if text.node else None
        return Partial((*text.ids, token), log_probability, node)

    def follow(self, text: Partial, logits: Row) -> Follow:
        """Say what may follow a text. logits: float32 [V], changed in place."""
        logits[self._banned] = -np.inf
        # Before probabilities are made of them, as in the release: what is hidden leaves its share to the others.
        if len(text.ids) < self._least:
            logits[self._ids.end] = -np.inf
        log_sum = log_sum_exp(logits)
        if self._word_start is not None:
            for token in repeating(text.ids, self._word_start, self._ids.start):
                logits[token] += REPEATED
        if text.node is None:
            return Follow(logits, log_sum)
        tokens = text.node.tokens
        if text.node.is_answer:
            tokens = np.sort(np.append(tokens, self._ids.end))
        return Follow(logits, log_sum, tokens)


def log_sum_exp(x: Row) -> float:
    """Return log(sum(exp(x))) of float32 [V], -inf only where all are."""
    most = float(x.max())
    return most + math.log(np.exp(x - np.float32(most)).sum()) if most > -np.inf else most


def largest(x: Row, count: int) -> NDArray[np.int64]:
    """Return the places of the `count` largest numbers of float32 [V], int64, largest first; of equals the first.

    No number below the count-th largest of the groups' maxima can be among them: one pass instead of a partition.
    """
    groups = len(x) // GROUP
    if groups > count:
        maxima = x[: groups * GROUP].reshape(GROUP, groups).max(axis=0)
        places = np.flatnonzero(x >= np.partition(maxima, -count)[-count])
    else:
        places = np.arange(len(x))
    order = np.argsort(-x[places], kind="stable")[:count]
    found: NDArray[np.int64] = places[order]
    return found


def repeating(ids: Sequence[int], word_start: NDArray[np.bool_], start: int) -> set[int]:
    """Return the tokens after which the last three words of a text, the last perhaps unfinished, were there before.

    Words are tokens up to the next that opens one; the start token is the first word's first (release, section 10).
    """
    words: list[tuple[int, ...]] = [(start,)]
    for token in ids:
        if word_start[token]:
            words.append((token,))
        else:
            words[-1] = (*words[-1], token)
    found = set()
    last = words[-1]
    for first, second, third in zip(words, words[1:], words[2:], strict=False):
        # Either the token opens a word of its own, or it goes on with the last one.
        if len(words) > 1 and (first, second) == (words[-2], last) and len(third) == 1 and word_start[third[0]]:
            found.add(third[0])
        if len(words) > 2 and (first, second) == (words[-3], words[-2]) and third[:-1] == last:
            found.add(third[-1])
    return found


def check(decoding: Decoding, ids: Ids, trie: Trie | None) -> None:
    """Raise UserError, naming the setting, when a text cannot be generated so."""
    at, never = decoding, {ids.end, *ids.banned}
    faults = {
        f"method {at.method!r} is none of greedy, beam, diverse, nucleus":
            at.method not in ("greedy", "beam", "diverse", "nucleus"),
        f"normalise {at.normalise!r} is none of release, gnmt, length":
            at.normalise not in ("release", "gnmt", "length"),
        f"beams must be 1 or more, not {at.beams}": at.beams < 1,
        f"beams {at.beams} cannot be shared by {at.groups} groups evenly; make it a multiple":
            at.method == "diverse" and (at.groups < 1 or at.beams % at.groups != 0),
        f"most {at.most} must be more than least {at.least}, and least 0 or more": not 0 <= at.least < at.most,
        f"top_p must be above 0 and at most 1, not {at.top_p}": not 0 < at.top_p <= 1,
        f"temperature must be above 0, not {at.temperature}": at.temperature <= 0,
        f"diversity must be 0 or more, not {at.diversity}": at.diversity < 0,
        f"end {ids.end} is among the banned ids": ids.end in ids.banned,
        "block_trigrams needs to know which tokens open a word": at.block_trigrams and ids.word_start is None,
        f"least must be 0 where answers are given, not {at.least}": trie is not None and at.least > 0,
        f"the answers hold the end or banned ids: {sorted(never & trie.tokens)[:5] if trie else ()}":
            trie is not None and bool(never & trie.tokens),
        f"most {at.most} is too few for the longest answer, {trie.longest + 1 if trie else 0} with its end":
            trie is not None and trie.longest >= at.most,
    }  # fmt: skip
    wrong = [fault for fault, is_so in faults.items() if is_so]
    if wrong:
        raise UserError("decoding: " + "; ".join(wrong))
