"""Questions and answers about told scenes, many of which lean on the turn before: "And the other one?"."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from unimo_paddle.prepare.small_world.language import NUMBERS, PHRASES, indefinite, pick
from unimo_paddle.prepare.small_world.scene import INVERSE
from unimo_paddle.prepare.tasks.constructed.scenes import SIZES, Scenes, Thing
from unimo_paddle.prepare.tasks.constructed.telling import Tie, Told, worded

FEWEST, MOST = 4, 8
UNKNOWN = "unknown"
_ATTEMPTS = 80
_REFERS = 0.75         # how often a question leans on the turn before when it could
_STAYS = 0.8           # how often the thing in focus is asked about again
_FOLLOWS = 0.35        # how often the same is asked of something else
_ASKED_UNTOLD = 0.15   # how often a size is asked that was not told

Place = tuple[int, int]   # scene, thing


@dataclass(frozen=True)
class Turn:
    """answers: the same in several words, the first is the usual one.  evidence: the sentence that tells it, or "".

    key: what was asked, however it was worded.  focus: the thing that "it" is from now on; None leaves it.
    """

    kind: str
    question: str
    answers: tuple[str, ...]
    evidence: str
    key: Hashable
    focus: Place | None = None
    scene: int = 0


@dataclass
class Dialogue:
    """About one scene or two. focus: what "it" is."""

    scenes: Scenes
    told: Sequence[Told]
    rng: np.random.Generator
    turns: list[Turn] = field(default_factory=list)
    focus: Place | None = None

    @property
    def last(self) -> str:
        """Return the kind of the question before, or ""."""
        return self.turns[-1].kind if self.turns else ""

    def run(self) -> list[Turn]:
        """Return from FEWEST to MOST turns; nothing is asked twice."""
        wanted = int(self.rng.integers(FEWEST, MOST + 1))
        for _ in range(_ATTEMPTS):
            follows = bool(self.last) and self.rng.random() < _FOLLOWS
            form = _FORMS[self.last if follows else pick(self.rng, _DRAWN)]
            turn = form(self) if len(self.turns) < wanted else None
            if turn and turn.key not in {before.key for before in self.turns}:
                self.turns.append(turn)
                self.focus = turn.focus or self.focus
        return self.turns

    def refers(self, is_possible: bool) -> bool:
        """Decide to lean on the turn before."""
        return is_possible and bool(self.rng.random() < _REFERS)

    def scene(self) -> int:
        """Draw one of the scenes."""
        return int(self.rng.integers(len(self.told)))

    def thing(self, kind: str) -> Place:
        """Draw one of the things: often the one in focus, or another one of its scene when its like was just asked."""
        if self.focus and self.rng.random() < _STAYS:
            scene, focus = self.focus
            others = [k for k in range(len(self.told[scene].graph.things)) if k != focus]
            return (scene, pick(self.rng, others)) if self.last == kind else self.focus
        scene = self.scene()
        return scene, int(self.rng.integers(len(self.told[scene].graph.things)))

    def at(self, place: Place) -> Thing:
        """Return a thing."""
        return self.told[place[0]].graph.things[place[1]]

    def called(self, place: Place) -> str:
        """Return "it", for the thing in focus, or "the cat"."""
        return "it" if self.refers(place == self.focus) else f"the {self.at(place).name}"

    def tie(self, focus_first: bool) -> tuple[int, Tie, str]:
        """Draw (scene, relation told, its sentence), often of the thing in focus, seen from there or towards it."""
        near = self.focus if self.rng.random() < _STAYS else None
        scene = near[0] if near else self.scene()
        ties = [(one.tie, one.text) for one in self.told[scene].sentences if one.tie]
        found = [one for one in ties if near and near[1] in (one[0].first, one[0].second)]
        tie, sentence = pick(self.rng, found or ties)
        while True:   # until it is worded from the wanted end
            way = worded((tie.first, tie.relation, tie.second), self.rng)
            if not (near and found) or (way.first == near[1]) == focus_first:
                return scene, way, sentence


def _sentence(told: Told, kind: str) -> str:
    return next(one.text for one in told.sentences if one.kind == kind)


def _of_scene(dialogue: Dialogue, kind: str, asked: str) -> tuple[int, str]:
    """Return (scene, question) of what each scene has; after the same of one scene, of the other."""
    if len(dialogue.told) == 2 and dialogue.refers(dialogue.last == kind):
        return 1 - dialogue.turns[-1].scene, "And in the other one?"
    scene = dialogue.scene()
    return scene, asked.format(dialogue.told[scene].where)


def _count(dialogue: Dialogue) -> Turn:
    scene, question = _of_scene(dialogue, "count", "How many things are in {}?")
    told = dialogue.told[scene]
    number = NUMBERS[len(told.graph.things)]
    return Turn("count", question, (number, f"{number} things", f"there are {number}"), _sentence(told, "list"),
                ("count", scene), scene=scene)  # fmt: skip


def _background(dialogue: Dialogue) -> Turn:
    scene, question = _of_scene(dialogue, "background", "What is in the background of {}?")
    phrase = dialogue.told[scene].graph.background
    return Turn("background", question, (phrase, phrase.removeprefix("a "), f"you can see {phrase}"),
                _sentence(dialogue.told[scene], "background"), ("background", scene), scene=scene)  # fmt: skip


def _what(dialogue: Dialogue) -> Turn | None:
    """Only where one thing is the answer."""
    scene, tie, evidence = dialogue.tie(focus_first=False)
    edges = dialogue.told[scene].graph.relations
    if sum(edge[1:] == (tie.relation, tie.second) for edge in edges) != 1:
        return None
    other = dialogue.called((scene, tie.second))
    opening = "And" if other == "it" and dialogue.refers(dialogue.last == "what") else "What is"
    thing = dialogue.at((scene, tie.first))
    answers = (f"the {thing.name}", indefinite(thing.name), thing.name)
    return Turn("what", f"{opening} {tie.words} {other}?", answers, evidence, ("what", scene, tie.relation, tie.second),
                (scene, tie.first), scene)  # fmt: skip


def _where(dialogue: Dialogue) -> Turn:
    place = dialogue.thing("where")
    told = dialogue.told[place[0]]
    name = dialogue.called(place)
    question = f"Where is {name}?"
    if name != "it" and dialogue.refers(dialogue.last == "where"):
        question = f"And {name}?"
    ways = _ways(told, place[1])
    if not ways:
        return Turn("where", question, (UNKNOWN,), "", ("where", place), place, place[0])
    answers = [f"{words} the {told.graph.things[other].name}" for words, other, _ in ways]
    return Turn("where", question, tuple(dict.fromkeys([*answers, f"it is {answers[0]}"])), ways[0][2],
                ("where", place), place, place[0])  # fmt: skip


def _ways(told: Told, thing: int) -> list[tuple[str, int, str]]:
    """Return (words, other thing, sentence) of where a thing is: first as it was told, then from the other end."""
    found = [(one.tie, one.text) for one in told.sentences if one.tie]
    direct = [(tie.words, tie.second, text) for tie, text in found if tie.first == thing]
    return direct + [(PHRASES[INVERSE[tie.relation]][0], tie.first, text) for tie, text in found if tie.second == thing]


def _size(dialogue: Dialogue) -> Turn | None:
    place = dialogue.thing("size")
    told = dialogue.told[place[0]]
    said = [word for word in told.words[place[1]] if word in SIZES]
    if not said and dialogue.rng.random() >= _ASKED_UNTOLD:
        return None
    name = dialogue.called(place)
    question = f"How big is {name}?"
    if name != "it" and dialogue.refers(dialogue.last == "size"):
        is_pair = len(dialogue.told) == 1 and len(told.graph.things) == 2 and place != dialogue.focus
        question = "And the other one?" if is_pair else f"And {name}?"
    answers = (said[0], f"it is {said[0]}", f"{said[0]} in size") if said else (UNKNOWN,)
    return Turn("size", question, answers, _tells_size(told, place[1]) if said else "", ("size", place), place,
                place[0])  # fmt: skip


def _tells_size(told: Told, thing: int) -> str:
    return next((one.text for one in told.sentences if one.thing == thing), _sentence(told, "list"))


def _presence(dialogue: Dialogue) -> Turn:
    """What is not there is in the other scene, where there is one, or nowhere."""
    follows = dialogue.refers(dialogue.last == "presence")
    scene = dialogue.turns[-1].scene if follows else dialogue.scene()
    told, here = dialogue.told[scene], bool(dialogue.rng.random() < 0.5)
    if here:
        name = pick(dialogue.rng, told.graph.things).name
    elif len(dialogue.told) == 2 and dialogue.rng.random() < 0.5:
        name = pick(dialogue.rng, dialogue.told[1 - scene].graph.things).name
    else:
        things = [thing for one in dialogue.told for thing in one.graph.things]
        name = dialogue.scenes.absent(things, dialogue.rng, " ".join(one.graph.background for one in dialogue.told))
    asked = f"And {indefinite(name)}?" if follows else f"Is there {indefinite(name)} in {told.where}?"
    return Turn("presence", asked, ("yes", "yes, there is") if here else ("no", "no, there is not"),
                _sentence(told, "list"), ("presence", scene, name), scene=scene)  # fmt: skip


def _is_so(dialogue: Dialogue) -> Turn:
    scene, tie, evidence = dialogue.tie(focus_first=True)
    true = bool(dialogue.rng.random() < 0.5)
    words = tie.words if true else worded_back(tie, dialogue.rng)
    names = [dialogue.called((scene, tie.first)), f"the {dialogue.at((scene, tie.second)).name}"]
    answers = ("yes", "yes, it is") if true else ("no", "no, it is not")
    return Turn("is so", f"Is {names[0]} {words} {names[1]}?", answers, evidence,
                ("is so", scene, tie.first, tie.second), (scene, tie.first), scene)  # fmt: skip


def worded_back(tie: Tie, rng: np.random.Generator) -> str:
    """Return words of the inverse relation, which is certainly false."""
    while True:
        back = worded((tie.first, INVERSE[tie.relation], tie.second), rng)
        if back.first == tie.first:
            return back.words


_Form = Callable[[Dialogue], "Turn | None"]
_FORMS: Mapping[str, _Form] = {"count": _count, "background": _background, "what": _what, "where": _where,
                               "size": _size, "presence": _presence, "is so": _is_so}  # fmt: skip
_DRAWN = ("count", "background", "what", "what", "what", "where", "where", "size", "size", "size", "presence", "is so")
