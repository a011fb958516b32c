"""Acceptability: sentences of the scenes, half of them with one fault made by rule.

A fault changes or moves words that good sentences have as well, so neither a word nor the length gives it away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from unimo_paddle.prepare.small_world.language import NUMBERS, indefinite, pick, sentence
from unimo_paddle.prepare.tasks.constructed.scenes import Caption, Graph
from unimo_paddle.prepare.tasks.constructed.telling import worded

_ARTICLES = ("a", "an", "the")
_FUNCTION = {*_ARTICLES, "is", "are", "of", "to", "with", "in", "and", "them"}
_PAIRS = {"binoculars", "cherries", "pliers"}   # "a pair of them are" can be heard
_WEIGHTS = {"agreement": 3}   # the one that two neighbouring words do not show; the others count 1
# Without an article these are a stuff or a dish, which is good English.
_STUFFS = {"abalone", "almond", "apple", "apricot", "avocado", "banana", "broccoli", "carrot", "cep", "cherimoya",
           "chicken", "corn", "eggplant", "garlic", "ginger", "grapes", "iris", "kiwifruit", "lavender", "lemon",
           "lettuce", "lime", "lobster", "mango", "mushroom", "mussel", "onion", "orange", "pear", "pecan", "pepper",
           "pie", "pineapple", "pomegranate", "potato", "pudding", "pumpkin", "raspberry", "squash", "strawberry",
           "thyme", "trout", "turkey", "walnut", "yam"}  # fmt: skip
_OWN = 3   # own sentences of a scene beside its captions


@dataclass(frozen=True)
class Rated:
    """fault: its kind, or "" for a good sentence."""

    text: str
    fault: str


def write_sentences(graphs: Sequence[Graph], each: int, seen: set[str], rng: np.random.Generator) -> Iterator[Rated]:
    """Yield up to `each` sentences a scene, good and faulty ones in turn; adds to `seen` what is used, before faults.

    Only sentences that some fault fits are taken, good ones too, so that the choice tells nothing.
    """
    is_good = True
    for graph in graphs:
        candidates = [*graph.captions, *(_own(graph, rng) for _ in range(_OWN))]
        taken = 0
        for place in rng.permutation(len(candidates)).tolist():
            one = candidates[place]
            ways = _faulty(one, rng) if taken < each and one.text.lower() not in seen else {}
            if ways:
                seen.add(one.text.lower())
                fault = "" if is_good else pick(rng, [kind for kind in ways for _ in range(_WEIGHTS.get(kind, 1))])
                yield Rated(ways.get(fault, one.text), fault)
                is_good, taken = not is_good, taken + 1


def _own(graph: Graph, rng: np.random.Generator) -> Caption:
    """Return a sentence whose verb stands apart from its noun, or beside a noun of the other number."""
    order = rng.permutation(len(graph.things)).tolist()
    names = [graph.things[k].name for k in order]
    a, b = names[:2]
    count, phrase = NUMBERS[len(names)], graph.background
    tie = worded(pick(rng, graph.relations), rng)
    first, second = graph.things[tie.first].name, graph.things[tie.second].name
    text = pick(rng, (
        f"{indefinite(a)} and {indefinite(b)} are in the picture",
        f"both {indefinite(a)} and {indefinite(b)} are in front of {phrase}",
        f"there are {count} things in front of {phrase}, and the {a} is one of them",
        f"the {count} things in front of {phrase} are {indefinite(a)}, {indefinite(b)} and what is near them",
        f"one of the {count} things in the picture is {indefinite(a)}",
        f"the {first} in front of {phrase} is {tie.words} the {second}",
        f"the {first} that can be seen with the {second} is {tie.words} it",
        f"all of the {count} things in the picture, the {a} too, are in front of {phrase}",
        f"the things beside the {a} are in front of {phrase}",
        f"the {a} beside the other things is in front of {phrase}",
        f"the {a} is what the things beside the {b} are near to",
        f"of the things in the picture, the {a} is in front of {phrase}",
    ))  # fmt: skip
    return Caption(sentence(text), tuple(names))


def _faulty(one: Caption, rng: np.random.Generator) -> dict[str, str]:
    """Return kind -> the sentence with a fault of that kind, at one of the places that it fits."""
    words, found = one.text.rstrip(".").split(), {}
    for kind, (places, change) in _FAULTS.items():
        fitting = [k for k in range(len(words)) if places(words, k, one)]
        if fitting:
            changed = change(words, fitting[int(rng.integers(len(fitting)))])
            found[kind] = sentence(" ".join(changed))
    return found


def _swaps(words: Sequence[str], k: int, one: Caption) -> bool:
    """An article may change places with the word before or after it."""
    return k + 1 < len(words) and words[k].isalpha() and words[k + 1].isalpha() and (
        (words[k] in _ARTICLES) != (words[k + 1] in _ARTICLES) and k > 0)  # fmt: skip


def _swap(words: Sequence[str], k: int) -> list[str]:
    return [*words[:k], words[k + 1], words[k], *words[k + 2 :]]


def _disagrees(words: Sequence[str], k: int, one: Caption) -> bool:
    """A verb's number is certain beside `there` with one thing or with a number, and after a noun of one thing."""
    before, after = (words[k - 1].lower().rstrip(",") if k else ""), (words[k + 1] if k + 1 < len(words) else "")
    if words[k] == "are":
        return before != "there" or after in NUMBERS
    if words[k] != "is" or before in _PAIRS or before == "what":
        return False
    listed = any(word in ("also", "and") for word in words[k:])
    return not listed and len(one.names) == 1 if before == "there" else before != "also"


def _disagree(words: Sequence[str], k: int) -> list[str]:
    return [*words[:k], "is" if words[k] == "are" else "are", *words[k + 1 :]]


def _lacks(words: Sequence[str], k: int, one: Caption) -> bool:
    """An article is wanted before one thing; without it, `on left of`, `of two things` and headings are heard."""
    near = {word.strip(",").lower() for word in words[k + 1 : k + 5]}
    return k > 0 and words[k] in _ARTICLES and not near & (_STUFFS | {"left", "right", "things"})


def _leave_out(words: Sequence[str], k: int) -> list[str]:
    return [*words[:k], *words[k + 1 :]]


def _has_form(words: Sequence[str], k: int, one: Caption) -> bool:
    return words[k].lower() in ("a", "an")


def _other_form(words: Sequence[str], k: int) -> list[str]:
    return [*words[:k], "a" if words[k].lower() == "an" else "an", *words[k + 1 :]]


def _doubles(words: Sequence[str], k: int, one: Caption) -> bool:
    return words[k].lower() in _FUNCTION


def _double(words: Sequence[str], k: int) -> list[str]:
    return [*words[: k + 1], words[k].lower(), *words[k + 1 :]]


_Places = Callable[[Sequence[str], int, Caption], bool]
_FAULTS: dict[str, tuple[_Places, Callable[[Sequence[str], int], list[str]]]] = {
    "order": (_swaps, _swap),
    "agreement": (_disagrees, _disagree),
    "article": (_lacks, _leave_out),
    "form": (_has_form, _other_form),
    "double": (_doubles, _double),
}
