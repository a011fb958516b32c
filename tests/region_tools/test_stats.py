"""Figures of a store against numpy, and a picture that is one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.test_regions import META, fill, flip, make_regions
from unimo_paddle.errors import UserError
from unimo_paddle.region_tools.stats import statistics
from unimo_paddle.regions import RegionStore, RegionStoreWriter


def test_figures(tmp_path: Path) -> None:
    fill(tmp_path / "s", range(7))
    found = statistics(tmp_path / "s", 100)
    assert found.counts.tolist() == [1 + i % 5 for i in range(7)] and found.looked_at == 7
    store = RegionStore(tmp_path / "s")
    regions = [store.read(image_id) for image_id in store.ids]
    boxes = np.concatenate([r.boxes for r in regions])
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) / (60 * 40)
    np.testing.assert_allclose(found.areas, areas, rtol=1e-5)
    np.testing.assert_allclose(found.norms, np.linalg.norm(np.concatenate([r.features for r in regions]), axis=1), 1e-5)
    best = np.concatenate([r.class_probs[:, 1:].argmax(1) + 1 for r in regions])
    assert found.classes.tolist() == [int((best == i).sum()) for i in range(6)]
    assert found.bytes == sum(f.stat().st_size for f in (tmp_path / "s").iterdir())
    table = found.table()
    assert "7 images, 18 regions" in table and "features of 8 numbers, 6 classes (the best 3 kept)" in table
    assert "no attributes" in table and f"{META.classes[int(found.classes.argmax())]} " in table
    assert statistics(tmp_path / "s", 3).looked_at == 3


def test_attributes_and_histograms(tmp_path: Path) -> None:
    meta = replace(META, attributes=("__none__", "red", "big"))
    probs = np.float32([[0.1, 0.7, 0.2], [0.8, 0.1, 0.1], [0.2, 0.6, 0.2], [0, 0, 1]])
    with RegionStoreWriter(tmp_path / "s", meta, 3) as writer:
        writer.append("a", replace(make_regions(0), attr_probs=probs))
    found = statistics(tmp_path / "s", 100)
    assert found.attributes.tolist() == [1, 2, 1]
    assert "2 attributes (the best 3 kept)" in found.table() and "attributes: red 50.0 %" in found.table()
    found.draw(tmp_path / "out" / "stats.png")
    with Image.open(tmp_path / "out" / "stats.png") as picture:
        assert picture.width > 800 and len(set(picture.convert("L").resize((60, 40)).getdata())) > 10


def test_a_flipped_bit_is_refused(tmp_path: Path) -> None:
    fill(tmp_path / "s", range(6))
    flip(tmp_path / "s" / "shard-00001.bin")
    with pytest.raises(UserError, match=r"shard-00001.bin is not what was written \(checksum\)"):
        statistics(tmp_path / "s", 100)


def test_an_empty_store(tmp_path: Path) -> None:
    with RegionStoreWriter(tmp_path / "s", META, 3):
        pass
    with pytest.raises(UserError, match="has no images yet"):
        statistics(tmp_path / "s", 3)
