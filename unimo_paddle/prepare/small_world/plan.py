"""Plan scenes without a pixel: what stands where, which split it belongs to, and what the training split never shows.

Scene `index` of a split is a pure function of (world, seed, split, index): no scene looks at another one.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from unimo_paddle.errors import UserError
from unimo_paddle.prepare.small_world.reviewed import KIN
from unimo_paddle.prepare.small_world.scene import (
    HEIGHT,
    LARGE_SIDE,
    RELATIONS,
    SMALL_SIDE,
    WIDTH,
    Box,
    Cutout,
    Placed,
    Scene,
    World,
)

SPLITS = ("train", "val", "test", "composition")
Triple = tuple[str, str, str]        # (class, relation, class); the relation is "left of" or "above"
Trait = tuple[str, str]              # (attribute word or size, class)
Drawn = TypeVar("Drawn")

_SHARE = {"train": 70, "val": 5, "test": 12, "composition": 13}  # per cent of the object sets, by their hash
_COUNTS = ((2, 0.35), (3, 0.40), (4, 0.25))                      # objects in a scene
_SIDES = {"small": (48, SMALL_SIDE), "": (SMALL_SIDE + 10, LARGE_SIDE - 10), "large": (LARGE_SIDE, 165)}
_SIZE_ODDS = (0.3, 0.35, 0.35)
_MOST_ENLARGED = 2.2      # a stamp enlarged further looks like its pixels
_PAIRS_SIDE_BY_SIDE = 0.2 # of the scenes with two things; a fourth of the rest is it too
_LEAST_SIDE = 40          # pixels of the longer side of anything pasted
_TRAITS_HELD = 0.4        # of the (attribute, class) pairs that can be held out
_SIZES_HELD = 0.06        # of the classes, for each of small and large
_PAIRS_SHOWN = 0.2        # of the scenes outside `composition` show a pair of a held-out triple, in another relation
_CROP, _PALENESS = (0.75, 1.0), (0.3, 0.5)
_SIZES = ("small", "large")
_ATTEMPTS, _PATIENCE = 40_000, 2_000   # for one scene; after so many in vain it aims at something else

# Cells x1 y1 x2 y2 by number of objects; upper rows begin at 40 so that two rows fit with their centres in the lower
# two thirds. Half of the layouts stand things above each other, or left and right would dominate.
_LAYOUTS: dict[int, tuple[tuple[Box, ...], ...]] = {
    2: (((8, 70, 188, 250), (196, 70, 376, 250)),
        ((16, 40, 216, 142), (16, 148, 216, 250)), ((168, 40, 368, 142), (168, 148, 368, 250)),
        ((92, 40, 292, 142), (92, 148, 292, 250))),
    3: (((6, 76, 126, 250), (132, 76, 252, 250), (258, 76, 378, 250)),
        ((8, 40, 188, 142), (8, 148, 188, 250), (196, 70, 376, 250)),
        ((196, 40, 376, 142), (196, 148, 376, 250), (8, 70, 188, 250)),
        ((102, 40, 282, 138), (8, 146, 188, 250), (196, 146, 376, 250))),
    4: (((8, 40, 188, 142), (8, 148, 188, 250), (196, 40, 376, 142), (196, 148, 376, 250)),
        ((6, 148, 126, 250), (132, 148, 252, 250), (258, 148, 378, 250), (102, 40, 282, 142)),
        ((6, 40, 126, 142), (6, 148, 126, 250), (132, 90, 252, 250), (258, 90, 378, 250))),
}


@dataclass(frozen=True)
class HeldOut:
    """What only `composition` shows: (attribute or size, class) pairs and (class, relation, class) triples."""

    traits: frozenset[Trait]
    triples: frozenset[Triple]

    def found_in(self, scene: Scene) -> list[Trait | Triple]:
        """Return the held-out combinations that a scene shows, sorted."""
        traits = {(word, thing.cutout.name) for thing in scene.objects for word in thing.words} & self.traits
        things = scene.objects
        triples = {(things[i].cutout.name, relation, things[j].cutout.name)
                   for i, relation, j in scene.relations() if relation in ("left of", "above")} & self.triples
        return [*sorted(traits), *sorted(triples)]


@dataclass(frozen=True)
class Planner:
    """Plans the scenes of one world under one seed."""

    world: World
    seed: int

    @cached_property
    def held_out(self) -> HeldOut:
        """The combinations kept from every split but `composition`."""
        rng = np.random.default_rng((self.seed, len(SPLITS)))
        return HeldOut(frozenset(_hold_traits(self.world, rng)), frozenset(_hold_triples(self.world, rng)))

    def scene(self, split: str, index: int, image_id: int) -> Scene:
        """Return scene `index` of a split. Raises UserError when the world is too small to fill the split."""
        rng = np.random.default_rng((self.seed, SPLITS.index(split), index))
        for attempt in range(_ATTEMPTS):
            if attempt % _PATIENCE == 0:
                aim = self._aim(rng, split)
            scene = self._attempt(rng, split, index, image_id, aim)
            if scene and self._belongs(scene, aim):
                return scene
        raise UserError(f"no scene for split {split} within {_ATTEMPTS} attempts: {len(self.world.cutouts)} cut-outs "
                        f"of {len(self.world.names)} classes are too few")

    def _aim(self, rng: np.random.Generator, split: str) -> Trait | Triple | None:
        """Draw what the scene is about: in `composition` the held-out combination that it must show.

        Elsewhere sometimes the pair of a held-out triple, which must then stand in another relation.
        """
        triples, traits, sizes = self._aims
        if split != "composition":
            return _draw(rng, triples) if triples and rng.random() < _PAIRS_SHOWN else None
        kinds: list[Sequence[Trait | Triple]] = [aims for aims in (triples, triples, traits, sizes) if aims]
        if not kinds:
            raise UserError(f"nothing can be held out of {len(self.world.names)} classes for a composition split")
        return _draw(rng, _draw(rng, kinds))

    def _attempt(self, rng: np.random.Generator, split: str, index: int, image_id: int,
                 aim: Trait | Triple | None) -> Scene | None:
        """Return a scene on the aim, or None when its classes are another split's or a thing comes out too small."""
        count = int(rng.choice([n for n, _ in _COUNTS], p=[p for _, p in _COUNTS]))
        names = [aim[0], aim[2]] if aim and len(aim) == 3 else [aim[1]] if aim else []
        names += [_draw(rng, self._names) for _ in range(count - len(names))]
        if self._split_of(names) != split:
            return None
        traits = [aim[0] if aim and len(aim) == 2 else ""] + [""] * (count - 1)
        cutouts = [self._stamp(rng, name, trait) for name, trait in zip(names, traits, strict=True)]
        objects = _place(rng, [cutouts[k] for k in rng.permutation(count)]) if _distinct(cutouts) else None
        if objects is None:
            return None
        crop = (float(rng.random()), float(rng.random()), float(rng.uniform(*_CROP)))
        return Scene(image_id, split, index, _draw(rng, self.world.backgrounds), crop, bool(rng.random() < 0.5),
                     float(rng.uniform(*_PALENESS)), objects)

    def _belongs(self, scene: Scene, aim: Trait | Triple | None) -> bool:
        """Every scene has a nameable relation; `composition` shows what it aims at, the others nothing held out."""
        found = self.held_out.found_in(scene)
        fits = aim in found if scene.split == "composition" else not found
        return fits and any(True for _ in scene.relations())

    def _stamp(self, rng: np.random.Generator, name: str, trait: str) -> Cutout:
        """Draw a stamp of a class; one with the trait where there is one (a size is no stamp's)."""
        stamps = self._by_name[name]
        return _draw(rng, [stamp for stamp in stamps if trait in stamp.words] or stamps)

    def _split_of(self, names: list[str]) -> str:
        """Each set of classes belongs to one split, so no test scene repeats the objects of a train scene."""
        key = f"{self.seed}|{'|'.join(sorted(names))}".encode()
        ticket = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") % 100
        for split, share in _SHARE.items():
            if ticket < share:
                return split
            ticket -= share
        raise AssertionError("the shares do not add up to 100")

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return self.world.names

    @cached_property
    def _by_name(self) -> dict[str, list[Cutout]]:
        by_name: dict[str, list[Cutout]] = {}
        for cutout in self.world.cutouts:
            by_name.setdefault(cutout.name, []).append(cutout)
        return by_name

    @cached_property
    def _aims(self) -> tuple[list[Triple], list[Trait], list[Trait]]:
        """Held-out triples, (attribute, class) pairs and (size, class) pairs, each sorted."""
        traits = sorted(self.held_out.traits)
        return (sorted(self.held_out.triples), [trait for trait in traits if trait[0] not in _SIZES],
                [trait for trait in traits if trait[0] in _SIZES])


