"""Images that show the same objects, against the definition in tests/reference/neighbours.py."""

import dataclasses

import numpy as np
import pytest

from tests.prepare.neighbours.corpora import region_store
from tests.reference import neighbours as oracle
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.neighbours.images import ImageIndex, rarity
from unimo_paddle.prepare.neighbours.ivf import Limits
from unimo_paddle.regions import Regions, RegionStore, RegionStoreWriter, StoreMeta


def store_of(path, classes, images):
    """images: id -> for each region the classes it shows, {name: probability}."""
    meta = StoreMeta("test", 2, ("background", *classes), len(classes) + 1, "d" * 64)
    with RegionStoreWriter(path, meta, 10) as writer:
        for image_id, regions in images.items():
            probs = np.array([[0, *(region.get(name, 0) for name in classes)] for region in regions], np.float32)
            probs[:, 0] = 1 - probs.sum(1)
            boxes = np.tile(np.array([0, 0, 4, 4], np.float32), (len(regions), 1))
            writer.append(image_id, Regions(np.zeros((len(regions), 2), np.float32), boxes, probs, 8, 8))
    return RegionStore(path)


def test_equals_the_definition(tmp_path):
    collection, asked = region_store(tmp_path / "c", 120), region_store(tmp_path / "q", 30, seed=1, prefix="q")
    index = ImageIndex.build(collection, collection.ids, tmp_path / "index")
    histograms = {image_id: oracle.histogram(collection.read(image_id).class_probs) for image_id in collection.ids}
    for image_id, found in zip(asked.ids, index.nearest(asked, asked.ids, 15), strict=True):
        wanted = oracle.images(histograms, oracle.histogram(asked.read(image_id).class_probs), 15)
        np.testing.assert_allclose([score for _, score in found], [score for _, score in wanted], atol=1e-5)
        sure = {other for other, score in wanted if score > wanted[-1][1] + 1e-5}
        assert sure <= {other for other, _ in found}


def test_hand_worked_objects_count_by_their_rarity_and_not_by_their_number(tmp_path):
    classes = ["person", "owl", "bus"]
    crowd = [{"person": 0.9}] * 5
    collection = store_of(tmp_path / "c", classes, {
        "crowd": crowd, "one": [{"person": 0.9}], "owl": [{"person": 0.9}, {"owl": 0.8}],
        "bus": [{"bus": 0.9}], "doubt": [{"owl": 0.04}],
    })  # fmt: skip
    index = ImageIndex.build(collection, collection.ids, tmp_path / "i")
    asked = store_of(tmp_path / "q", classes, {"x": [{"owl": 0.7}, {"person": 0.6}], "y": [{"person": 0.5}]})
    found = index.nearest(asked, ["x", "y", "x"], 9)
    assert [name for name, _ in found[0]] == ["owl", "crowd", "one"]
    assert found[1][:2] == [("crowd", pytest.approx(1)), ("one", pytest.approx(1))]  # a tie: as collected
    assert found[2] == found[0]
    owl, person = np.log(1 + 5 / 1.8), np.log(1 + 5 / 3.7)
    mine, theirs = np.array([0.7 * owl, 0.6 * person]), np.array([0.8 * owl, 0.9 * person])
    cosine = mine @ theirs / np.linalg.norm(mine) / np.linalg.norm(theirs)
    assert found[0][0][1] == pytest.approx(cosine, abs=1e-3)  # the store keeps float16


def test_the_image_itself_is_left_out_and_its_twin_is_kept(tmp_path):
    same = [{"owl": 0.9}]
    store = store_of(tmp_path / "c", ["owl", "bus"], {"a": same, "b": same, "c": same})
    index = ImageIndex.build(store, store.ids, tmp_path / "i")
    assert [[name for name, _ in found] for found in index.nearest(store, ["a", "c"], 2)] == [["b", "c"], ["a", "b"]]
    assert [len(found) for found in index.nearest(store, ["a", "c"], 99)] == [2, 2]
    alone = ImageIndex.build(store, ["a"], tmp_path / "alone")
    assert alone.nearest(store, ["a", "b"], 5) == [[], [("a", pytest.approx(1))]]


def test_rarity_of_classes_in_all_images_and_in_none():
    from scipy.sparse import csr_matrix

    weights = rarity(csr_matrix(np.array([[0, 1, 1], [0, 1, 0]], np.float32)))
    np.testing.assert_allclose(weights, np.log([3, 1 + 2 / 3, 2]), rtol=1e-6)


def test_faiss_beyond_the_limit_finds_the_same(tmp_path):
    store = region_store(tmp_path / "c", 400)
    exact = ImageIndex.build(store, store.ids, tmp_path / "exact").nearest(store, store.ids[:50], 10)
    index = ImageIndex.build(store, store.ids, tmp_path / "ivf", Limits(exact_up_to=100, lists=8, dimensions=32))
    found = index.nearest(store, store.ids[:50], 10)
    hits = [sum(score >= best[-1][1] - 1e-6 for _, score in got[:10]) for got, best in zip(found, exact, strict=True)]
    assert np.mean(hits) >= 9.5 and "recall@10" in index.note


def test_faults(tmp_path):
    store = region_store(tmp_path / "c", 5)
    with pytest.raises(UserError, match="no images"):
        ImageIndex.build(store, [], tmp_path / "i")
    with pytest.raises(UserError, match="'nobody' is not in the region store"):
        ImageIndex.build(store, ["c0", "nobody"], tmp_path / "i")
    assert not (tmp_path / "i").exists()
    index = ImageIndex.build(store, store.ids, tmp_path / "i")
    other = store_of(tmp_path / "other", ["owl"], {"x": [{"owl": 0.9}]})
    with pytest.raises(UserError, match=f"{tmp_path / 'other'}.*{tmp_path / 'c'}.*class 1 is 'owl' and 'thing1'"):
        index.nearest(other, ["x"], 3)


def test_an_index_is_made_anew_for_another_detector(tmp_path):
    store = region_store(tmp_path / "c", 5)
    ImageIndex.build(store, store.ids, tmp_path / "i")
    made = (tmp_path / "i" / "index.json").stat().st_mtime_ns
    ImageIndex.build(store, store.ids, tmp_path / "i")
    assert (tmp_path / "i" / "index.json").stat().st_mtime_ns == made
    store.meta = dataclasses.replace(store.meta, detector="e" * 64)
    ImageIndex.build(store, store.ids, tmp_path / "i")
    assert (tmp_path / "i" / "index.json").stat().st_mtime_ns != made
