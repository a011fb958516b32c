"""Batches of a detector's training: order, scaling, mirroring, stacking."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from unimo_paddle.errors import UserError
from unimo_paddle.vision.annotations import Annotations
from unimo_paddle.vision.backbone import normalise
from unimo_paddle.vision.batches import MapBatches, PictureBatches, SceneOrder, stack
from unimo_paddle.vision.detector import StoredDetector
from unimo_paddle.vision.frozen import FrozenBackbone
from unimo_paddle.vision.map_cache import MapCache, cached_maps


@pytest.fixture(scope="module")
def cache(stored: StoredDetector, scenes: Annotations, tmp_path_factory: pytest.TempPathFactory) -> MapCache:
    backbone = FrozenBackbone(stored.detector.backbone, is_eager=True)
    images = [(scene.id, scene.path) for scene in scenes.scenes]
    return cached_maps(tmp_path_factory.mktemp("maps") / "c", backbone, images, 32, 48, "key")


def pictures(scenes: Annotations, batch: int, seed: int = 5) -> PictureBatches:
    return PictureBatches(SceneOrder(scenes.scenes, batch, seed), (64, 96), normalise, 0)


def test_batches_visit_every_scene_once_an_epoch(scenes: Annotations, cache: MapCache) -> None:
    made = MapBatches(SceneOrder(scenes.scenes, 1, seed=5), cache, 0)
    ids = [made.batch(step).ids[0] for step in range(12)]
    assert all(sorted(ids[i : i + 3]) == ["0", "1", "2"] for i in range(0, 12, 3))
    assert len({tuple(ids[i : i + 3]) for i in range(0, 12, 3)}) > 1  # epochs differ in order
    again = MapBatches(SceneOrder(scenes.scenes, 1, seed=5), cache, 0)
    assert [again.batch(step).ids[0] for step in (7, 2)] == [ids[7], ids[2]]
    assert len(MapBatches(SceneOrder(scenes.scenes, 4, 5), cache, 0).batch(0).ids) == 4  # goes on over the epoch


def test_boxes_are_scaled_with_the_picture(scenes: Annotations, cache: MapCache) -> None:
    scene = replace(scenes.scenes[0], attributes=((1,),))
    batch = MapBatches(SceneOrder([scene], 1, 0), cache, 2).batch(0)
    np.testing.assert_allclose(batch.boxes[0], scene.boxes / 2)
    assert batch.sizes.tolist() == [[32, 48]] and batch.labels[0].tolist() == [[0]]
    assert [rows.tolist() for rows in batch.attributes] == [[[0, 0, 1]]]
    assert MapBatches(SceneOrder([scene], 1, 0), cache, 0).batch(0).attributes == []


def test_pictures_are_mirrored_with_their_boxes(scenes: Annotations) -> None:
    scene = scenes.scenes[0]  # a red square from 8 to 40, in a picture 96 wide
    plain, mirrored = (pictures(scenes, 1).assemble([scene], [flip]) for flip in (False, True))
    np.testing.assert_array_equal(mirrored.levels[0], plain.levels[0][..., ::-1])
    assert plain.boxes[0].tolist() == [[8, 8, 40, 40]] and mirrored.boxes[0].tolist() == [[56, 8, 88, 40]]
    left, top, right, bottom = mirrored.boxes[0][0].astype(int)
    inside = mirrored.levels[0][0, :, top:bottom, left:right]
    assert inside[0].mean() > 0.5 > 0 > inside[2].mean()  # red


def test_a_step_is_the_same_every_time_and_some_are_mirrored(scenes: Annotations) -> None:
    made = pictures(scenes, 1)
    for step in (0, 5):
        np.testing.assert_array_equal(made.batch(step).levels[0], pictures(scenes, 1).batch(step).levels[0])
    boxes = {(one.ids[0], one.boxes[0][0, 0]) for one in (made.batch(step) for step in range(24))}
    assert len(boxes) > len(scenes.scenes)
    assert len({tuple(pictures(scenes, 1, seed).batch(0).ids) for seed in range(6)}) > 1


def test_pictures_of_several_sizes_are_filled_with_zeros(scenes: Annotations) -> None:
    small, large = np.ones((2, 1, 2), np.float16), np.ones((2, 2, 1), np.float16)
    found = stack([small, large])
    assert found.dtype == np.float32
    assert found[:, 0].tolist() == [[[1, 1], [0, 0]], [[1, 0], [1, 0]]]
    assert pictures(scenes, 3).batch(0).levels[0].shape == (3, 3, 64, 96)


def test_scenes_without_boxes_and_pictures_that_cannot_be_read(scenes: Annotations, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none of the 0 pictures"):
        SceneOrder([], 1, 0)
    gone = replace(scenes.scenes[0], path=tmp_path / "gone.png")
    with pytest.raises(UserError, match=r"gone\.png does not exist"):
        pictures(scenes, 1).assemble([gone], [False])