def _draw(rng: np.random.Generator, choices: Sequence[Drawn]) -> Drawn:
    return choices[rng.integers(len(choices))]


def _distinct(cutouts: list[Cutout]) -> bool:
    """Tell whether "the <head>" names one thing only: heads, wider words and near synonyms all differ."""
    heads = {cutout.head for cutout in cutouts}
    names = {cutout.name for cutout in cutouts}
    wider = {kind for cutout in cutouts for kind in cutout.kinds if kind not in (cutout.head, cutout.name)}
    return len(heads) == len(cutouts) and not wider & (heads | names) and all(len(names & set(kin)) < 2 for kin in KIN)


def _place(rng: np.random.Generator, cutouts: list[Cutout]) -> tuple[Placed, ...] | None:
    """Put one cut-out into each cell of a layout; None when one of them would come out too small to see."""
    layouts = _LAYOUTS[len(cutouts)]
    side_by_side = len(cutouts) == 2 and rng.random() < _PAIRS_SIDE_BY_SIDE
    cells = layouts[0] if side_by_side else _draw(rng, layouts)
    placed = []
    for cutout, cell in zip(cutouts, cells, strict=True):
        low, high = _SIDES[str(rng.choice(list(_SIDES), p=_SIZE_ODDS))]
        side, native = rng.uniform(low, high), max(cutout.width, cutout.height)
        room = (cell[2] - cell[0]) / cutout.width, (cell[3] - cell[1]) / cutout.height
        scale = min(side / native, _MOST_ENLARGED, *room)
        width, height = max(1, int(cutout.width * scale)), max(1, int(cutout.height * scale))
        if max(width, height) < _LEAST_SIDE:
            return None
        x = cell[0] + int(rng.integers(cell[2] - cell[0] - width + 1))
        y = cell[1] + int(rng.integers(cell[3] - cell[1] - height + 1))
        assert x + width <= WIDTH and y + height <= HEIGHT
        placed.append(Placed(cutout, (x, y, x + width, y + height), bool(rng.random() < 0.5)))
    return tuple(placed)


