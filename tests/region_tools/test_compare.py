"""Comparing stores: matching against an oracle, figures by hand."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.reference import boxes as oracle
from tests.test_regions import META, fill, flip, make_regions
from unimo_paddle.errors import UserError
from unimo_paddle.region_tools.compare import compare, match, overlap
from unimo_paddle.regions import Regions, RegionStoreWriter, StoreMeta


def random_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    return np.sort(rng.integers(0, 8, (count, 2, 2)), axis=1).reshape(count, 4).astype(np.float32)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("sizes", [(0, 3), (1, 1), (7, 12), (30, 20)])
def test_match_is_the_oracles(seed: int, sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng((seed, *sizes))
    a, b = random_boxes(rng, sizes[0]), random_boxes(rng, sizes[1])
    real = np.array([[oracle.overlap(x, y) for y in b.tolist()] for x in a.tolist()]).reshape(sizes)
    np.testing.assert_allclose(overlap(a, b), real, atol=1e-12)
    rows, columns, overlaps = match(a, b, 0.3)
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == oracle.match(a.tolist(), b.tolist(), 0.3)
    np.testing.assert_allclose(overlaps, real[rows, columns])


def write(path: Path, regions: dict[str, Regions], meta: StoreMeta = META) -> Path:
    with RegionStoreWriter(path, meta, 3) as writer:
        for image_id, one in regions.items():
            writer.append(image_id, one)
    return path


def test_a_store_equals_itself(tmp_path: Path) -> None:
    fill(tmp_path / "a", range(6))
    found = compare(tmp_path / "a", tmp_path / "a", 100)
    assert (found.images, found.regions_a, found.regions_b, found.other_size) == (6, 16, 16, 0)
    assert found.matched == 16 and found.iou == pytest.approx(1) and found.cosine == pytest.approx(1)
    assert found.same_class == 1 and found.class_distance == 0
    assert compare(tmp_path / "a", tmp_path / "a", 2).images == 2


def test_a_flipped_bit_is_refused(tmp_path: Path) -> None:
    fill(tmp_path / "a", range(6))
    fill(tmp_path / "b", range(6))
    flip(tmp_path / "b" / "shard-00001.bin")
    with pytest.raises(UserError, match=r"b/shard-00001.bin is not what was written \(checksum\)"):
        compare(tmp_path / "a", tmp_path / "b", 100)


def test_figures_by_hand(tmp_path: Path) -> None:
    boxes = np.float32([[0, 0, 10, 10], [20, 20, 30, 30]])
    features = np.float32([[1, 0, 0, 0, 0, 0, 0, 0], [0, 2, 0, 0, 0, 0, 0, 0]])
    probs = np.float32([[0, 0.75, 0.25, 0, 0, 0], [0, 0, 1, 0, 0, 0]])
    a = Regions(features, boxes, probs, 60, 40)
    moved = np.float32([[20, 20, 30, 30], [0, 0, 10, 8], [50, 30, 60, 40]])  # IoU 1 with the second, 0.8 with the first
    turned = np.float32([[0, 3, 0, 0, 0, 0, 0, 0], [3, 4, 0, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0, 0]])
    other = np.float32([[0, 0, 1, 0, 0, 0], [0, 0.25, 0.75, 0, 0, 0], [0, 0, 0, 1, 0, 0]])
    b = Regions(turned, moved, other, 60, 40)
    write(tmp_path / "a", {"x": a, "only a": a, "size": a})
    write(tmp_path / "b", {"size": replace(b, width=70), "x": b})
    found = compare(tmp_path / "a", tmp_path / "b", 100)
    assert (found.images, found.other_size, found.regions_a, found.regions_b, found.matched) == (2, 1, 2, 3, 2)
    assert found.iou == pytest.approx((1 + 0.8) / 2) and found.cosine == pytest.approx((1 + 0.6) / 2)
    assert found.cosine_low == pytest.approx(0.6 + 0.05 * 0.4)
    assert found.same_class == 0.5 and found.class_distance == pytest.approx((0 + 1) / 2, abs=1e-3)
    value = json.loads(found.json())
    assert value["matched"] == 2 and value["iou"] == pytest.approx(0.9)
    assert "2 (100.0 %)" in found.table() and "2 (66.7 %)" in found.table()


def test_other_widths_and_classes_are_not_compared(tmp_path: Path) -> None:
    fill(tmp_path / "a", range(3))
    classes = ("__background__", "cat", "dog", "hat", "bus", "tree", "car")
    meta = replace(META, family="other", feature_width=4, classes=classes)
    one = make_regions(0, 1)
    wide = replace(one, features=one.features[:, :4], class_probs=np.pad(one.class_probs, ((0, 0), (0, 1))))
    write(tmp_path / "b", {"i0": wide}, meta)
    found = compare(tmp_path / "a", tmp_path / "b", 9)
    assert found.matched == 1 and found.same_class == 1
    assert math.isnan(found.cosine) and math.isnan(found.class_distance)
    assert json.loads(found.json())["cosine"] is None and found.family_b == "other"


def test_nothing_in_common(tmp_path: Path) -> None:
    write(tmp_path / "a", {"x": make_regions(0)})
    write(tmp_path / "b", {"y": make_regions(0)})
    with pytest.raises(UserError, match=r"have no image in common; ids are e.g. \['x'\] and \['y'\]"):
        compare(tmp_path / "a", tmp_path / "b", 9)
