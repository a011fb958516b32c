"""A tiny detector and three tiny annotated pictures, made once: PaddleDetection takes seconds to load."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import paddle
import pytest
from PIL import Image

from unimo_paddle.vision import detector, frozen
from unimo_paddle.vision.annotations import Annotations, read_annotations
from unimo_paddle.vision.detector import StoredDetector, build_detector, load_detector, save_detector
from unimo_paddle.vision.settings import Choice, DetectorSettings

COLOURS = {"red": (220, 40, 40), "blue": (40, 40, 220)}


def draw(path: Path, boxes: dict[str, tuple[int, int, int, int]], size: tuple[int, int] = (96, 64)) -> None:
    pixels = np.full((size[1], size[0], 3), 200, np.uint8)
    for name, (x, y, w, h) in boxes.items():
        pixels[y : y + h, x : x + w] = COLOURS[name]
    Image.fromarray(pixels).save(path)


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Annotations:
    folder = tmp_path_factory.mktemp("scenes")
    layouts = [{"red": (8, 8, 32, 32)}, {"blue": (40, 16, 40, 40), "red": (2, 2, 20, 20)}, {"blue": (10, 10, 30, 30)}]
    value: dict = {"images": [], "annotations": [], "categories": [{"id": 7, "name": "blue"}, {"id": 3, "name": "red"}]}
    for i, layout in enumerate(layouts):
        draw(folder / f"{i}.png", layout)
        value["images"].append({"id": i, "file_name": f"{i}.png", "width": 96, "height": 64})
        for name, box in layout.items():
            category = {"blue": 7, "red": 3}[name]
            value["annotations"].append({"image_id": i, "category_id": category, "bbox": list(box), "iscrowd": 0})
    (folder / "instances.json").write_text(json.dumps(value))
    return read_annotations(folder / "instances.json", folder)


@pytest.fixture(scope="session")
def settings(scenes: Annotations) -> DetectorSettings:
    return DetectorSettings(
        classes=scenes.classes, short_side=64, long_side=96, neck_width=16, feature_width=12, roi_size=3,
        anchor_sizes=(20, 40), train_proposals=20, test_proposals=15, anchors_per_image=32, rois_per_image=16,
    )  # fmt: skip


@pytest.fixture(scope="session")
def detector_folder(settings: DetectorSettings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    paddle.seed(3)
    path = tmp_path_factory.mktemp("detector") / "tiny"
    made = StoredDetector(build_detector(settings), settings, Choice(0.2, 3, 6), "")
    save_detector(made, path, {"trained": "not at all"})
    yield path


@pytest.fixture(scope="session")
def stored(detector_folder: Path) -> StoredDetector:
    return load_detector(detector_folder)


_load, _program = cache(load_detector), cache(frozen._predictor)


@pytest.fixture
def quick_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Load each detector once, and make its program once, however often it is used for extraction."""
    monkeypatch.setattr(detector, "load_detector", _load)
    monkeypatch.setattr(frozen, "_predictor", _program)