def _hold_traits(world: World, rng: np.random.Generator) -> list[Trait]:
    """Hold out a part of the pairs whose word other classes still show, and whose class is still shown without it."""
    stamps = {(cutout.words, cutout.name) for cutout in world.cutouts}
    pairs = sorted({(word, name) for words, name in stamps for word in words})
    word_count, left = Counter(word for word, _ in pairs), Counter(name for _, name in stamps)
    held: list[Trait] = []
    wanted = round(_TRAITS_HELD * sum(word_count[word] > 1 and left[name] > 1 for word, name in pairs))
    for k in rng.permutation(len(pairs)):
        word, name = pairs[k]
        gone = sum(word in words and name == other for words, other in stamps)
        if len(held) < wanted and word_count[word] > 1 and left[name] > gone:
            held.append((word, name))
            word_count[word] -= 1
            left[name] -= gone
    return held + _hold_sizes(world, rng)


def _hold_sizes(world: World, rng: np.random.Generator) -> list[Trait]:
    """Hold out "small" for some classes and "large" for others; every stamp of the latter can come out large."""
    count = round(_SIZES_HELD * len(world.names))
    shuffled = [world.names[k] for k in rng.permutation(len(world.names))]
    tiny = {cutout.name for cutout in world.cutouts if max(cutout.width, cutout.height) * _MOST_ENLARGED < LARGE_SIDE}
    large = [name for name in shuffled[count:] if name not in tiny][:count]
    return [("small", name) for name in shuffled[:count]] + [("large", name) for name in large]


def _hold_triples(world: World, rng: np.random.Generator) -> list[Triple]:
    """Pair the classes off at random; of each pair, one relation in one order is held out, the others stay."""
    names = [world.names[k] for k in rng.permutation(len(world.names))]
    of_name = {cutout.name: cutout for cutout in world.cutouts}
    pairs = zip(names[::2], names[1::2], strict=False)  # an odd class is left over
    return [(first, RELATIONS[2 * int(rng.integers(2))], second) for first, second in pairs
            if _distinct([of_name[first], of_name[second]])]
