"""Extraction: the choice of regions, images of every size, what is skipped and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unimo_paddle.errors import UserError
from unimo_paddle.regions import Regions, RegionStore, verify
from unimo_paddle.vision.annotations import Annotations
from unimo_paddle.vision.detector import StoredDetector
from unimo_paddle.vision.extract import extract
from unimo_paddle.vision.extractor import Extractor, Found, background_first, select
from unimo_paddle.vision.judge import compare, judge
from unimo_paddle.vision.pictures import Picture, read_picture
from unimo_paddle.vision.settings import Choice

pytestmark = pytest.mark.usefixtures("quick_loading")


def test_select_by_hand() -> None:
    """Four proposals at half size, two classes. Row 1 is a double of row 0 and goes; row 3 fills up to the least."""
    picture = Picture("x", np.zeros((32, 32, 3), np.uint8), (20, 30), width=60, height=40)
    boxes = np.zeros((4, 2, 4), np.float32)
    boxes[0, 1], boxes[1, 1], boxes[2, 0], boxes[3, 1] = [0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 10], [20, 10, 31, 20]
    rows = [[0.1, 0.8, 0.1], [0.2, 0.5, 0.3], [0.6, 0.2, 0.2], [0.1, 0.15, 0.75]]  # the background last
    probabilities = np.float32(rows)
    features = np.arange(4, dtype=np.float32)[:, None]
    proposals = Found(features, boxes, probabilities, attributes=np.float32([[1, 0], [0, 1], [0.5, 0.5], [0.2, 0.8]]))
    found = select(picture, proposals, Choice(0.2, 3, 6))
    assert found.features.ravel().tolist() == [0, 2, 3]
    assert found.boxes.tolist() == [[0, 0, 20, 20], [0, 0, 20, 20], [40, 20, 60, 40]]  # scaled back, cut at the border
    np.testing.assert_allclose(found.class_probs, [[0.1, 0.1, 0.8], [0.2, 0.6, 0.2], [0.75, 0.1, 0.15]])
    assert found.attr_probs is not None
    np.testing.assert_allclose(found.attr_probs, np.float32([[1, 0], [0.5, 0.5], [0.2, 0.8]]))
    assert (found.width, found.height) == (60, 40)
    assert len(select(picture, proposals, Choice(0.2, 1, 6)).boxes) == 2
    assert len(select(picture, proposals, Choice(0.0, 1, 1)).boxes) == 1


def test_background_first() -> None:
    assert background_first(np.array([[1, 2, 9]])).tolist() == [[9, 1, 2]]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, Path]]:
    folder, rng, found = tmp_path_factory.mktemp("images"), np.random.default_rng(0), []
    for i, (height, width) in enumerate([(64, 96), (96, 64), (64, 96), (1, 1), (3, 700), (1200, 900), (64, 96)]):
        path = folder / f"{i}.png"
        Image.fromarray(rng.integers(0, 256, (height, width, 3)).astype(np.uint8)).save(path)
        found.append((f"id{i}", path))
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut")
    return [*found[:2], ("broken", folder / "broken.jpg"), *found[2:]]


def test_every_size_is_stored_and_damage_skipped(detector_folder: Path, images: list, tmp_path: Path) -> None:
    report = extract(detector_folder, images, tmp_path / "s", {}, batch_images=2, images_per_shard=3)
    assert (report.stored, report.before, [s.id for s in report.skipped]) == (7, 0, ["broken"])
    assert (tmp_path / "s" / "skipped.txt").read_text().startswith(f"broken\t{images[2][1]}\t")
    store = RegionStore(tmp_path / "s")
    assert sorted(store.ids) == [f"id{i}" for i in range(7)] and verify(tmp_path / "s") == []
    assert store.meta.classes == ("__background__", "red", "blue") and store.meta.feature_width == 12
    tall = store.read("id5")
    assert (tall.width, tall.height) == (900, 1200) and 1 <= len(tall.boxes) <= 6


def test_regions_do_not_depend_on_the_batch(detector_folder: Path, images: list, tmp_path: Path) -> None:
    good = [image for image in images if image[0] != "broken"]
    for size in (1, 4):
        extract(detector_folder, good, tmp_path / str(size), {}, batch_images=size)
    one, four = RegionStore(tmp_path / "1"), RegionStore(tmp_path / "4")
    for image_id in one.ids:
        np.testing.assert_allclose(one.read(image_id).boxes, four.read(image_id).boxes, atol=0.05)
        np.testing.assert_allclose(one.read(image_id).features, four.read(image_id).features, atol=2e-3)


@pytest.mark.parametrize(("numbers", "message"), [
    ((0.2, 7, 6), "at least 7 and at most 6"), ((0.2, 0, 6), "at least 0"), ((1.0, 1, 6), "not 1.0"),
])  # fmt: skip
def test_choices_that_cannot_be(numbers: tuple, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Choice(*numbers)


def test_clear_refusals(detector_folder: Path, images: list, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="1 occur again, the first: 'id0'"):
        extract(detector_folder, [images[0], images[0]], tmp_path / "s", {})
    with pytest.raises(UserError, match=r"none of the 1 images could be read; the first: .*broken\.jpg"):
        extract(detector_folder, [images[2]], tmp_path / "s", {})


def test_a_folder_that_is_no_store_is_left_alone(detector_folder: Path, images: list, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UserError, match="exists, is not empty and is no region store"):
        extract(detector_folder, images[:1], tmp_path, {})
    with pytest.raises(UserError, match=r"notes\.txt exists, is not empty and is no region store"):
        extract(detector_folder, images[:1], tmp_path / "notes.txt", {})
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(("changes", "message"), [
    ({"most": 0}, "--min-boxes 3 and --max-boxes 0 cannot be kept: 1 <= min <= max <= 1000"),
    ({"least": 7}, "--min-boxes 7 and --max-boxes 6 .* says 3 and 6"), ({"most": 1001}, "--max-boxes 1001 cannot"),
    ({"least": 0}, "--min-boxes 0 and"), ({"threshold": float("nan")}, "--threshold nan is no probability"),
    ({"threshold": 7.0}, "--threshold 7.0 is no"),
])  # fmt: skip
def test_flags_that_cannot_be(detector_folder: Path, images: list, tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        extract(detector_folder, images[:1], tmp_path / "s", changes)
    assert not (tmp_path / "s").exists()


def test_another_choice_is_not_mixed_in(detector_folder: Path, images: list, tmp_path: Path) -> None:
    """The detector's folder says what is kept, the caller may change it, and a store holds one choice only."""
    extract(detector_folder, images[:1], tmp_path / "s", {"most": 4})
    assert len(RegionStore(tmp_path / "s").read("id0").boxes) <= 4
    assert RegionStore(tmp_path / "s").meta.choice == "class probability above 0.2, 3 to 4 regions"
    with pytest.raises(UserError, match=r"choice is .* 3 to 4 regions, not .* 3 to 6 regions; give the same"):
        extract(detector_folder, images[:2], tmp_path / "s", {})
    assert extract(detector_folder, images[:2], tmp_path / "s", {"most": 4}).stored == 1


def test_judging(stored: StoredDetector, scenes: Annotations) -> None:
    found = judge(stored, scenes.scenes)
    assert 0 <= found.ap50 <= 1 and 0 <= found.recall <= 1 and 0 <= found.accuracy <= 1


def test_compare_by_hand(scenes: Annotations) -> None:
    scene = scenes.scenes[1]  # a blue and a red box; the red one is called blue
    probs = np.float32([[0.1, 0.0, 0.9], [0.3, 0.2, 0.5]])
    found = compare([Regions(np.zeros((2, 1), np.float32), scene.boxes, probs, 96, 64)], [scene])
    assert (found.recall, found.accuracy, found.ap50) == (1.0, 0.5, 0.5)


def test_extractor_keeps_the_order(stored: StoredDetector, scenes: Annotations) -> None:
    extractor = Extractor(stored)
    pictures = [read_picture(s.id, s.path, 64, 96) for s in scenes.scenes]
    alone = [extractor([picture])[0] for picture in pictures]
    for a, b in zip(extractor(pictures), alone, strict=True):
        np.testing.assert_allclose(a.boxes, b.boxes, atol=0.05)
