"""Likeness: two descriptions, and how far the graphs that they tell overlap, from 0 to 5.

The second tells the first's graph in other words, after no, some or all of its facts were changed; swapped roles and
sizes keep the words and change the graph, other wordings the reverse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from unimo_paddle.prepare.small_world.language import PHRASES, indefinite, pick, sentence
from unimo_paddle.prepare.small_world.scene import INVERSE
from unimo_paddle.prepare.tasks.constructed.scenes import SIZES, Graph, Scenes, Thing

STEP = 0.25
_MOST = 5
_THING, _WORD, _RELATION, _BACKGROUND = 1.0, 1.0, 3.0, 1.0   # weight of a fact
_CHANGED = (0, 0, 1, 1, 2, 2, 3)   # as often as they stand here
_ODDS_OF_OTHER = 0.1               # that another scene is described
_ATTEMPTS = 20
_FORMS = ("{a} is {way} {b}{behind}", "there is {a} {way} {b}{behind}", "{way} {b} there is {a}{behind}",
          "you can see {a} {way} {b}{behind}", "{front}{a} is {way} {b}",
          "{front}there is {a}, and it is {way} {b}")  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """score: a multiple of STEP from 0 to 5."""

    first: str
    second: str
    score: float


@dataclass(frozen=True)
class Description:
    """Two things, the relation of the first to the second, and what is behind them ("" when not said)."""

    first: Thing
    relation: str
    second: Thing
    background: str


def write_pairs(scenes: Scenes, graphs: Sequence[Graph], each: int, rng: np.random.Generator) -> Iterator[Pair]:
    """Yield up to `each` pairs a scene, all different."""
    seen: set[tuple[str, str]] = set()
    for graph in graphs:
        for _ in range(each):
            tries = (_pair(scenes, graph, graphs, rng) for _ in range(_ATTEMPTS))
            pair = next((one for one in tries if one.first != one.second and (one.first, one.second) not in seen), None)
            if pair:
                seen.add((pair.first, pair.second))
                yield pair


def likeness(one: Description, other: Description) -> float:
    """Return 5 times the weight of the facts that both state, over the mean weight of each one's facts."""
    first, second = _facts(one), _facts(other)
    shared = sum(weight for fact, weight in first.items() if fact in second)
    share = 2 * shared / (sum(first.values()) + sum(second.values()))
    return round(_MOST * share / STEP) * STEP


def _facts(one: Description) -> dict[tuple[str, ...], float]:
    a, way, b = one.first.name, one.relation, one.second.name
    if way in ("right of", "below"):
        a, way, b = b, INVERSE[way], a
    facts: dict[tuple[str, ...], float] = {("relation", a, way, b): _RELATION}
    for thing in (one.first, one.second):
        facts[("thing", thing.name)] = _THING
        facts.update({("word", thing.name, word): _WORD for word in thing.words})
    return facts | ({("background", one.background): _BACKGROUND} if one.background else {})


def _pair(scenes: Scenes, graph: Graph, graphs: Sequence[Graph], rng: np.random.Generator) -> Pair:
    first = _described(graph, rng)
    second = _described(pick(rng, graphs), rng) if rng.random() < _ODDS_OF_OTHER else first
    if second is first:
        for k in rng.permutation(len(_CHANGES))[: pick(rng, _CHANGED)].tolist():
            second = _CHANGES[k](scenes, graph, second, rng)
    return Pair(_worded(first, rng), _worded(second, rng), likeness(first, second))


def _described(graph: Graph, rng: np.random.Generator) -> Description:
    first, relation, second = pick(rng, graph.relations)
    background = graph.background if rng.random() < 0.5 else ""
    return Description(graph.things[first], relation, graph.things[second], background)


def _worded(one: Description, rng: np.random.Generator) -> str:
    """Say it from either end, in one of several forms."""
    if rng.random() < 0.5:
        one = Description(one.second, INVERSE[one.relation], one.first, one.background)
    a, b = indefinite(one.first.without()), indefinite(one.second.without())
    behind = pick(rng, (", with {} in the background", ", in front of {}")).format(one.background)
    return sentence(pick(rng, _FORMS).format(
        a=a, b=b, way=pick(rng, PHRASES[one.relation]), behind=behind if one.background else "",
        front=f"in front of {one.background} " if one.background else ""))  # fmt: skip


def _turn(scenes: Scenes, graph: Graph, one: Description, rng: np.random.Generator) -> Description:
    return replace(one, relation=INVERSE[one.relation])


def _swap_sizes(scenes: Scenes, graph: Graph, one: Description, rng: np.random.Generator) -> Description:
    """Give each thing the other's size; where both have one size or none, the first gets another."""
    sizes = [one.second.size, one.first.size]
    if sizes[0] == sizes[1]:
        sizes[0] = SIZES[SIZES.index(sizes[0]) - 1] if sizes[0] else pick(rng, SIZES)
    return replace(one, first=_sized(one.first, sizes[0]), second=_sized(one.second, sizes[1]))


def _sized(thing: Thing, size: str) -> Thing:
    words = tuple(word for word in thing.words if word not in SIZES)
    return replace(thing, words=(size, *words) if size else words)


def _other_thing(scenes: Scenes, graph: Graph, one: Description, rng: np.random.Generator) -> Description:
    name = scenes.absent(graph.things, rng, graph.background)
    return replace(one, second=replace(one.second, name=name, wider=scenes.kinds[name]))


def _other_background(scenes: Scenes, graph: Graph, one: Description, rng: np.random.Generator) -> Description:
    """Leave the background out, say it, or name another."""
    others = ["", graph.background, pick(rng, scenes.graphs).background]
    return replace(one, background=pick(rng, [other for other in others if other != one.background]))


def _other_axis(scenes: Scenes, graph: Graph, one: Description, rng: np.random.Generator) -> Description:
    ways = ("above", "below") if one.relation in ("left of", "right of") else ("left of", "right of")
    return replace(one, relation=pick(rng, ways))


_Change = Callable[[Scenes, Graph, Description, np.random.Generator], Description]
_CHANGES: tuple[_Change, ...] = (_turn, _turn, _turn, _swap_sizes, _swap_sizes, _other_thing, _other_background,
                                 _other_axis)  # fmt: skip
