"""The loop: ask the model about all live texts of all sources at once, let each source's search choose, go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.generation.rules import Rules, check
from unimo_paddle.generation.search import PoolBeam, ReleaseBeam, Sample, Search
from unimo_paddle.generation.trie import Trie
from unimo_paddle.generation.types import Hypothesis, Ids, Partial, Stepper
from unimo_paddle.task_spec import Decoding

FIRST_POSITION = 2   # of the start token, whatever the source is (release, section 3)


def generate(
    stepper: Stepper, decoding: Decoding, ids: Ids, trie: Trie | None = None, seed: int = 0
) -> list[list[Hypothesis]]:
    """Return the texts of each source, best first: `beams` of them, one for greedy; fewer where fewer are possible.

    stepper: has read its sources and made no step yet.  trie: the only texts allowed.  seed: of nucleus sampling, whose
    texts depend on it, the source's number and the sample's, on nothing else.  Texts of `most` tokens without an
    end are cut.  UserError for settings that make no sense.
    """
    check(decoding, ids, trie)
    rules = Rules(decoding, ids, trie)
    branches = {"diverse": decoding.groups, "nucleus": decoding.beams}.get(decoding.method, 1)
    searches = [
        _search(rules, decoding, ids.end, np.random.default_rng((seed, source, branch)))
        for source in range(stepper.inputs)
        for branch in range(branches)
    ]
    if branches > 1:
        stepper.keep(np.repeat(np.arange(stepper.inputs), branches))
    turns = branches if decoding.method == "diverse" else 1
    for number in range(decoding.most):
        texts = [text for search in searches for text in search.live]
        if not texts:
            break
        tokens = np.array([text.ids[-1] if text.ids else ids.start for text in texts], np.int64)
        logits = stepper.step(tokens, FIRST_POSITION + number)
        parents = _extend(searches, turns, rules, logits)
        if number + 1 < decoding.most and len(parents):
            stepper.keep(parents)
    return [_merged(searches[first : first + branches]) for first in range(0, len(searches), branches)]


def _search(rules: Rules, decoding: Decoding, end: int, rng: np.random.Generator) -> Search:
    if decoding.method == "nucleus":
        return Sample(rules, decoding, end, rng)
    if decoding.method == "greedy":
        return ReleaseBeam(rules, decoding, 1, end)
    beams = decoding.beams // decoding.groups if decoding.method == "diverse" else decoding.beams
    return (ReleaseBeam if decoding.normalise == "release" else PoolBeam)(rules, decoding, beams, end)


def _extend(
    searches: Sequence[Search], turns: int, rules: Rules, logits: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Let all searches choose; return the parents of all rows. turns: how many in a row see each other's tokens."""
    first, parents = 0, []
    taken: Counter[int] = Counter()
    for number, search in enumerate(searches):
        if number % turns == 0:
            taken = Counter()
        texts: list[Partial] = search.live
        if not texts:
            continue
        follows = [rules.follow(text, row) for text, row in zip(texts, logits[first:], strict=False)]
        parents += [first + parent for parent in search.extend(follows, taken)]
        first += len(texts)
    return np.array(parents, np.int64)


def _merged(searches: Sequence[Search]) -> list[Hypothesis]:
    return sorted((one for search in searches for one in search.results()), key=lambda one: -one.score)
