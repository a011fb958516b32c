"""What is certainly true, and what is certainly false, of a scene; when in doubt, neither."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from unimo_paddle.prepare.small_world.language import Statement
from unimo_paddle.prepare.small_world.scene import Cutout, Placed, Scene, World

_OPPOSITE = {"small": "large", "large": "small"}
_COLOURS = ("black", "blue", "brown", "green", "purple", "red", "white", "yellow")


def satisfies(scene: Scene, statement: Statement) -> bool:
    """Tell whether a scene's true graph makes a statement true, whatever stamps it is made of."""
    if statement.background not in ("", scene.background.phrase) or statement.count not in (0, len(scene.objects)):
        return False
    by_name = {thing.cutout.name: index for index, thing in enumerate(scene.objects)}
    places = [by_name.get(said.name, -1) for said in statement.things]
    if -1 in places or any(not set(said.words) <= set(scene.objects[place].words)
                           for said, place in zip(statement.things, places, strict=True)):
        return False
    true = set(scene.relations()) if statement.relations else set()
    return all((places[i], relation, places[j]) in true for i, relation, j in statement.relations)


@dataclass(frozen=True)
class Truth:
    """Answers that need the whole world: what could be absent, which wider words may be counted."""

    world: World

    def absent(self, scene: Scene, rng: np.random.Generator) -> Cutout:
        """Draw a cut-out that nobody could see in the scene: of another group, sharing no word with what is there."""
        groups = {thing.cutout.group for thing in scene.objects}
        words = {_stem(word) for thing in scene.objects for word in thing.cutout.name.split()}
        words |= {_stem(word) for word in scene.background.phrase.split()}
        while True:
            cutout = self.world.cutouts[rng.integers(len(self.world.cutouts))]
            if cutout.group not in groups and not words & {_stem(word) for word in cutout.name.split()}:
                return cutout

    def count(self, scene: Scene, kind: str) -> int:
        """Return how many objects a wider word covers, or 0 when a person could count otherwise."""
        covered = [thing.cutout for thing in scene.objects if kind in thing.cutout.kinds]
        others = [thing.cutout for thing in scene.objects if kind not in thing.cutout.kinds]
        groups, heads = self._kinds[kind]
        doubtful = any(cutout.group in groups or cutout.head in heads or cutout.group == "toys" for cutout in others)
        return 0 if doubtful else len(covered)

    @cached_property
    def _kinds(self) -> dict[str, tuple[set[str], set[str]]]:
        kinds: dict[str, tuple[set[str], set[str]]] = {}
        for cutout in self.world.cutouts:
            for kind in cutout.kinds:
                groups, heads = kinds.setdefault(kind, (set(), set()))
                groups.add(cutout.group)
                heads.add(cutout.head)
        return kinds


def wrong_word(thing: Placed, rng: np.random.Generator) -> tuple[str, str] | None:
    """Return (a word of the thing, a word of its kind that is certainly false), or None when it has none such."""
    colours = [attribute.word for attribute in thing.cutout.attributes if attribute.kind == "colour"]
    if len(colours) == 1 and colours[0] in _COLOURS and rng.random() < 0.7:
        others = [colour for colour in _COLOURS if colour != colours[0]]
        return colours[0], others[rng.integers(len(others))]
    return (thing.size, _OPPOSITE[thing.size]) if thing.size else None


def _stem(word: str) -> str:
    return word.lower().rstrip("s")
