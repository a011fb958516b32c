"""Do two stores of the same images agree? Boxes are matched, then features and classes compared."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.console import progress
from unimo_paddle.errors import UserError
from unimo_paddle.region_shards import Regions
from unimo_paddle.regions import RegionStore

LEAST_OVERLAP = 0.5
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Comparison:
    """What two stores have in common; nan where nothing could be compared.

    images: compared, of those that both have.  other_size: of them, those whose sizes in pixels differ; left out.
    regions_a, regions_b: of the compared images.  matched: pairs of boxes that overlap by at least LEAST_OVERLAP.
    iou, cosine: mean over the matched pairs; cosine_low: what 95 % of them reach.  same_class: share of the matched
    pairs whose most probable class has one name.  class_distance: mean of sum |p - q|, 0 to 2.
    """

    family_a: str
    family_b: str
    images_a: int
    images_b: int
    images: int
    other_size: int
    regions_a: int
    regions_b: int
    matched: int
    iou: float
    cosine: float
    cosine_low: float
    same_class: float
    class_distance: float

    def table(self) -> str:
        """Return lines for a terminal."""
        rows = [
            ("family", self.family_a, self.family_b),
            ("images in the store", f"{self.images_a:,}", f"{self.images_b:,}"),
            ("images compared", f"{self.images:,}", f"{self.other_size:,} of another size"),
            ("regions", f"{self.regions_a:,}", f"{self.regions_b:,}"),
            ("  matched", _share(self.matched, self.regions_a), _share(self.matched, self.regions_b)),
            ("box overlap (IoU), mean", f"{self.iou:.4f}", ""),
            ("feature cosine, mean", f"{self.cosine:.4f}", f"95 % reach {self.cosine_low:.4f}"),
            ("same class", f"{self.same_class:.4f}", f"distance {self.class_distance:.4f} of 2"),
        ]
        return "\n".join(f"{name:<26} {a:>20}  {b:>22}".rstrip() for name, a, b in rows)

    def json(self) -> str:
        """Return one line of JSON, without nan."""
        values = asdict(self).items()
        return json.dumps({name: None if value != value else value for name, value in values})


def compare(one: Path, other: Path, images: int) -> Comparison:
    """Compare at most `images` images, evenly chosen, of those that two stores have in common.

    UserError when they have none, or a shard is not what was written. Cosine is nan when the features differ in width,
    the distance when the lists of classes differ.
    """
    a, b = RegionStore(one, checked=True), RegionStore(other, checked=True)
    common = [image_id for image_id in a.ids if image_id in b]
    if not common:
        raise UserError(f"{one} and {other} have no image in common; ids are e.g. {a.ids[:1]} and {b.ids[:1]}")
    chosen = common[:: max(1, -(-len(common) // images))]
    totals = {"other_size": 0, "regions_a": 0, "regions_b": 0}
    parts: list[dict[str, Floats]] = []
    for image_id in progress(chosen, len(chosen), "comparing", "image"):
        x, y = a.read(image_id), b.read(image_id)
        if (x.width, x.height) != (y.width, y.height):
            totals["other_size"] += 1
            continue
        totals["regions_a"] += len(x.boxes)
        totals["regions_b"] += len(y.boxes)
        parts.append(_matched(x, y, a.meta.classes, b.meta.classes))
    return Comparison(a.meta.family, b.meta.family, len(a), len(b), len(chosen), **totals, **_summary(parts))


def match(a: Floats, b: Floats, least: float) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Pair boxes [N, 4] and [M, 4] greedily: the largest overlap first, each box once, none below `least`.

    Returns the rows of a, the rows of b and the overlaps, [K] each.
    """
    overlaps = overlap(a, b)
    rows, columns = np.nonzero(overlaps >= least)
    order = np.argsort(-overlaps[rows, columns], kind="stable")
    chosen, used_a, used_b = [], set[int](), set[int]()
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if row not in used_a and column not in used_b:
            used_a.add(row)
            used_b.add(column)
            chosen.append((row, column))
    pairs = np.array(chosen, np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1], overlaps[pairs[:, 0], pairs[:, 1]]


def overlap(a: Floats, b: Floats) -> Floats:
    """Return the intersection over union of each box of a [N, 4] with each of b [M, 4]: float64 [N, M]."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    sides = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    shared = sides.clip(0).prod(-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(-1) for boxes in (a, b)]
    union = areas[0][:, None] + areas[1] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _matched(x: Regions, y: Regions, classes_x: tuple[str, ...], classes_y: tuple[str, ...]) -> dict[str, Floats]:
    rows, columns, overlaps = match(x.boxes, y.boxes, LEAST_OVERLAP)
    found = {"iou": overlaps}
    if x.features.shape[1] == y.features.shape[1]:
        found["cosine"] = _cosine(x.features[rows], y.features[columns])
    best_x, best_y = x.class_probs[rows].argmax(1), y.class_probs[columns].argmax(1)
    names = zip(best_x.tolist(), best_y.tolist(), strict=True)
    found["same_class"] = np.array([classes_x[i] == classes_y[k] for i, k in names], np.float64)
    if classes_x == classes_y:
        found["class_distance"] = np.abs(x.class_probs[rows] - y.class_probs[columns]).sum(1)
    return found


def _cosine(a: Floats, b: Floats) -> Floats:
    a, b = a.astype(np.float64), b.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.divide((a * b).sum(1), lengths, out=np.zeros(len(a)), where=lengths > 0)


def _summary(parts: list[dict[str, Floats]]) -> dict[str, Any]:
    joined = {name: np.concatenate([part[name] for part in parts if name in part] or [np.zeros(0)])
              for name in ("iou", "cosine", "same_class", "class_distance")}  # fmt: skip
    summary: dict[str, Any] = {name: float(v.mean()) if len(v) else float("nan") for name, v in joined.items()}
    cosine = joined["cosine"]
    return {
        **summary, "matched": len(joined["iou"]),
        "cosine_low": float(np.percentile(cosine, 5)) if len(cosine) else float("nan"),
    }  # fmt: skip


def _share(part: int, whole: int) -> str:
    return f"{part:,} ({100 * part / whole:.1f} %)" if whole else "0"
