"""What may be true of an image: what all its captions say, and what a detector saw in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from unimo_paddle.prepare.rewriting.english import normalise
from unimo_paddle.prepare.rewriting.lemmas import singular
from unimo_paddle.prepare.rewriting.scene_graph import SceneGraph
from unimo_paddle.regions import RegionStore

CERTAIN = 0.2    # a region shows a thing when its class is at least so probable (the extractor's own threshold)
DOUBTFUL = 0.05  # ... and may show it from here on: too much to bring it in as false
_SAME = 0.5      # regions of one class are one thing when each overlaps the likeliest so far (intersection over union)
_APART = 0.5     # one thing is beside another and not above it when they share so much of the lower one's height

Box = tuple[float, float, float, float]   # x1 y1 x2 y2 in pixels, y downwards


@dataclass(frozen=True)
class Seen:
    """What a detector saw. names: lower case, one a synonym, doubtful ones too; boxes: of things that it saw once."""

    names: frozenset[str] = frozenset()
    boxes: Mapping[str, Box] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """What may be true of an image.

    names: of things, by captions and detector.  attributes: (thing's name, attribute).  relations: (subject's name,
    relation, object's name).  captions: normalised, positives among them.  boxes: of things that are there once.
    """

    names: frozenset[str]
    attributes: frozenset[tuple[str, str]]
    relations: frozenset[tuple[str, str, str]]
    captions: frozenset[str]
    boxes: Mapping[str, Box]


def image_facts(captions: Sequence[str], graphs: Iterable[SceneGraph], seen: Seen | None = None,
                positives: Iterable[str] = ()) -> Facts:
    """Collect what is said in all captions of an image and seen in it; no negative may equal one of the positives."""
    graphs, seen = list(graphs), seen or Seen()
    things = [thing for graph in graphs for thing in graph.things]
    several = {thing.name for thing in things if thing.number == "plural"}
    return Facts(
        frozenset(thing.name for thing in things) | seen.names,
        frozenset((graph.things[each.thing].name, each.name) for graph in graphs for each in graph.attributes),
        frozenset((graph.things[each.subject].name, each.name, graph.things[each.object].name)
                  for graph in graphs for each in graph.relations),
        frozenset(map(normalise, [*captions, *positives])),
        {name: box for name, box in seen.boxes.items() if name not in several})


def read_seen(store: RegionStore, image_id: str) -> Seen:
    """Return what a store's regions show; nothing for an image that it does not hold.

    Class 0 is the background; a class name holds synonyms, separated by commas ("eagle,bird").
    """
    if image_id not in store:
        return Seen()
    regions = store.read(image_id)
    probs = regions.class_probs[:, 1:]
    names = [_synonyms(name) for name in store.meta.classes[1:]]
    shown = {name for index in np.flatnonzero(probs.max(axis=0, initial=0) >= DOUBTFUL) for name in names[index]}
    boxes: dict[str, Box] = {}
    for index in np.flatnonzero(probs.max(axis=0, initial=0) >= CERTAIN):
        box = _only_box(regions.boxes[probs[:, index] >= CERTAIN], probs[probs[:, index] >= CERTAIN, index])
        if box:
            boxes.update(dict.fromkeys(names[index], box))
    return Seen(frozenset(shown), boxes)


def is_false(relation: str, subject: Box, other: Box) -> bool:
    """Tell whether "subject RELATION other" is plainly false of two boxes; left of, right of, above and below only."""
    if relation in ("right of", "below"):
        return is_false("left of" if relation == "right of" else "above", other, subject)
    axis = 0 if relation == "left of" else 1
    begins, ends = (subject[axis], other[axis]), (subject[axis + 2], other[axis + 2])
    centre = begins[0] + ends[0] - begins[1] - ends[1]
    shared = min(ends) - max(begins)
    return centre >= 0 or shared >= _APART * min(ends[0] - begins[0], ends[1] - begins[1])


def _synonyms(name: str) -> tuple[str, ...]:
    return tuple(singular(part.strip()) for part in name.lower().split(",") if part.strip())


def _only_box(boxes: npt.NDArray[np.float32], probs: npt.NDArray[np.float32]) -> Box | None:
    """Return the likeliest of float32 [N, 4] boxes, or None when they show more than one thing."""
    best = boxes[probs.argmax()]
    width, height = (np.clip(np.minimum(best[k + 2], boxes[:, k + 2]) - np.maximum(best[k], boxes[:, k]), 0, None)
                     for k in (0, 1))
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    shared = width * height
    if np.any(shared < _SAME * (areas + areas[probs.argmax()] - shared)):
        return None
    x1, y1, x2, y2 = (float(side) for side in best)
    return x1, y1, x2, y2
