"""The region store: what goes in comes out, and every kind of damage is named."""

import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.reference import boxes as oracle
from unimo_paddle.errors import UserError
from unimo_paddle.region_distributions import spread
from unimo_paddle.regions import Regions, RegionStore, RegionStoreWriter, StoreMeta, verify

CLASSES = ("__background__", "cat", "dog", "hat", "bus", "tree")
META = StoreMeta("test", 8, CLASSES, 3, "0" * 64)


def make_regions(seed: int, count: int = 4, width: int = 60, height: int = 40) -> Regions:
    rng = np.random.default_rng(seed)
    corners = np.sort(rng.uniform(0, 1, (count, 2, 2)), axis=1).reshape(count, 4) * [width, height, width, height]
    logits = rng.normal(0, 2, (count, len(CLASSES)))
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    features = rng.normal(0, 3, (count, META.feature_width))
    return Regions(*(x.astype(np.float32) for x in (features, corners, probs)), width, height)


def fill(path: Path, ids: range, per_shard: int = 3, meta: StoreMeta = META) -> None:
    with RegionStoreWriter(path, meta, per_shard) as writer:
        for i in ids:
            if f"i{i}" not in writer.done:
                writer.append(f"i{i}", make_regions(i, 1 + i % 5))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    fill(tmp_path / "store", range(8))
    return tmp_path / "store"


def test_reads_what_was_written(store: Path) -> None:
    reader = RegionStore(store)
    assert reader.meta == META and len(reader) == 8 and reader.ids == [f"i{i}" for i in range(8)]
    assert "i7" in reader and "i8" not in reader
    for i in (7, 0, 3, 4):
        real, found = make_regions(i, 1 + i % 5), reader.read(f"i{i}")
        np.testing.assert_allclose(found.features, real.features, rtol=1e-3, atol=1e-6)
        np.testing.assert_array_equal(found.boxes, real.boxes)
        assert (found.width, found.height) == (60, 40)
        assert {a.dtype for a in (found.features, found.boxes, found.class_probs)} == {np.dtype(np.float32)}
        np.testing.assert_allclose(found.class_probs.sum(1), 1, atol=1e-3)
        for row, probs in zip(found.class_probs, real.class_probs, strict=True):
            top = {int(c): float(np.float16(probs[c])) for c in np.argsort(-probs)[:3]}
            np.testing.assert_allclose(row, oracle.spread(top, len(CLASSES)), atol=1e-3)
    assert verify(store) == []


WITH_ATTRIBUTES = replace(META, attributes=("__none__", "red", "big", "old"), attr_top_k=2)


def with_attributes(seed: int, count: int = 4) -> Regions:
    probs = np.random.default_rng(seed).dirichlet([0.5] * 4, count).astype(np.float32)
    return replace(make_regions(seed, count), attr_probs=probs)


def test_attributes_are_kept_like_classes(tmp_path: Path) -> None:
    with RegionStoreWriter(tmp_path / "s", WITH_ATTRIBUTES, 3) as writer:
        for i in range(4):
            writer.append(f"i{i}", with_attributes(i))
    reader = RegionStore(tmp_path / "s")
    assert reader.meta == WITH_ATTRIBUTES and verify(tmp_path / "s") == []
    for i in range(4):
        real, found = with_attributes(i).attr_probs, reader.read(f"i{i}").attr_probs
        assert found is not None and found.dtype == np.float32
        for row, probs in zip(found, real, strict=True):
            top = {int(c): float(np.float16(probs[c])) for c in np.argsort(-probs)[:2]}
            np.testing.assert_allclose(row, oracle.spread(top, 4), atol=1e-3)


@pytest.mark.parametrize(("meta", "regions", "message"), [
    (WITH_ATTRIBUTES, make_regions(0), r"'attr_probs': \(\)}, not .*'attr_probs': \(4, 4\)"),
    (META, with_attributes(0), r"'attr_probs': \(4, 4\)}, not .*'attr_probs': \(\)"),
    (WITH_ATTRIBUTES, replace(with_attributes(0), attr_probs=np.full((4, 4), np.nan, np.float32)),
     "attr_probs of region 0 hold nan"),
])  # fmt: skip
def test_attributes_that_do_not_belong(tmp_path: Path, meta: StoreMeta, regions: Regions, message: str) -> None:
    with RegionStoreWriter(tmp_path / "s", meta, 3) as writer, pytest.raises(UserError, match=message):
        writer.append("bad", regions)


