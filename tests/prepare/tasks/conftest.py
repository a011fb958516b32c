"""A region store of a few images that know nothing but what they are called and show."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from unimo_paddle.region_shards import Regions, StoreMeta
from unimo_paddle.regions import RegionStoreWriter

CLASSES = ("__background__", "cat", "Red hat", "bus")
Stored = Callable[..., Path]


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    """Return a function: ids of images, and class probabilities [N, 4] of each or of all -> the store's path."""

    def make(images: Sequence[str], probs: np.ndarray | None = None) -> Path:
        rows = np.full((1, 4), 0.25) if probs is None else np.asarray(probs)
        boxes = np.tile(np.array([0, 0, 8, 8], np.float32), (len(rows), 1))
        regions = Regions(np.ones((len(rows), 2), np.float32), boxes, rows.astype(np.float32), 10, 10)
        with RegionStoreWriter(tmp_path / "store", StoreMeta("test", 2, CLASSES, 3, "none"), 100) as writer:
            for image in images:
                writer.append(image, regions)
        return tmp_path / "store"

    return make
