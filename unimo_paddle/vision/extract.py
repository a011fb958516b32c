"""Images to a region store."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray

from unimo_paddle.console import progress, say
from unimo_paddle.errors import UserError
from unimo_paddle.files import atomic_write
from unimo_paddle.regions import Regions, RegionStoreWriter, StoreMeta
from unimo_paddle.vision.boxes import choose, suppress
from unimo_paddle.vision.detector import StoredDetector, load_detector
from unimo_paddle.vision.frozen import FrozenBackbone
from unimo_paddle.vision.pictures import Picture, Unreadable, read_ahead, readable, same_shape_batches
from unimo_paddle.vision.settings import Choice

SUPPRESSION_OVERLAP = 0.5
SKIPPED_FILE = "skipped.txt"
CLASS_TOP_K = 16
Array = NDArray[Any]


@dataclass(frozen=True)
class Report:
    """What an extraction did: images stored by this run and before it, and those that could not be read."""

    stored: int
    before: int
    skipped: list[Unreadable]
    seconds: float


class Extractor:
    """A loaded detector that turns pictures into regions; one pass gives feature, box and class distribution."""

    def __init__(self, stored: StoredDetector) -> None:
        self.detector, self.settings, self.choice = stored.detector, stored.settings, stored.choice
        self._backbone = FrozenBackbone(stored.detector.backbone)

    def __call__(self, pictures: Sequence[Picture]) -> list[Regions]:
        """Return the regions of pictures of one padded shape."""
        maps = self._backbone(np.stack([picture.pixels for picture in pictures]))
        inputs = {
            "maps": [paddle.to_tensor(level) for level in maps],
            "im_shape": paddle.to_tensor(np.array([picture.scaled for picture in pictures], np.float32)),
        }
        with paddle.no_grad():
            found = self.detector.describe(inputs)
        return [
            select(picture, feature.numpy(), boxes.numpy(), probabilities.numpy(), self.choice)
            for picture, (feature, boxes, probabilities) in zip(pictures, found, strict=True)
        ]


def select(picture: Picture, features: Array, boxes: Array, probabilities: Array, choice: Choice) -> Regions:
    """Choose the regions of one picture, in pixels of the original, the most confident first.

    features: [N, D].  boxes: [N, C, 4], of each class, in pixels of the scaled picture.
    probabilities: [N, C + 1], PaddleDetection's order: the background last.
    """
    classes, scores = probabilities[:, :-1].argmax(1), probabilities[:, :-1].max(1)
    best = boxes[np.arange(len(boxes)), classes]
    kept = suppress(best, scores, classes, SUPPRESSION_OVERLAP)
    kept = kept[: choose(scores[kept], choice.threshold, choice.least, choice.most)]
    height, width = picture.scaled
    scale = np.array([picture.width / width, picture.height / height] * 2)
    edge = np.array([picture.width, picture.height] * 2)
    inside = np.clip(best[kept] * scale, 0, edge).astype(np.float32)
    return Regions(features[kept], inside, background_first(probabilities[kept]), picture.width, picture.height)


def background_first(probabilities: Array) -> Array:
    """Turn PaddleDetection's class order (background last) into ours (background first)."""
    return np.roll(probabilities, 1, axis=1)


def extract(
    detector: Path,
    images: Sequence[tuple[str, Path]],
    out: Path,
    changes: Mapping[str, Any],
    batch_images: int = 8,
    images_per_shard: int = 250,
) -> Report:
    """Store the regions of images (id, file) in the region store `out`, going on where an earlier run stopped.

    changes: fields of Choice that are wanted otherwise than the detector's folder says.
    Images that cannot be read are skipped and listed in `out`/skipped.txt.
    UserError when ids are doubled, the store was made with another detector or choice, or nothing at all could be read.
    """
    _require_distinct(images)
    begun = time.monotonic()
    stored = load_detector(detector)
    stored = replace(stored, choice=replace(stored.choice, **changes))
    skipped: list[Unreadable] = []
    with RegionStoreWriter(out, _meta(stored), images_per_shard) as writer:
        before = len(writer.done)
        todo = [(image_id, path) for image_id, path in images if image_id not in writer.done]
        if before:
            say(f"{out}: {before:,} images are done already, {len(todo):,} to do")
        if todo:
            for image_id, regions in _regions(Extractor(stored), todo, batch_images, skipped):
                writer.append(image_id, regions)
    _write_skipped(out / SKIPPED_FILE, skipped)
    if len(skipped) == len(images) > 0:
        raise UserError(f"none of the {len(images)} images could be read; the first: {skipped[0].reason}")
    return Report(len(todo) - len(skipped), before, skipped, time.monotonic() - begun)


def _regions(
    extractor: Extractor, images: Sequence[tuple[str, Path]], batch_images: int, skipped: list[Unreadable]
) -> Iterator[tuple[str, Regions]]:
    sides = extractor.settings.short_side, extractor.settings.long_side
    decoded = progress(read_ahead(images, *sides), len(images), "extracting", "image")
    for batch in same_shape_batches(readable(decoded, skipped), batch_images):
        yield from zip((picture.id for picture in batch), extractor(batch), strict=True)


def _meta(stored: StoredDetector) -> StoreMeta:
    settings = stored.settings
    classes = settings.stored_classes
    return StoreMeta(
        settings.family, settings.feature_width, classes, CLASS_TOP_K, stored.sha256, str(stored.choice)
    )


def _require_distinct(images: Iterable[tuple[str, Path]]) -> None:
    by_id = sorted(images, key=lambda image: image[0])
    doubled = [a for a, b in itertools.pairwise(by_id) if a[0] == b[0]]
    if doubled:
        raise UserError(f"image ids must differ, but {len(doubled)} occur again, the first: {doubled[0][0]!r}")


def _write_skipped(path: Path, skipped: Sequence[Unreadable]) -> None:
    if not skipped:
        path.unlink(missing_ok=True)
        return
    with atomic_write(path, "w") as file:
        file.writelines(f"{item.id}\t{item.path}\t{item.reason}\n" for item in skipped)
    say(f"{len(skipped):,} images could not be read and were skipped; they are listed in {path}")
