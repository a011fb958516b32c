"""How well a detector finds and names the objects of held-out pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from unimo_paddle.console import progress
from unimo_paddle.errors import UserError
from unimo_paddle.regions import Regions
from unimo_paddle.vision.annotations import Scene
from unimo_paddle.vision.attribute_scores import AttributeScores, attribute_scores
from unimo_paddle.vision.boxes import overlap
from unimo_paddle.vision.detector import StoredDetector
from unimo_paddle.vision.extractor import Extractor
from unimo_paddle.vision.pictures import Unreadable, read_ahead, readable, same_shape_batches
from unimo_paddle.vision.precision import Detections, Truth, average_precision
from unimo_paddle.vision.settings import Choice

ALL_REGIONS = Choice(threshold=0.0, least=100, most=100)


@dataclass(frozen=True)
class Judgement:
    """ap50: mean average precision at overlap 0.5.  recall: share of objects that some region overlaps by 0.5.
    accuracy: share of objects whose best overlapping region has the right class.  attributes: None without any."""

    ap50: float
    recall: float
    accuracy: float
    attributes: AttributeScores | None = None


def judge(stored: StoredDetector, scenes: Sequence[Scene], batch_images: int = 8) -> Judgement:
    """Run the detector on annotated pictures; UserError listing those that cannot be read."""
    extractor = Extractor(replace(stored, choice=ALL_REGIONS))
    unreadable: list[Unreadable] = []
    found: dict[str, Regions] = {}
    sides = stored.settings.short_side, stored.settings.long_side
    images = [(scene.id, scene.path) for scene in scenes]
    ahead = read_ahead(images, *sides, multiple=stored.settings.kind.multiple)
    decoded = progress(ahead, len(images), "judging the detector", "picture")
    for batch in same_shape_batches(readable(decoded, unreadable), batch_images):
        found.update(zip((picture.id for picture in batch), extractor(batch), strict=True))
    if unreadable:
        raise UserError("pictures to judge on cannot be read: " + "; ".join(u.reason for u in unreadable[:20]))
    return compare([found[scene.id] for scene in scenes], scenes)


def compare(found: Sequence[Regions], scenes: Sequence[Scene]) -> Judgement:
    """Hold regions against the annotations of the same pictures; UserError when these have no box at all."""
    if not any(len(scene.boxes) for scene in scenes):
        raise UserError(f"none of the {len(scenes)} pictures to judge on has a box; check the annotations")
    detections = [_detections(regions) for regions in found]
    precision = average_precision(detections, [Truth(scene.boxes, scene.labels) for scene in scenes])
    hits, rights, objects = 0, 0, 0
    for image, scene in zip(detections, scenes, strict=True):
        if not len(image.boxes):
            objects += len(scene.boxes)
            continue
        overlaps = overlap(image.boxes, scene.boxes)
        objects += len(scene.boxes)
        hits += int((overlaps.max(0) >= 0.5).sum())
        rights += int((image.labels[overlaps.argmax(0)] == scene.labels).sum())
    ap50 = float(np.mean(list(precision.values())))
    return Judgement(ap50, hits / objects, rights / objects, attribute_scores(found, scenes))


def _detections(regions: Regions) -> Detections:
    objects = regions.class_probs[:, 1:]
    return Detections(regions.boxes, objects.max(1), objects.argmax(1))
