"""Inference between sentences: a scene told in two sentences, and a statement that is true, false or open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from unimo_paddle.prepare.small_world.language import NUMBERS, PHRASES, indefinite, listing, pick, sentence
from unimo_paddle.prepare.small_world.scene import INVERSE, RELATIONS
from unimo_paddle.prepare.tasks.constructed.scenes import COLOURS, Graph, Scenes, Thing
from unimo_paddle.prepare.tasks.constructed.telling import Tie, implied, stated, tied

LABELS = ("entailment", "neutral", "contradiction")
_ATTEMPTS = 100
_HIDDEN = 0.4   # of the sizes and of the colors
_CLOSED = ("there are exactly {count} things in the picture, {things}", "the picture shows {things}, and nothing else",
           "{things} are all that the picture shows")  # fmt: skip
_OPEN = ("among other things, the picture shows {things}", "the picture shows {things}, and perhaps more",
         "{things} are a part of what the picture shows")  # fmt: skip
_OTHER_SIZE = {"small": "large", "large": "small"}


@dataclass(frozen=True)
class Premise:
    """A scene in two sentences. things: with the words that were said.  closed: there is nothing else."""

    text: str
    graph: Graph
    things: tuple[Thing, ...]
    ties: tuple[Tie, ...]
    closed: bool


def write_pairs(scenes: Scenes, graph: Graph, count: int, rng: np.random.Generator) -> Iterator[tuple[str, str, str]]:
    """Yield up to `count` different (premise, hypothesis, label) of a scene, the labels in turn.

    Each form of a hypothesis comes with every label, so that neither tells the other.
    """
    seen: set[tuple[str, str]] = set()
    forms, first = _forms(graph), graph.id * count   # the next scene goes on where this one ends
    for number in range(first, first + count):
        label, form = LABELS[number % len(LABELS)], pick(rng, forms)
        for _ in range(_ATTEMPTS):   # with another premise, since some do not admit this form with this label
            premise = _premise(graph, rng)
            text = form(scenes, premise, label, rng)
            if text and (premise.text, text) not in seen:
                seen.add((premise.text, text))
                yield premise.text, sentence(text), label
                break


def _forms(graph: Graph) -> list[_Form]:
    """Return the forms of which the scene gives every label, as often as they are to be drawn."""
    forms: list[_Form] = [_relation, _relation, _relation, _presence, _presence, _number]
    forms += [_size, _size] if any(thing.size for thing in graph.things) else []
    return forms + ([_colour] if any(thing.colour for thing in graph.things) else [])


def _premise(graph: Graph, rng: np.random.Generator) -> Premise:
    things = []
    for thing in graph.things:
        hidden = [word for word in (thing.size, thing.colour) if word and rng.random() < _HIDDEN]
        things.append(Thing(thing.name, tuple(word for word in thing.words if word not in hidden), thing.wider))
    closed = bool(rng.random() < 0.5)
    names = [indefinite(things[k].without()) for k in rng.permutation(len(things)).tolist()]
    first = pick(rng, _CLOSED if closed else _OPEN).format(count=NUMBERS[len(things)], things=listing(names))
    ties = tied(graph, rng)
    second = listing([stated(graph, tie) for tie in ties])
    behind = f", in front of {graph.background}" if rng.random() < 0.3 else ""
    return Premise(f"{sentence(first)} {sentence(second + behind)}", graph, tuple(things), tuple(ties), closed)


def _relation(scenes: Scenes, premise: Premise, label: str, rng: np.random.Generator) -> str:
    """The ways in which two things may stand that follow, whose inverse follows, or neither."""
    known = implied(premise.ties)
    things = range(len(premise.things))
    ways = [(a, way, b) for a in things for way in RELATIONS for b in things if a != b
            and _judged((a, way, b) in known, (a, INVERSE[way], b) in known) == label]  # fmt: skip
    if not ways:
        return ""
    first, way, second = pick(rng, ways)
    return f"the {premise.things[first].name} is {pick(rng, PHRASES[way])} the {premise.things[second].name}"


def _judged(true: bool, false: bool) -> str:
    return LABELS[0 if true else 2 if false else 1]


def _size(scenes: Scenes, premise: Premise, label: str, rng: np.random.Generator) -> str:
    """A size that the premise does not tell is open."""
    place = int(rng.integers(len(premise.things)))
    name, true = premise.things[place].name, premise.graph.things[place].size
    if not true or bool(premise.things[place].size) == (label == "neutral"):
        return ""
    says_true = label == "entailment" or (label == "neutral" and rng.random() < 0.5)
    return f"the {name} is {true if says_true else _OTHER_SIZE[true]}"


def _colour(scenes: Scenes, premise: Premise, label: str, rng: np.random.Generator) -> str:
    """A color that the premise does not tell is open."""
    place = int(rng.integers(len(premise.things)))
    name, true = premise.things[place].name, premise.graph.things[place].colour
    if not true or bool(premise.things[place].colour) == (label == "neutral"):
        return ""
    says_true = label == "entailment" or (label == "neutral" and rng.random() < 0.5)
    return f"the {name} is {true if says_true else pick(rng, [one for one in COLOURS if one != true])}"


def _presence(scenes: Scenes, premise: Premise, label: str, rng: np.random.Generator) -> str:
    """A thing that is absent is open where there may be more."""
    if premise.closed == (label == "neutral"):
        return ""
    says_there = bool(rng.random() < 0.5)
    is_there = label != "neutral" and says_there == (label == "entailment")
    name = pick(rng, premise.things).name if is_there else scenes.absent(premise.things, rng, premise.graph.background)
    return f"there is {indefinite(name)} in the picture" if says_there else f"there is no {name} in the picture"


def _number(scenes: Scenes, premise: Premise, label: str, rng: np.random.Generator) -> str:
    """Of open premises, too few things are wrong, and any other number is open."""
    count = len(premise.things)
    said = int(rng.integers(2, len(NUMBERS)))
    true, false = premise.closed and said == count, said < count or (premise.closed and said != count)
    if _judged(true, false) != label:
        return ""
    return f"the number of things in the picture is exactly {NUMBERS[said]}"


_Form = Callable[[Scenes, Premise, str, np.random.Generator], str]
