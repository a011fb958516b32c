"""The nouns of the small world: cut-outs, backgrounds, and scenes whose truth is arithmetic on boxes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

WIDTH, HEIGHT = 384, 256          # pixels of every scene
SMALL_SIDE, LARGE_SIDE = 64, 112  # longest side in pixels: up to the first is "small", from the second on "large"
RELATIONS = ("left of", "right of", "above", "below")
INVERSE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
SLANT = 1.15                      # a direction is named only when its distance is so many times the other one's
SHARED = 0.1                      # ... and the two extents share at most this part of the narrower one

Box = tuple[int, int, int, int]   # x1 y1 x2 y2 in pixels, x2 and y2 exclusive


@dataclass(frozen=True)
class Attribute:
    """A word that a person used for a cut-out; kind: colour, material, state or breed."""

    word: str
    kind: str


@dataclass(frozen=True)
class Cutout:
    """What can be pasted: its words, and its size before scaling.

    key: unique, e.g. the stamp's path.  name: the class, e.g. "guinea fowl".  kind: a wider word that certainly holds
    ("bird", "animal"; may be empty).  group: things that a person might call by each other's names stand in one group;
    only a thing of another group is ever said to be absent.  width, height: pixels of the tight crop.
    """

    key: str
    name: str
    attributes: tuple[Attribute, ...]
    kinds: tuple[str, ...]
    group: str
    width: int
    height: int

    @property
    def head(self) -> str:
        """The last word of the name; two things with the same head never share a scene ("the duck" names one)."""
        return self.name.split()[-1]

    @property
    def words(self) -> tuple[str, ...]:
        """The attribute words, in the order in which they are spoken."""
        return tuple(attribute.word for attribute in self.attributes)


@dataclass(frozen=True)
class Background:
    """key: unique.  phrase: how a caption calls it, e.g. "ocean waves"."""

    key: str
    phrase: str


@dataclass(frozen=True)
class World:
    """All that scenes are made of; the order of both tuples is part of the seed's meaning."""

    source: str
    cutouts: tuple[Cutout, ...]
    backgrounds: tuple[Background, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The class vocabulary, sorted; COCO category ids count it from 1."""
        return tuple(sorted({cutout.name for cutout in self.cutouts}))


@dataclass(frozen=True)
class Placed:
    """A cut-out in a scene; the picture of the cut-out fills the box exactly."""

    cutout: Cutout
    box: Box
    flipped: bool

    @property
    def size(self) -> str:
        """Return "small", "large" or "" by the longest side of the box."""
        side = max(self.box[2] - self.box[0], self.box[3] - self.box[1])
        return "small" if side <= SMALL_SIDE else "large" if side >= LARGE_SIDE else ""

    @property
    def words(self) -> tuple[str, ...]:
        """Size first, then the cut-out's own attribute words."""
        return ((self.size,) if self.size else ()) + self.cutout.words


@dataclass(frozen=True)
class Scene:
    """What a picture shows.

    image_id counts over all splits from 1, index within the split from 0.  crop: how far across and down the
    background photograph the view lies, and how much of it (three fractions).  paleness: the part of white mixed in.
    """

    image_id: int
    split: str
    index: int
    background: Background
    crop: tuple[float, float, float]
    mirrored: bool
    paleness: float
    objects: tuple[Placed, ...]

    @property
    def file_name(self) -> str:
        """Path below images/."""
        return f"{self.split}/{self.image_id:012d}.jpg"

    def relations(self) -> Iterator[tuple[int, str, int]]:
        """Yield every true (subject index, relation, object index), in both directions."""
        for i, first in enumerate(self.objects):
            for j, second in enumerate(self.objects):
                relation = relate(first.box, second.box) if i != j else None
                if relation:
                    yield i, relation, j


def relate(first: Box, second: Box) -> str | None:
    """Return the relation of the first box to the second, or None where a person could hesitate.

    Left of / right of: the centres are further apart sideways than upright (by SLANT) and the boxes share next to
    nothing sideways; above / below the same, upright.
    """
    ahead = [(second[k] + second[k + 2] - first[k] - first[k + 2]) / 2 for k in (0, 1)]
    axis = 0 if abs(ahead[0]) > abs(ahead[1]) else 1
    shared = min(first[axis + 2], second[axis + 2]) - max(first[axis], second[axis])
    narrow = min(first[axis + 2] - first[axis], second[axis + 2] - second[axis])
    if abs(ahead[axis]) < SLANT * abs(ahead[1 - axis]) or shared > SHARED * narrow:
        return None
    return RELATIONS[2 * axis + (ahead[axis] < 0)]
