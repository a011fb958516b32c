"""Cached maps, batches and losses of the detector's training."""

from pathlib import Path

import numpy as np
import paddle
import pytest

from unimo_paddle.errors import UserError
from unimo_paddle.vision.annotations import Annotations
from unimo_paddle.vision.detector import StoredDetector, build_detector
from unimo_paddle.vision.frozen import FrozenBackbone
from unimo_paddle.vision.map_cache import MapCache, cached_maps
from unimo_paddle.vision.pictures import read_picture
from unimo_paddle.vision.settings import DetectorSettings
from unimo_paddle.vision.training import DetectorWork, stack_maps


@pytest.fixture(scope="module")
def backbone(stored: StoredDetector) -> FrozenBackbone:
    return FrozenBackbone(stored.detector.backbone, is_eager=True)


@pytest.fixture(scope="module")
def cache(backbone: FrozenBackbone, scenes: Annotations, tmp_path_factory: pytest.TempPathFactory) -> MapCache:
    images = [(scene.id, scene.path) for scene in scenes.scenes]
    return cached_maps(tmp_path_factory.mktemp("maps") / "c", backbone, images, 64, 96, "key")


def test_cache_holds_the_backbones_maps(cache: MapCache, backbone: FrozenBackbone, scenes: Annotations) -> None:
    scene = scenes.scenes[1]
    wanted = backbone(read_picture(scene.id, scene.path, 64, 96).pixels[None])
    for found, level in zip(cache.read(scene.id), wanted, strict=True):
        assert found.dtype == np.float16
        np.testing.assert_allclose(found, level[0], rtol=1e-3, atol=1e-3)
    assert cache.images[scene.id].scaled == [64, 96]


def test_cache_is_made_again_only_when_needed(backbone: FrozenBackbone, scenes: Annotations, tmp_path: Path) -> None:
    images = [(scene.id, scene.path) for scene in scenes.scenes]

    def made_at(key: str) -> int:
        cached_maps(tmp_path / "c", backbone, images, 64, 96, key)
        return (tmp_path / "c" / "maps.bin").stat().st_mtime_ns

    first = made_at("a")
    assert made_at("a") == first and made_at("b") > first
    with pytest.raises(UserError, match=r"no\.png does not exist"):
        cached_maps(tmp_path / "d", backbone, [*images, ("x", tmp_path / "no.png")], 64, 96, "a")
    assert not (tmp_path / "d").exists()


def test_a_users_folder_is_never_removed(backbone: FrozenBackbone, scenes: Annotations, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(UserError, match="not empty"):
        cached_maps(tmp_path, backbone, [("0", scenes.scenes[0].path)], 64, 96, "a")
    assert (tmp_path / "thesis.txt").exists()


def test_batches_visit_every_scene_once_an_epoch(stored: StoredDetector, scenes: Annotations, cache: MapCache) -> None:
    work = DetectorWork(stored.detector, scenes.scenes, cache, 1, seed=5)
    ids = [work.batch(step).ids[0] for step in range(12)]
    assert all(sorted(ids[i : i + 3]) == ["0", "1", "2"] for i in range(0, 12, 3))
    assert len({tuple(ids[i : i + 3]) for i in range(0, 12, 3)}) > 1  # epochs differ in order
    again = DetectorWork(stored.detector, scenes.scenes, cache, 1, seed=5)
    assert [again.batch(step).ids[0] for step in (7, 2)] == [ids[7], ids[2]]
    assert len(DetectorWork(stored.detector, scenes.scenes, cache, 4, 5).batch(0).ids) == 4  # goes on over the epoch


def test_boxes_are_scaled_with_the_picture(stored: StoredDetector, scenes: Annotations, backbone: FrozenBackbone,
                                           tmp_path: Path) -> None:  # fmt: skip
    scene = scenes.scenes[0]
    half = cached_maps(tmp_path / "c", backbone, [(scene.id, scene.path)], 32, 48, "key")
    batch = DetectorWork(stored.detector, [scene], half, 1, 0).batch(0)
    np.testing.assert_allclose(batch.boxes[0], scene.boxes / 2)
    assert batch.sizes.tolist() == [[32, 48]] and batch.labels[0].tolist() == [[0]]


def test_stacked_maps_are_filled_with_zeros() -> None:
    small, large = np.ones((2, 1, 2), np.float16), np.ones((2, 2, 1), np.float16)
    (found,) = stack_maps([[small], [large]])
    assert found.dtype == np.float32
    assert found[:, 0].tolist() == [[[1, 1], [0, 0]], [[1, 0], [1, 0]]]


def test_losses_are_paddledetections_means(settings: DetectorSettings, scenes: Annotations, cache: MapCache) -> None:
    paddle.seed(1)
    work = DetectorWork(build_detector(settings), scenes.scenes, cache, 3, 0)
    work.model.train()
    batch = work.batch(0)
    paddle.seed(7)
    terms = work.losses(batch)
    assert set(terms) == {"proposal_class", "proposal_box", "region_class", "region_box"}
    assert float(terms["proposal_class"].count) == 3 * settings.anchors_per_image
    assert 0 < float(terms["region_class"].count) <= 3 * settings.rois_per_image
    assert float(terms["region_class"].mean()) == pytest.approx(np.log(3), abs=0.2)  # 2 classes and the background
    paddle.seed(7)
    assert [float(t.sum) for t in work.losses(batch).values()] == [float(t.sum) for t in terms.values()]


def test_learns_and_leaves_the_backbone(settings: DetectorSettings, scenes: Annotations, cache: MapCache) -> None:
    paddle.seed(1)
    work = DetectorWork(build_detector(settings), scenes.scenes, cache, 3, 0)
    frozen = {n: p.numpy() for n, p in work.model.backbone.named_parameters()}
    trained = [p for p in work.model.parameters() if not p.stop_gradient]
    optimizer = paddle.optimizer.Adam(3e-3, parameters=trained)
    work.model.train()
    totals = []
    for step in range(25):
        total = sum(term.mean() for term in work.losses(work.batch(step)).values())
        total.backward()
        optimizer.step()
        optimizer.clear_grad()
        totals.append(float(total))
    assert np.mean(totals[-5:]) < 0.7 * np.mean(totals[:5])
    for name, parameter in work.model.backbone.named_parameters():
        np.testing.assert_array_equal(parameter.numpy(), frozen[name])


def test_scenes_without_boxes_are_refused(stored: StoredDetector, cache: MapCache) -> None:
    with pytest.raises(UserError, match="none of the 0 pictures"):
        DetectorWork(stored.detector, [], cache, 1, 0)
