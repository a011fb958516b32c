"""Every format, against an independent reader written here: equal bit for bit after the cast to float16."""

import ast
import base64
import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.region_tools import foreign
from unimo_paddle.region_tools.imports.fields import Names
from unimo_paddle.region_tools.imports.run import Report, Request, import_features
from unimo_paddle.regions import RegionStore, verify

csv.field_size_limit(1 << 30)


def numbers(text, kind="<f4"):
    return np.frombuffer(base64.b64decode(text), kind)


def imported(format_: str, source: Path, out: Path, **more) -> tuple[RegionStore, Report]:
    report = import_features(Request(format_, source, "test", **more), out)
    assert verify(out) == [] and not out.with_name(out.name + ".part").exists()
    return RegionStore(out), report


def same(store: RegionStore, image_id: str, width, height, boxes, features) -> None:
    stored = store.read_encoded(image_id)
    assert (stored.width, stored.height) == (int(width), int(height))
    rows = len(stored.arrays["boxes"])
    np.testing.assert_array_equal(stored.arrays["boxes"], np.reshape(boxes, (rows, 4)))
    np.testing.assert_array_equal(stored.arrays["features"], np.reshape(features, (rows, -1)).astype(np.float16))


def same_probs(store: RegionStore, image_id: str, class_probs, attr_probs=None) -> None:
    """Full distributions: with 7 classes of which 16 may be kept, all are there."""
    found = store.read_encoded(image_id).arrays
    for name, probs in (("class", class_probs), ("attr", attr_probs)):
        if probs is not None:
            full = np.zeros_like(probs, np.float16)
            np.put_along_axis(full, found[f"{name}_ids"].astype(int), found[f"{name}_probs"], axis=1)
            np.testing.assert_array_equal(full, probs.astype(np.float16))


@pytest.mark.parametrize("width_first", [True, False])
def test_release_of_flickr30k(tmp_path: Path, width_first: bool) -> None:
    for name, images in (("a", foreign.many(3)), ("b.gz", [foreign.found("x", 9)])):
        foreign.write(tmp_path / "files" / name, [foreign.flickr(one, width_first) for one in images])
    store, report = imported("release", tmp_path / "files", tmp_path / "store")
    assert store.ids == ["img0", "img1", "img2", "x"] and report.stored == 4
    table = pd.read_csv(tmp_path / "files" / "a", sep="\t", header=None, quoting=csv.QUOTE_NONE)
    sizes = (1, 2) if width_first else (2, 1)
    for row in table.itertuples(index=False):
        same(store, row[0], row[sizes[0]], row[sizes[1]], numbers(row[4]), numbers(row[5]))
        same_probs(store, row[0], numbers(row[6]).reshape(row[3], -1))
    assert store.meta.classes == ("__background__", *map(str, range(1, 7))) and not store.meta.attributes


def test_release_of_snli_ve(tmp_path: Path) -> None:
    images = foreign.many(3)
    lines = [foreign.entailment(one, text) for one in images for text in ("0 5 2", "0 7 8 2")]  # each image twice
    foreign.write(tmp_path / "data" / "part.gz", lines)
    listed = foreign.write(tmp_path / "train_filelist", ["data/part.gz"])
    store, report = imported("release", listed, tmp_path / "store")
    assert (report.stored, report.repeated, store.ids) == (3, 3, ["img0", "img1", "img2"])
    with gzip.open(tmp_path / "data" / "part.gz", "rt") as file:
        for row in csv.reader(file, delimiter=";", quoting=csv.QUOTE_NONE):
            same(store, row[0], row[7], row[8], numbers(row[10]), numbers(row[11]))
    assert store.meta.classes == ("__background__", "object")
    np.testing.assert_array_equal(store.read("img0").class_probs, [[0, 1]] * 2)


def test_release_of_coco(tmp_path: Path) -> None:
    foreign.write(tmp_path / "part-0", [foreign.caption(one, t) for one in foreign.many() for t in ("0 2", "")])
    names = Names(("__background__", *foreign.NAMES), ("__none__", *foreign.ATTRIBUTE_NAMES))
    store, report = imported("release", tmp_path / "part-0", tmp_path / "store", names=names)
    assert (report.stored, report.repeated) == (5, 5)
    for line in (tmp_path / "part-0").read_text().splitlines():
        row = line.split(";")
        same(store, row[0], row[9], row[8], numbers(row[11]), numbers(row[14]))
        rows = int(row[10])
        same_probs(store, row[0], numbers(row[12]).reshape(rows, -1), numbers(row[13]).reshape(rows, -1))
    assert store.meta.classes == names.classes and store.meta.attributes == names.attributes


