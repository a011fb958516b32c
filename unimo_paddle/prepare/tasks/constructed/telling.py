"""A scene in several sentences, with the facts that each sentence states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unimo_paddle.prepare.small_world.language import NUMBERS, PHRASES, indefinite, listing, pick, sentence
from unimo_paddle.prepare.small_world.scene import INVERSE
from unimo_paddle.prepare.tasks.constructed.scenes import SIZES, Graph, Relation

_SIZE_IN_LIST, _SIZE_APART = 0.45, 0.3   # else it is not told
_LISTS = ("there are {count} things in {where}: {things}", "{where} shows {things}", "{things} are in {where}",
          "{where} has {count} things in it, {things}")  # fmt: skip
_BACKGROUNDS = (   # and the question that each one answers
    ("the background of {where} shows {phrase}", "What does the background of {where} show?"),
    ("behind everything in {where} you can see {phrase}", "What can you see behind everything in {where}?"),
    ("in {where}, all of this is in front of {phrase}", "What is all of this in front of in {where}?"),
)


@dataclass(frozen=True)
class Tie:
    """A relation as it is worded: the first thing is `words` ("to the left of") the second."""

    first: int
    relation: str
    second: int
    words: str


@dataclass(frozen=True)
class Sentence:
    """kind: list, tie, size or background.  tie: of a sentence of that kind.  thing: whose size is told.

    asked: the question that the background answers.
    """

    text: str
    kind: str
    tie: Tie | None = None
    thing: int = -1
    asked: str = ""


@dataclass(frozen=True)
class Told:
    """A scene that is told. where: "the picture".  words: of each thing, those that were said."""

    graph: Graph
    where: str
    sentences: tuple[Sentence, ...]
    words: tuple[tuple[str, ...], ...]

    @property
    def text(self) -> str:
        """Return the sentences in a row."""
        return " ".join(one.text for one in self.sentences)

    @property
    def ties(self) -> list[Tie]:
        """Return the relations told, in order."""
        return [one.tie for one in self.sentences if one.tie]


def tell(graph: Graph, rng: np.random.Generator, where: str = "the picture") -> Told:
    """Tell a scene: all things, relations that tie them together, some sizes, the background."""
    things, words, apart = graph.things, [], []
    for place, thing in enumerate(things):
        draw = rng.random()
        hidden = () if draw < _SIZE_IN_LIST else SIZES
        if thing.size and _SIZE_IN_LIST <= draw < _SIZE_IN_LIST + _SIZE_APART:
            apart.append(Sentence(sentence(f"the {thing.name} is {thing.size}"), "size", thing=place))
            hidden = ()
        words.append(tuple(word for word in thing.words if word not in hidden))
    shown = {one.thing for one in apart}
    names = [things[k].without(*(SIZES if k in shown or things[k].size not in words[k] else ()))
             for k in rng.permutation(len(things)).tolist()]  # fmt: skip
    listed = listing(list(map(indefinite, names)))
    first = pick(rng, _LISTS).format(count=NUMBERS[len(things)], where=where, things=listed)
    middle = [*(Sentence(sentence(stated(graph, tie)), "tie", tie) for tie in tied(graph, rng)), *apart]
    behind, asked = pick(rng, _BACKGROUNDS)
    last = Sentence(sentence(behind.format(where=where, phrase=graph.background)), "background",
                    asked=asked.format(where=where))  # fmt: skip
    order = rng.permutation(len(middle)).tolist()
    return Told(graph, where, (Sentence(sentence(first), "list"), *(middle[k] for k in order), last), tuple(words))


def tied(graph: Graph, rng: np.random.Generator) -> list[Tie]:
    """Return relations that tie the things together as far as they go, one a further thing, worded from either end."""
    ties, together = [], [int(rng.integers(len(graph.things)))]
    while True:
        ways = [edge for edge in graph.relations if edge[0] in together and edge[2] not in together]
        if not ways:
            break
        first, relation, second = pick(rng, ways)
        together.append(second)
        ties.append(worded((first, relation, second), rng))
    return ties or [worded(pick(rng, graph.relations), rng)]   # its first thing may stand apart from all the others


def worded(edge: Relation, rng: np.random.Generator) -> Tie:
    """Return a relation in words, from either end."""
    first, relation, second = edge
    if rng.random() < 0.5:
        first, relation, second = second, INVERSE[relation], first
    return Tie(first, relation, second, pick(rng, PHRASES[relation]))


def stated(graph: Graph, tie: Tie) -> str:
    """Return "the cat is above the dog"."""
    return f"the {graph.things[tie.first].name} is {tie.words} the {graph.things[tie.second].name}"


def implied(ties: Sequence[Tie]) -> set[Relation]:
    """Return all that the relations told imply: seen from either end, and what is left of what is left of a thing."""
    known = {(tie.first, tie.relation, tie.second) for tie in ties}
    while True:
        more = {(second, INVERSE[relation], first) for first, relation, second in known}
        more |= {(a, way, d) for a, way, b in known for c, other, d in known if b == c and way == other and a != d}
        if more <= known:
            return known
        known |= more
