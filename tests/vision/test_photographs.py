"""Real photographs, and every size from 32 to 6000 pixels, go through a detector without an error."""

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import paddle
import pytest
from PIL import Image

from unimo_paddle.regions import RegionStore, verify
from unimo_paddle.vision.detector import StoredDetector, build_detector, save_detector
from unimo_paddle.vision.extract import extract
from unimo_paddle.vision.settings import Choice, DetectorSettings
from unimo_paddle.vision.sources import ENDINGS, listed_images

FOLDERS = {"sklearn": "datasets/images", "matplotlib": "mpl-data/sample_data", "skimage": "data"}
SIZES = [(32, 32), (32, 6000), (6000, 32), (33, 47), (1, 1), (500, 375), (1080, 1920), (6000, 4000), (6000, 6000)]
pytestmark = pytest.mark.usefixtures("quick_loading")


def photographs() -> Iterator[Path]:
    """The pictures that Python packages bring: two to a dozen, as far as they are installed."""
    for package, folder in FOLDERS.items():
        found = importlib.util.find_spec(package)
        if found and found.origin:
            files = sorted((Path(found.origin).parent / folder).iterdir())
            yield from (file for file in files if file.suffix.lower() in ENDINGS)


@pytest.mark.skipif(not any(photographs()), reason="no installed package brings a photograph")
def test_photographs_of_packages(detector_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    for file in photographs():
        shutil.copy(file, tmp_path / "all")
    images, _ = listed_images(tmp_path / "all")
    report = extract(detector_folder, images, tmp_path / "s", {})
    assert (report.stored, report.skipped) == (len(images), []) and verify(tmp_path / "s") == []


@pytest.fixture(scope="module")
def c4_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ResNet-18 C4 detector with an attribute head."""
    settings = DetectorSettings(
        ("cat", "dog"), ("red", "old", "big"), backbone="resnet18_c4", feature_width=512, roi_size=14, neck_width=32,
        short_side=64, long_side=96, anchor_sizes=(20, 40), test_proposals=15,
    )  # fmt: skip
    paddle.seed(3)
    path = tmp_path_factory.mktemp("detector") / "c4"
    save_detector(StoredDetector(build_detector(settings), settings, Choice(0.2, 3, 6), ""), path, {})
    return path


@pytest.mark.parametrize("kind", ["detector_folder", pytest.param("c4_folder", marks=pytest.mark.slow)])
def test_every_size_of_a_photograph(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    """Cut from noise that is smooth, so that JPEG's quick way for large pictures is taken, too."""
    (tmp_path / "all").mkdir()
    rough = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 24, 3)).astype(np.uint8))
    for number, size in enumerate(SIZES):
        rough.resize(size, Image.Resampling.BICUBIC).save(tmp_path / "all" / f"{number}.jpg", quality=80)
    images, _ = listed_images(tmp_path / "all")
    report = extract(request.getfixturevalue(kind), images, tmp_path / "s", {})
    assert (report.stored, report.skipped) == (len(SIZES), []) and verify(tmp_path / "s") == []
    store = RegionStore(tmp_path / "s")
    for number, (width, height) in enumerate(SIZES):
        found = store.read(str(number))
        assert (found.width, found.height) == (width, height) and 1 <= len(found.boxes) <= 6
        told = found.attr_probs
        assert (kind == "c4_folder") == (told is not None) and (told is None or told.shape == (len(found.boxes), 4))