@pytest.mark.parametrize("cls_prob", [False, True])
def test_bottom_up_attention(tmp_path: Path, cls_prob: bool) -> None:
    foreign.write(tmp_path / "a.tsv", [foreign.bottom_up(one, cls_prob) for one in foreign.many()])
    store, _ = imported("bottom-up-tsv", tmp_path / "a.tsv", tmp_path / "store")
    names = ["image_id", "image_w", "image_h", "num_boxes", "boxes", "features", "cls_prob"]
    with (tmp_path / "a.tsv").open() as file:
        for item in csv.DictReader(file, delimiter="\t", fieldnames=names[: 6 + cls_prob]):
            boxes, features = numbers(item["boxes"]), numbers(item["features"])
            same(store, item["image_id"], item["image_w"], item["image_h"], boxes, features)
            if cls_prob:
                same_probs(store, item["image_id"], numbers(item["cls_prob"]).reshape(int(item["num_boxes"]), -1))
    assert len(store.meta.classes) == (7 if cls_prob else 2)


def test_bottom_up_attention_with_a_header_and_bytes_as_python_3_prints_them(tmp_path: Path) -> None:
    one = foreign.many(1)[0]
    fields = {"item_id": one.key, "image_h": one.height, "image_w": one.width, "title": "no use", "num_boxes": 2,
              "boxes": base64.b64encode(one.boxes.tobytes()), "features": base64.b64encode(one.features.tobytes())}
    foreign.write(tmp_path / "a.tsv", ["\t".join(fields), "\t".join(map(str, fields.values()))])
    store, _ = imported("bottom-up-tsv", tmp_path / "a.tsv", tmp_path / "store")
    same(store, "img0", 60, 40, one.boxes, one.features)


def best_only(confidence: np.ndarray, ids: np.ndarray, count: int) -> np.ndarray:
    full = np.repeat((1 - confidence.astype(np.float16).astype(np.float64))[:, None] / (count - 1), count, axis=1)
    full[np.arange(len(ids)), ids] = confidence.astype(np.float16)
    return full


def test_lxmert(tmp_path: Path) -> None:
    foreign.write(tmp_path / "train2014_obj36.tsv", [foreign.lxmert(one) for one in foreign.many()])
    store, _ = imported("bottom-up-tsv", tmp_path, tmp_path / "store")
    assert (len(store.meta.classes), len(store.meta.attributes)) == (1601, 401)
    assert (store.meta.class_top_k, store.meta.attr_top_k) == (1, 1)
    names = ["img_id", "img_h", "img_w", "objects_id", "objects_conf", "attrs_id", "attrs_conf", "num_boxes", "boxes",
             "features"]  # fmt: skip
    table = pd.read_csv(tmp_path / "train2014_obj36.tsv", sep="\t", names=names)
    for row in table.itertuples():
        same(store, row.img_id, row.img_w, row.img_h, numbers(row.boxes), numbers(row.features))
        found = store.read(row.img_id)
        for probs, ids, conf in ((found.class_probs, row.objects_id, row.objects_conf),
                                 (found.attr_probs, row.attrs_id, row.attrs_conf)):  # fmt: skip
            real = best_only(numbers(conf), numbers(ids, "<i8") + 1, probs.shape[1])
            np.testing.assert_allclose(probs, real, atol=1e-7)


