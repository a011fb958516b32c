"""Cached maps and losses of the detector's training."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import paddle
import pytest

from unimo_paddle.errors import UserError
from unimo_paddle.vision.annotations import Annotations
from unimo_paddle.vision.batches import MapBatches, SceneOrder
from unimo_paddle.vision.detector import StoredDetector, build_detector
from unimo_paddle.vision.frozen import FrozenBackbone
from unimo_paddle.vision.map_cache import MapCache, cached_maps
from unimo_paddle.vision.pictures import read_picture
from unimo_paddle.vision.settings import DetectorSettings
from unimo_paddle.vision.training import LOSS_NAMES, WEIGHTS, DetectorWork


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


def work(
    settings: DetectorSettings, scenes: Annotations, cache: MapCache, attributes: tuple[str, ...] = ()
) -> DetectorWork:
    paddle.seed(1)
    model = build_detector(replace(settings, attributes=attributes))
    model.train()
    batches = MapBatches(SceneOrder(scenes.scenes, 3, 0), cache, len(attributes))
    return DetectorWork(model, batches.batch, is_frozen=True)


@pytest.fixture
def described(scenes: Annotations) -> Annotations:
    """The scenes with an attribute: big from 30 pixels on, else small; the last picture's have none."""
    told = [
        replace(scene, attributes=tuple((int(width < 30),) if scene.id != "2" else () for width in widths))
        for scene in scenes.scenes
        for widths in [scene.boxes[:, 2] - scene.boxes[:, 0]]
    ]
    return replace(scenes, scenes=tuple(told), attributes=("big", "small"))


def test_losses_are_paddledetections_means(settings: DetectorSettings, scenes: Annotations, cache: MapCache) -> None:
    made = work(settings, scenes, cache)
    batch = made.batch(0)
    paddle.seed(7)
    terms = made.losses(batch)
    assert set(terms) == {"proposal_class", "proposal_box", "region_class", "region_box"}
    assert made.counts(batch) == {name: float(term.count) for name, term in terms.items()} == dict.fromkeys(terms, 1.0)
    assert float(terms["region_class"].mean()) == pytest.approx(np.log(3), abs=0.2)  # 2 classes and the background
    paddle.seed(7)
    assert [float(t.sum) for t in made.losses(batch).values()] == [float(t.sum) for t in terms.values()]


def test_attributes_add_a_loss(settings: DetectorSettings, described: Annotations, cache: MapCache) -> None:
    made = work(settings, described, cache, described.attributes)
    terms = made.losses(made.batch(0))
    assert set(terms) == set(LOSS_NAMES.values()) == set(WEIGHTS) and WEIGHTS["region_attributes"] == 0.5
    term = terms["region_attributes"]
    assert made.counts(made.batch(0)).keys() == terms.keys()
    assert float(term.mean()) == pytest.approx(np.log(3), abs=0.1)  # two attributes and none


def test_learns_and_leaves_the_backbone(settings: DetectorSettings, described: Annotations, cache: MapCache) -> None:
    made = work(settings, described, cache, described.attributes)
    frozen = {n: p.numpy() for n, p in made.model.backbone.named_parameters()}
    trained = [p for p in made.model.parameters() if not p.stop_gradient]
    optimizer = paddle.optimizer.Adam(3e-3, parameters=trained)
    totals, told = [], []
    for step in range(25):
        means = {name: term.mean() for name, term in made.losses(made.batch(step)).items()}
        total = sum(means.values())
        total.backward()
        optimizer.step()
        optimizer.clear_grad()
        totals.append(float(total))
        told.append(float(means["region_attributes"]))
    assert np.mean(totals[-5:]) < 0.7 * np.mean(totals[:5]) and np.mean(told[-5:]) < np.mean(told[:5])
    for name, parameter in made.model.backbone.named_parameters():
        np.testing.assert_array_equal(parameter.numpy(), frozen[name])
