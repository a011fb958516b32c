"""How well the attributes of held-out objects are told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.regions import Regions
from unimo_paddle.vision.annotations import Scene
from unimo_paddle.vision.boxes import overlap
from unimo_paddle.vision.precision import precision_of

FOUND = 0.5  # overlap from which a region stands for an object


@dataclass(frozen=True)
class AttributeScores:
    """objects: how many have an attribute and a region that overlaps them by 0.5; the next two are shares of them.

    accuracy: the best overlapping region's most likely attribute (not "none") is one of the object's.
    majority: the attribute that most of them have is one of the object's: what a constant answer reaches.
    mean_precision: average precision, mean over the attributes, of all regions scored by the probability that they are
    an object of that attribute.
    """

    objects: int
    accuracy: float
    majority: float
    mean_precision: float


def attribute_scores(found: Sequence[Regions], scenes: Sequence[Scene]) -> AttributeScores | None:
    """Hold regions against the annotations of the same pictures; None when either has no attributes."""
    if not any(any(scene.attributes) for scene in scenes) or any(regions.attr_probs is None for regions in found):
        return None
    pairs = [pair for regions, scene in zip(found, scenes, strict=True) for pair in _pairs(regions, scene)]
    common = Counter(attribute for _, real in pairs for attribute in real).most_common(1)
    objects = len(pairs)
    rights = sum(said in real for said, real in pairs)
    return AttributeScores(
        objects, rights / max(objects, 1), common[0][1] / objects if common else 0.0, _mean_precision(found, scenes)
    )


def _pairs(regions: Regions, scene: Scene) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield the attribute that is told and those that are true, for each object found that has any."""
    if not len(regions.boxes) or not len(scene.boxes):
        return
    overlaps, told = overlap(regions.boxes, scene.boxes), _told(regions)
    for column, real in enumerate(scene.attributes):
        best = int(overlaps[:, column].argmax())
        if real and overlaps[best, column] >= FOUND:
            yield int(told[best].argmax()), real


def _told(regions: Regions) -> NDArray[np.float32]:
    """Return the probabilities of the attributes, without none: float32 [N, A]."""
    assert regions.attr_probs is not None
    return regions.attr_probs[:, 1:]


def _mean_precision(found: Sequence[Regions], scenes: Sequence[Scene]) -> float:
    used = sorted({attribute for scene in scenes for real in scene.attributes for attribute in real})
    scores = [_told(regions) * regions.class_probs[:, 1:].max(1)[:, None] for regions in found]
    values = [
        precision_of(
            [(regions.boxes, score[:, attribute]) for regions, score in zip(found, scores, strict=True)],
            [_having(scene, attribute) for scene in scenes],
        )
        for attribute in used
    ]
    return float(np.mean(values))


def _having(scene: Scene, attribute: int) -> NDArray[np.float32]:
    return scene.boxes[[row for row, real in enumerate(scene.attributes) if attribute in real]]