@pytest.mark.parametrize("writer", [foreign.vinvl_predictions, foreign.vinvl_features, foreign.vinvl_labels])
def test_vinvl(tmp_path: Path, writer) -> None:
    images = foreign.many()
    main = writer(images, tmp_path / "files")
    store, _ = imported("vinvl-tsv", tmp_path / "files", tmp_path / "store")
    assert store.ids == [one.key for one in images]
    assert set(store.meta.classes) <= {"__background__", *foreign.NAMES}
    assert set(store.meta.attributes) <= {"__none__", *foreign.ATTRIBUTE_NAMES}
    for key, value, *features in (line.split("\t") for line in main.read_text().splitlines()):
        one = images[int(key[3:])]
        if writer is foreign.vinvl_predictions:
            objects = json.loads(value)["objects"]
            data = np.concatenate([numbers(o["feature"]) for o in objects])
        else:
            labels = {"features.tsv": "predictions.tsv", "train.feature.tsv": "train.label.tsv"}[main.name]
            table = pd.read_csv(main.with_name(labels), sep="\t", header=None, converters={1: ast.literal_eval},
                                index_col=0, quoting=csv.QUOTE_NONE)  # fmt: skip
            objects = table.loc[key, 1]
            objects = objects["objects"] if isinstance(objects, dict) else objects
            data = numbers(features[0] if features else json.loads(value)["features"])
        same(store, key, one.width, one.height, np.float32([o["rect"] for o in objects]), data)
        check_probs(store, key, objects)


def check_probs(store: RegionStore, key: str, objects: list[dict]) -> None:
    found = store.read(key)
    ids = np.array([store.meta.classes.index(o["class"]) for o in objects])
    conf = np.float32([o["conf"] for o in objects])
    np.testing.assert_allclose(found.class_probs, best_only(conf, ids, len(store.meta.classes)), atol=1e-6)
    for row, one in zip(found.attr_probs, objects, strict=True):
        real = dict(zip(one["attributes"], np.float32(one["attr_scores"]), strict=True))
        rest = (1 - sum(real.values())) / (len(row) - len(real))
        wanted = [real.get(name, rest) for name in store.meta.attributes]
        np.testing.assert_allclose(row, wanted, atol=2e-3)  # float16


def test_vinvl_names_from_its_own_label_map_and_full_scores(tmp_path: Path) -> None:
    from unimo_paddle.region_tools.imports.fields import read_names

    one = foreign.many(1)[0]
    listed = foreign.objects(one, True)
    for i, entry in enumerate(listed):
        entry["scores_all"] = foreign.b64(one.class_probs[i])
    value = {"image_w": one.width, "image_h": one.height, "objects": listed}
    foreign.write(tmp_path / "predictions.tsv", [f"{one.key}\t{json.dumps(value)}"])
    labels = {"label_to_idx": {name: i + 1 for i, name in enumerate(foreign.NAMES)},
              "attribute_to_idx": {name: i + 1 for i, name in enumerate(foreign.ATTRIBUTE_NAMES)}}  # fmt: skip
    (tmp_path / "map.json").write_text(json.dumps(labels))
    names = Names(read_names(tmp_path / "map.json", "__background__", "label_to_idx"),
                  read_names(tmp_path / "map.json", "__none__", "attribute_to_idx"))  # fmt: skip
    store, _ = imported("vinvl-tsv", tmp_path, tmp_path / "store", names=names)
    assert store.meta.classes == ("__background__", *foreign.NAMES) and store.meta.class_top_k == 16
    same_probs(store, one.key, one.class_probs)


@pytest.mark.parametrize("transposed", [False, True])
def test_npz(tmp_path: Path, transposed: bool) -> None:
    for one in foreign.many():
        foreign.npz(one, tmp_path / "npz", x=one.features.T if transposed else one.features, cls_prob=one.class_probs)
    store, _ = imported("npz", tmp_path / "npz", tmp_path / "store")
    for path in (tmp_path / "npz").glob("*.npz"):
        with np.load(path, allow_pickle=True) as real:
            x = real["x"].T if transposed else real["x"]
            same(store, path.stem, real["image_w"], real["image_h"], real["bbox"], x)
            same_probs(store, path.stem, real["cls_prob"])
            assert str(real["info"].item()["image_id"]) == path.stem  # it is there, pickled; the import does without


def test_npz_of_openvqa_and_ids_of_objects(tmp_path: Path) -> None:
    one = foreign.many(1)[0]
    best = one.class_probs[:, 1:]
    foreign.npz(one, tmp_path / "npz", image_w=None, image_h=None, width=60, height=40, info=None,
                objects_id=best.argmax(1), objects_conf=best.max(1))  # fmt: skip
    store, _ = imported("npz", tmp_path / "npz", tmp_path / "store")
    real = best_only(best.max(1), best.argmax(1) + 1, 1601)
    np.testing.assert_allclose(store.read("img0").class_probs, real, atol=1e-7)
    assert not store.meta.attributes