def test_a_store_of_schema_1_is_read_and_gone_on_with(store: Path) -> None:
    value = json.loads((store / "regions.json").read_text())
    old = {name: value[name] for name in value if not name.startswith("attr")}
    (store / "regions.json").write_text(json.dumps({**old, "schema": 1}))
    fill(store, range(9))
    assert RegionStore(store).meta == META and len(RegionStore(store)) == 9 and verify(store) == []


def test_an_image_of_100_regions_takes_less_than_450_kb() -> None:
    names = tuple(map(str, range(1601)))
    assert 100 * StoreMeta("f", 2048, names, 16, "", "", names[:401]).region_bytes <= 450_000


def test_features_and_boxes_without_the_probabilities(store: Path) -> None:
    whole, light = RegionStore(store).read("i3"), RegionStore(store).read("i3", probabilities=False)
    assert light.class_probs.shape == (4, 0) and light.attr_probs is None and light.width == whole.width
    np.testing.assert_array_equal(light.features, whole.features)
    np.testing.assert_array_equal(light.boxes, whole.boxes)


def test_an_image_is_copied_bit_for_bit(store: Path, tmp_path: Path) -> None:
    reader = RegionStore(store)
    with RegionStoreWriter(tmp_path / "copy", META, 2) as writer:
        for image_id in reader.ids[::-1]:
            writer.append_encoded(image_id, reader.read_encoded(image_id))
        with pytest.raises(UserError, match="'i3': it is stored already"):
            writer.append_encoded("i3", reader.read_encoded("i3"))
    copy = RegionStore(tmp_path / "copy")
    assert copy.ids == reader.ids[::-1] and verify(tmp_path / "copy") == []
    assert all(copy.read_encoded(i).equals(reader.read_encoded(i)) for i in reader.ids)
    assert not copy.read_encoded("i3").equals(reader.read_encoded("i4"))
    assert reader.region_counts.tolist() == [1 + i % 5 for i in range(8)]


def test_spread_keeps_all_when_all_are_kept() -> None:
    full = spread(np.array([[1, 0]], np.uint16), np.array([[0.75, 0.2495]], np.float16), 2)
    np.testing.assert_allclose(full.sum(1), 1, atol=1e-6)
    assert full[0, 1] > full[0, 0] > 0.24


def test_spread_of_a_sum_above_one_leaves_nothing_negative() -> None:
    full = spread(np.array([[2, 0]], np.uint16), np.array([[0.6006, 0.4]], np.float16), 4)
    assert (full >= 0).all() and full.sum() == pytest.approx(1)


def test_goes_on_where_it_stopped(store: Path) -> None:
    fill(store, range(12))
    assert RegionStore(store).ids == [f"i{i}" for i in range(12)]
    assert len(list(store.glob("shard-*.bin"))) == 5  # 3 + 3 + 2, then 3 + 1
    assert verify(store) == []


