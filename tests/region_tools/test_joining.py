"""Merging and taking parts: bit for bit, in order, resumable, and never across families."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.test_regions import META, fill, flip, make_regions
from unimo_paddle.corpus import CorpusWriter, Image, Pair
from unimo_paddle.errors import UserError
from unimo_paddle.region_tools import joining
from unimo_paddle.regions import RegionStore, RegionStoreWriter, verify


@pytest.fixture
def stores(tmp_path: Path) -> list[Path]:
    fill(tmp_path / "a", range(5))
    fill(tmp_path / "b", range(3, 8), per_shard=2)  # 3 and 4 are in both
    return [tmp_path / "a", tmp_path / "b"]


def equal(out: Path, image_id: str, store: Path) -> bool:
    return RegionStore(out).read_encoded(image_id).equals(RegionStore(store).read_encoded(image_id))


def test_merge(stores: list[Path], tmp_path: Path) -> None:
    assert joining.merge(stores, tmp_path / "out") == 8
    assert RegionStore(tmp_path / "out").ids == [f"i{i}" for i in range(8)] and verify(tmp_path / "out") == []
    assert all(equal(tmp_path / "out", i, store) for store in stores for i in RegionStore(store).ids)
    assert RegionStore(tmp_path / "out").meta == META and not (tmp_path / "out.part").exists()


@pytest.mark.parametrize(("change", "message"), [
    ({"family": "other"}, "they are of two kinds: family: test and other"),
    ({"detector": "1" * 64}, "detector: 0+ and 1+|detector: 0+"),
    ({"classes": ("__background__", "a", "b", "c", "d", "e")}, "classes: "),
    ({"choice": "more"}, "choice: not recorded and more"),
    ({"attributes": ("__none__", "red")}, "attributes: "),
])  # fmt: skip
def test_two_kinds_are_never_mixed(stores: list[Path], tmp_path: Path, change: dict, message: str) -> None:
    meta = replace(META, **change)
    regions = make_regions(9)
    if meta.describes:
        regions = replace(regions, attr_probs=np.full((4, 2), 0.5, np.float32))
    with RegionStoreWriter(tmp_path / "c", meta, 3) as writer:
        writer.append("new", regions)
    with pytest.raises(UserError, match=message):
        joining.merge([*stores, tmp_path / "c"], tmp_path / "out")
    assert not list(tmp_path.glob("out*"))


def test_an_image_that_differs_between_stores(stores: list[Path], tmp_path: Path) -> None:
    with RegionStoreWriter(tmp_path / "c", META, 3) as writer:
        writer.append("i4", make_regions(99))
    with pytest.raises(UserError, match=r"2 images are in two stores with other regions, e\.g\. 'i4' in .*/a and .*/c"):
        joining.merge([*stores, tmp_path / "c"], tmp_path / "out")


def test_a_flipped_bit_is_never_copied(stores: list[Path], tmp_path: Path) -> None:
    flip(stores[1] / "shard-00002.bin")  # i7
    for joined in (lambda: joining.merge(stores, tmp_path / "out"),
                   lambda: joining.subset(stores[1], ["i5", "i7"], tmp_path / "other")):  # fmt: skip
        with pytest.raises(UserError, match=r"b/shard-00002.bin is not what was written \(checksum\)"):
            joined()
    assert not (tmp_path / "out").exists() and not (tmp_path / "other").exists()
    assert joining.subset(stores[1], ["i5", "i3"], tmp_path / "sound") == 2


def test_subset(stores: list[Path], tmp_path: Path) -> None:
    listed = tmp_path / "ids.txt"
    listed.write_text("i4\n\ni0\ni4\n")
    assert joining.subset(stores[0], joining.listed_ids(listed), tmp_path / "out") == 2
    assert RegionStore(tmp_path / "out").ids == ["i4", "i0"] and verify(tmp_path / "out") == []
    assert equal(tmp_path / "out", "i4", stores[0])
    with pytest.raises(UserError, match=r"/a lacks 1 of the 2 images that are asked for \('i7'\)"):
        joining.subset(stores[0], ["i0", "i7"], tmp_path / "other")
    with pytest.raises(UserError, match="exists and is not empty"):
        joining.subset(stores[0], ["i0"], tmp_path / "out")


def test_subset_by_a_corpus(stores: list[Path], tmp_path: Path) -> None:
    with CorpusWriter(tmp_path / "corpus", "s", "1") as writer:
        for i in (1, 2):
            writer.add("train", Image(f"i{i}", tmp_path / "x.png", 60, 40))
        writer.add("train", Pair("p", "i2", "a cat"))
        writer.add("test", Image("i0", tmp_path / "x.png", 60, 40))
    assert joining.corpus_ids(tmp_path / "corpus", "train") == ["i1", "i2"]


def test_a_killed_merge_goes_on(stores: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "IMAGES_PER_SHARD", 2)
    real, count = RegionStoreWriter.append_encoded, [0]

    def failing(*args: object) -> None:
        count[0] += 1
        if count[0] == 4:
            raise OSError("the disk is full")
        real(*args)

    monkeypatch.setattr(RegionStoreWriter, "append_encoded", failing)
    with pytest.raises(OSError, match="disk is full"):
        joining.merge(stores, tmp_path / "out")
    assert RegionStore(tmp_path / "out.part").ids == ["i0", "i1"]
    with pytest.raises(UserError, match="was begun with other files or settings"):
        joining.merge(stores[:1], tmp_path / "out")
    assert joining.merge(stores, tmp_path / "out") == 8 and verify(tmp_path / "out") == []
    assert RegionStore(tmp_path / "out").ids == [f"i{i}" for i in range(8)]
