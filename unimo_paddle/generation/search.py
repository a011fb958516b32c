"""How texts are searched for: each class is one source's search, or one group's of it.

The caller asks the model about all texts of `live`, hands what may follow to extend(), and so on until none is live.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from unimo_paddle.generation.rules import Follow, Rules
from unimo_paddle.generation.types import Hypothesis, Partial
from unimo_paddle.task_spec import Decoding


class Search(Protocol):
    """live: texts that go on."""

    live: list[Partial]

    def extend(self, follows: Sequence[Follow], taken: Counter[int]) -> list[int]:
        """Add a token to the texts and return the parent in the former `live` of each that is live now.

        follows: of each live text.  taken: how many other groups chose which token in this step; the search adds its
        own.
        """

    def results(self) -> list[Hypothesis]:
        """Return the texts, best first; those cut at the greatest length too."""


@dataclass(frozen=True)
class Penalty:
    """The number that a log-probability is divided by, of a text of `length` tokens, its end counted."""

    exponent: float
    is_plain: bool   # of the length itself, as fairseq and transformers have it

    @classmethod
    def of(cls, decoding: Decoding) -> Penalty:
        return cls(decoding.length_penalty, decoding.normalise == "length")

    def __call__(self, length: int) -> float:
        return float((length if self.is_plain else (5 + length) / 6) ** self.exponent)

    def finish(self, text: Partial, log_probability: float, length: int) -> Hypothesis:
        return Hypothesis(text.ids, log_probability / self(length), log_probability)


@dataclass(frozen=True)
class Candidate:
    """A token after live text `parent`. rank: what is compared; log_probability: of the whole text."""

    rank: float
    parent: int
    token: int
    log_probability: float


class ReleaseBeam:
    """The release's beam search: a finished text keeps its place among the beams and its score, until better ones
    push it out; all is divided by the length penalty at every step. It ends when all beams are finished."""

    def __init__(self, rules: Rules, decoding: Decoding, beams: int, end: int) -> None:
        self._rules, self._beams, self._end = rules, beams, end
        self._penalty, self._diversity = Penalty.of(decoding), decoding.diversity
        self.live = [rules.begin()]
        self._finished: list[Hypothesis] = []

    def extend(self, follows: Sequence[Follow], taken: Counter[int]) -> list[int]:
        length = len(self.live[0].ids) + 1
        by = self._penalty(length)
        found = candidates(self.live, follows, self._beams, by, taken, self._diversity)
        # Finished ones first: of equals they stay.
        rivals: list[tuple[float, Hypothesis | Candidate]] = [(one.score, one) for one in self._finished]
        rivals += [(one.rank, one) for one in found]
        before, self.live, self._finished = self.live, [], []
        parents = []
        for _, one in heapq.nlargest(self._beams, rivals, key=lambda rival: rival[0]):
            if isinstance(one, Hypothesis):
                self._finished.append(one)
                continue
            taken[one.token] += 1
            if one.token == self._end:
                self._finished.append(self._penalty.finish(before[one.parent], one.log_probability, length))
            else:
                self.live.append(self._rules.grown(before[one.parent], one.token, one.log_probability))
                parents.append(one.parent)
        return parents

    def results(self) -> list[Hypothesis]:
        cut = [self._penalty.finish(text, text.log_probability, len(text.ids)) for text in self.live]
        return sorted(self._finished + cut, key=lambda one: -one.score)


class PoolBeam:
    """Beam search by log-probability alone; finished texts leave for a pool, where the length penalty ranks them.

    Of twice as many candidates as beams, those among the best that end go to the pool, the best others go on. It ends
    when no live text, however long, can be better than the pool's worst. The last step's best count as finished.
    """

    def __init__(self, rules: Rules, decoding: Decoding, beams: int, end: int) -> None:
        self._rules, self._beams, self._end, self._most = rules, beams, end, decoding.most
        self._penalty = Penalty.of(decoding)
        self._diversity = decoding.diversity
        self.live = [rules.begin()]
        self._pool: list[Hypothesis] = []

    def extend(self, follows: Sequence[Follow], taken: Counter[int]) -> list[int]:
        length = len(self.live[0].ids) + 1
        found = candidates(self.live, follows, 2 * self._beams, 1.0, taken, self._diversity)
        best = heapq.nlargest(2 * self._beams, found, key=lambda one: one.rank)
        before, self.live = self.live, []
        parents: list[int] = []
        for place, one in enumerate(best):
            text, is_last = before[one.parent], length == self._most
            if one.token == self._end or is_last:
                if place < self._beams:
                    taken[one.token] += 1
                    whole = text if one.token == self._end else self._rules.grown(text, one.token, one.log_probability)
                    self._pool.append(self._penalty.finish(whole, one.log_probability, length))
            elif len(parents) < self._beams:
                taken[one.token] += 1
                self.live.append(self._rules.grown(text, one.token, one.log_probability))
                parents.append(one.parent)
        self._pool = heapq.nlargest(self._beams, self._pool, key=lambda one: one.score)
        if self._is_settled(length):
            self.live, parents = [], []
        return parents

    def _is_settled(self, length: int) -> bool:
        if len(self._pool) < self._beams or not self.live:
            return False
        longest = self._most if self._penalty.exponent > 0 else length
        return max(text.log_probability for text in self.live) / self._penalty(longest) <= self._pool[-1].score

    def results(self) -> list[Hypothesis]:
        return self._pool


class Sample:
    """One text, each token drawn from the smallest set of the most probable ones that holds top_p of the probability.

    Which set that is, and how likely each of it, is after division by the temperature; log_probability is not.
    """

    def __init__(self, rules: Rules, decoding: Decoding, end: int, rng: np.random.Generator) -> None:
        self._rules, self._decoding, self._end, self._rng = rules, decoding, end, rng
        self._penalty = Penalty.of(decoding)
        self.live = [rules.begin()]
        self._done: Hypothesis | None = None

    def extend(self, follows: Sequence[Follow], taken: Counter[int]) -> list[int]:
        (text,), (follow,) = self.live, follows
        token, logit = draw(follow, self._decoding.top_p, self._decoding.temperature, float(self._rng.random()))
        total = text.log_probability + logit - follow.log_sum
        if token == self._end:
            self._done, self.live = self._penalty.finish(text, total, len(text.ids) + 1), []
            return []
        self.live = [self._rules.grown(text, token, total)]
        return [0]

    def results(self) -> list[Hypothesis]:
        cut = [self._penalty.finish(text, text.log_probability, len(text.ids)) for text in self.live]
        return [self._done] if self._done else cut


def candidates(
    live: Sequence[Partial], follows: Sequence[Follow], count: int, by: float, taken: Counter[int], diversity: float
) -> list[Candidate]:
    """Return the `count` best tokens after each live text, ranked by the text's log-probability divided by `by`.

    A token that other groups took in this step ranks lower by `diversity` for each of them (Hamming diversity of
    Vijayakumar et al. 2016); its log-probability stays the model's.
    """
    less = {token: diversity * times for token, times in taken.items()} if diversity else {}
    found = []
    for parent, (text, follow) in enumerate(zip(live, follows, strict=True)):
        for token, log_probability in follow.best(count, less):
            total = text.log_probability + log_probability
            found.append(Candidate((total - less.get(token, 0.0)) / by, parent, token, total))
    return found


def draw(follow: Follow, top_p: float, temperature: float, point: float) -> tuple[int, float]:
    """Return the token that lies at `point`, from 0 up to 1, of the nucleus, most probable first, and its logit."""
    size = len(follow.logits) if follow.allowed is None else len(follow.allowed)
    count = size if top_p == 1 else min(size, 256)
    whole = exponentials(follow, temperature)
    while True:
        tokens, logits = follow.top(count)
        shares = np.cumsum(np.exp((logits.astype(np.float64) - logits[0]) / temperature)) / whole
        if shares[-1] >= top_p or count == size:
            break
        count = size
    inside = min(int(np.searchsorted(shares, top_p)) + 1, len(shares))
    place = min(int(np.searchsorted(shares[:inside], point * shares[inside - 1], side="right")), inside - 1)
    return int(tokens[place]), float(logits[place])


def exponentials(follow: Follow, temperature: float) -> float:
    """Return the sum of exp((logit - greatest) / temperature) over what may follow, in float64."""
    logits = follow.logits if follow.allowed is None else follow.logits[follow.allowed]
    return float(np.exp((logits.astype(np.float64) - float(logits.max())) / temperature).sum())