def test_kill_in_the_middle_loses_only_the_open_shard(tmp_path: Path) -> None:
    code = (
        "import sys, os, signal; sys.path.insert(0, '.')\n"
        "from pathlib import Path\n"
        "from tests.test_regions import META, make_regions, RegionStoreWriter\n"
        "writer = RegionStoreWriter(Path(sys.argv[1]), META, 3)\n"
        "[writer.append(f'i{i}', make_regions(i, 1 + i % 5)) for i in range(5)]\n"
        "(Path(sys.argv[1]) / '.tmp-shard-00001.bin-x').write_bytes(b'half')\n"
        "(Path(sys.argv[1]) / 'shard-00001.bin').write_bytes(b'no index yet')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path / "s")], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert RegionStore(tmp_path / "s").ids == ["i0", "i1", "i2"]
    fill(tmp_path / "s", range(5))
    assert RegionStore(tmp_path / "s").ids == [f"i{i}" for i in range(5)]
    assert verify(tmp_path / "s") == [] and not list((tmp_path / "s").glob(".tmp-*"))


def test_second_writer_is_refused(store: Path) -> None:
    with RegionStoreWriter(store, META, 3), pytest.raises(UserError, match="another process is writing"):
        RegionStoreWriter(store, META, 3)
    fill(store, range(9))  # the lock went with the first writer
    assert len(RegionStore(store)) == 9


def test_an_error_drops_the_open_shard_and_the_lock(store: Path) -> None:
    with pytest.raises(RuntimeError), RegionStoreWriter(store, META, 3) as writer:
        writer.append("new", make_regions(1))
        raise RuntimeError
    assert "new" not in RegionStore(store)
    fill(store, range(9))


def test_another_detector_is_refused(store: Path) -> None:
    other = replace(META, detector="1" * 64, feature_width=16)
    with pytest.raises(UserError, match=r"or choice: feature_width is 8, not 16; detector is 0+\S*, not 1+"):
        RegionStoreWriter(store, other, 3)


@pytest.mark.parametrize(("change", "message"), [
    ({"features": np.full((4, 8), np.nan, np.float32)}, "features of region 0 hold nan"),
    ({"class_probs": np.full((4, 6), np.inf, np.float32)}, "class_probs of region 0 hold inf"),
    ({"features": np.full((4, 8), 70000, np.float32)}, "70000 is beyond float16"),
    ({"width": 5}, "is not inside 5 x 40 pixels"),
    ({"boxes": np.tile(np.float32([9, 5, 3, 8]), (4, 1))}, r"box \[9.0, 5.0, 3.0, 8.0\] of region 0"),
    ({"features": np.zeros((4, 7), np.float32)}, r"shapes .*\(4, 7\)"),
    ({"boxes": np.zeros((0, 4), np.float32)}, "it has no regions"),
])  # fmt: skip
def test_refuses_unfit_regions(tmp_path: Path, change: dict, message: str) -> None:
    with RegionStoreWriter(tmp_path / "s", META, 3) as writer, pytest.raises(UserError, match=message) as caught:
        writer.append("bad one", replace(make_regions(0), **change))
    assert "'bad one'" in str(caught.value)


def test_refuses_an_id_twice(store: Path) -> None:
    with RegionStoreWriter(store, META, 3) as writer, pytest.raises(UserError, match="'i3'.*stored already"):
        writer.append("i3", make_regions(3))


def test_too_many_classes_are_refused(tmp_path: Path) -> None:
    meta = replace(META, classes=tuple(map(str, range(70000))))
    with pytest.raises(UserError, match="classes has 70000 names; at least 2 and at most 65535 are wanted"):
        RegionStoreWriter(tmp_path / "s", meta, 3)


def test_shard_cut_short_is_named(store: Path) -> None:
    shard = store / "shard-00001.bin"
    os.truncate(shard, shard.stat().st_size - 10)
    reader = RegionStore(store)
    reader.read("i0")
    with pytest.raises(UserError, match=r"shard-00001.bin has \d+ bytes.*cut short; delete .*shard-00001\.\* and run"):
        reader.read("i4")
    assert [fault.split(" has ")[0] for fault in verify(store)] == [str(shard)]
    with pytest.raises(UserError, match="shard-00001"):
        RegionStoreWriter(store, META, 3)
    for file in store.glob("shard-00001.*"):
        file.unlink()
    fill(store, range(8))  # the advice works
    assert sorted(RegionStore(store).ids) == [f"i{i}" for i in range(8)] and verify(store) == []


def test_missing_data_file_is_named(store: Path) -> None:
    (store / "shard-00000.bin").unlink()
    with pytest.raises(UserError, match=r"shard-00000.bin is missing; delete"):
        RegionStore(store).read("i0")


def flip(shard: Path) -> None:
    data = bytearray(shard.read_bytes())
    data[100] ^= 1
    shard.write_bytes(data)


def test_verify_finds_a_flipped_bit(store: Path) -> None:
    flip(store / "shard-00000.bin")
    assert len(verify(store)) == 1 and "checksum" in verify(store)[0]


def test_verify_finds_bad_values_and_doubled_ids(store: Path) -> None:
    index = store / "shard-00000.json"
    value = json.loads(index.read_text())
    index.write_text(json.dumps({**value, "widths": [2, 60, 60], "ids": ["i7", "i1", "i2"]}))
    faults = verify(store)
    assert any("'i7' is stored twice" in f for f in faults) and any("not inside 2 x 40" in f for f in faults)


@pytest.mark.parametrize(("text", "message"), [
    ("{", "regions.json: line 1"),
    ('{"schema": 9}', "schema is 9, this version reads 2"),
    ('{"schema": 1, "family": "x"}', "does not describe a region store: feature_width is missing; classes is missing"),
])  # fmt: skip
def test_broken_description(store: Path, text: str, message: str) -> None:
    (store / "regions.json").write_text(text)
    with pytest.raises(UserError, match=message):
        RegionStore(store)


def describe(store: Path, **changes: object) -> None:
    value = json.loads((store / "regions.json").read_text())
    (store / "regions.json").write_text(json.dumps({**value, **changes}))


@pytest.mark.parametrize(("changes", "message"), [
    ({"feature_width": "8"}, "feature_width is '8', a whole number of 1 to 65535 is wanted"),
    ({"feature_width": True}, "feature_width is 'True'"), ({"class_top_k": 0}, "class_top_k is '0'"),
    ({"attr_top_k": 2.5}, "attr_top_k is '2.5'"), ({"family": ""}, "family is '', a text"),
    ({"detector": None}, "detector is 'None', a text"), ({"choice": 3}, "choice is '3', a text"),
    ({"classes": "cat"}, "classes is 'cat', a list of names is wanted"), ({"classes": ["a", 3]}, "a list of names"),
    ({"classes": ["a"]}, "classes has 1 names; at least 2"), ({"attributes": ["a"]}, "attributes has 1 names"),
    ({"classes": ["a", "b", "a"]}, "classes has 'a' more than once"),
    ({"feature_width": -1, "family": 1}, "family is '1', a text is wanted; feature_width is '-1'"),
])  # fmt: skip
def test_every_key_of_an_edited_description_is_checked(store: Path, changes: dict, message: str) -> None:
    describe(store, **changes)
    for reading in (RegionStore, verify):
        with pytest.raises(UserError, match=f"regions.json does not describe a region store: .*{message}"):
            reading(store)


@pytest.mark.parametrize("changes", [{"feature_width": 9}, {"class_top_k": 2}, {"attributes": ["__none__", "red"]}])
def test_a_description_that_fits_no_shard_is_to_blame(store: Path, changes: dict) -> None:
    describe(store, **changes)
    meta = replace(META, **{name: tuple(v) if isinstance(v, list) else v for name, v in changes.items()})
    for reading in (RegionStore, verify, lambda path: RegionStoreWriter(path, meta, 3)):
        with pytest.raises(UserError, match="regions.json does not fit its 3 shards: .* put back") as caught:
            reading(store)
        assert "delete" not in str(caught.value)


def test_one_shard_of_another_layout_is_named(store: Path) -> None:
    index = store / "shard-00001.json"
    index.write_text(json.dumps({**json.loads(index.read_text()), "counts": [1, 1, 1]}))
    assert RegionStore(store).read("i0") and len(verify(store)) == 1
    assert "3 regions make" in verify(store)[0] and "delete" in verify(store)[0]


def test_classes_that_were_cut_off_the_description(store: Path) -> None:
    describe(store, classes=["__background__", "cat", "dog"])
    message = r"class_ids hold \d, but classes in regions.json has 3 names"
    with pytest.raises(UserError, match=message):
        for image_id in RegionStore(store).ids:
            RegionStore(store).read(image_id)
    with pytest.raises(UserError, match=message):
        RegionStore(store, checked=True).read_encoded("i7")
    assert len(verify(store)) == 3 and all("names: put them back" in fault for fault in verify(store))


def test_a_checked_store_refuses_a_flipped_bit(store: Path) -> None:
    flip(store / "shard-00001.bin")
    assert RegionStore(store).read("i4")
    checked = pickle.loads(pickle.dumps(RegionStore(store, checked=True)))
    assert checked.read("i0") and checked.read("i7")
    with pytest.raises(UserError, match=r"shard-00001.bin is not what was written \(checksum\).*verify --store"):
        checked.read("i4")


@pytest.mark.parametrize(("text", "message"), [
    ('{"ids": []}', "shard-00000.json is not the index of a shard"),
    ('{"ids": ["a"], "counts": [], "widths": [], "heights": [], "bytes": 0, "sha256": ""}', "differ in length"),
])  # fmt: skip
def test_broken_shard_index(store: Path, text: str, message: str) -> None:
    (store / "shard-00000.json").write_text(text)
    with pytest.raises(UserError, match=message):
        RegionStore(store)


def test_no_store_and_no_image(tmp_path: Path, store: Path) -> None:
    with pytest.raises(UserError, match="is no region store"):
        RegionStore(tmp_path)
    with pytest.raises(UserError, match="image 'i99' is not in the region store"):
        RegionStore(store).read("i99")


def _checksum(reader: RegionStore, image_id: str) -> float:
    return float(reader.read(image_id).features.sum())


def test_several_processes_read_one_store(store: Path) -> None:
    reader = RegionStore(store)
    reader.read("i0")
    wanted = [_checksum(reader, image_id) for image_id in reader.ids]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        found = pool.starmap(_checksum, [(reader, image_id) for image_id in reader.ids])
    assert found == wanted
    assert pickle.loads(pickle.dumps(reader)).ids == reader.ids


def test_feature_statistics_are_numpys(store: Path) -> None:
    opened = RegionStore(store)
    features = np.concatenate([opened.read(image_id).features for image_id in opened.ids])
    mean, spread = opened.feature_statistics(len(opened))
    np.testing.assert_allclose(mean, features.mean(0), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(spread, features.std(0), rtol=1e-5)
    assert mean.dtype == spread.dtype == np.float32
    first = opened.read(opened.ids[0]).features
    np.testing.assert_allclose(opened.feature_statistics(1)[0], first.mean(0), rtol=1e-5, atol=1e-6)
