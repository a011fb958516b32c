"""A loaded detector that turns pictures into regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray

from unimo_paddle.regions import Regions
from unimo_paddle.vision.compat import Described
from unimo_paddle.vision.detector import StoredDetector
from unimo_paddle.vision.frozen import FrozenBackbone
from unimo_paddle.vision.pictures import Picture
from unimo_paddle.vision.selection import as_published, by_best_class
from unimo_paddle.vision.settings import CAFFE, OWN, Choice

Array = NDArray[Any]


@dataclass(frozen=True)
class Found:
    """What a detector says of one picture's proposals: compat.Described in numpy."""

    features: Array
    boxes: Array
    probabilities: Array
    attributes: Array | None = None

    @classmethod
    def of(cls, described: Described) -> Found:
        """Fetch the tensors."""
        told = described.attributes
        return cls(described.feature.numpy(), described.boxes.numpy(), described.probabilities.numpy(),
                   None if told is None else told.numpy())  # fmt: skip


class Extractor:
    """Pictures to regions; one pass gives feature, box, class and attribute distribution, so that they always match.

    threads: of the backbone's program; 0 is one for each core.
    """

    def __init__(self, stored: StoredDetector, threads: int = 0) -> None:
        self.detector, self.settings, self.choice = stored.detector, stored.settings, stored.choice
        self._backbone = FrozenBackbone(stored.detector.backbone, threads=threads)

    def __call__(self, pictures: Sequence[Picture]) -> list[Regions]:
        """Return the regions of pictures of one padded shape."""
        maps = self._backbone(np.stack([picture.pixels for picture in pictures]))
        scales = [picture.scaled[0] / picture.height for picture in pictures]
        inputs = {
            "maps": [paddle.to_tensor(level) for level in maps],
            "im_shape": paddle.to_tensor(np.array([picture.scaled for picture in pictures], np.float32)),
            "scales": np.array(scales, np.float32),
        }
        with paddle.no_grad():
            found = [Found.of(described) for described in self.detector.describe(inputs)]
        conventions = self.settings.conventions
        return [select(*pair, self.choice, conventions) for pair in zip(pictures, found, strict=True)]


def select(picture: Picture, found: Found, choice: Choice, conventions: str = OWN) -> Regions:
    """Choose the regions of one picture, in pixels of the original, the most confident first."""
    choose = as_published if conventions == CAFFE else by_best_class
    kept, classes = choose(found.boxes, found.probabilities[:, :-1], choice)
    height, width = picture.scaled
    scale = np.array([picture.width / width, picture.height / height] * 2)
    edge = np.array([picture.width, picture.height] * 2)
    inside = np.clip(found.boxes[kept, classes] * scale, 0, edge).astype(np.float32)
    attributes = None if found.attributes is None else found.attributes[kept]
    probabilities = background_first(found.probabilities[kept])
    return Regions(found.features[kept], inside, probabilities, picture.width, picture.height, attributes)


def background_first(probabilities: Array) -> Array:
    """Turn PaddleDetection's class order (background last) into ours (background first)."""
    return np.roll(probabilities, 1, axis=1)
