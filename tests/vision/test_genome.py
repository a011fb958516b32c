"""Visual Genome's JSON and bottom-up-attention's vocabularies."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.mini_world import World
from unimo_paddle.errors import UserError
from unimo_paddle.vision.annotations import read_annotations
from unimo_paddle.vision.genome import read_genome, read_vocabulary

Change = Callable[[dict], None]
OBJECTS = [
    {"object_id": 5, "x": 10, "y": 20, "w": 30, "h": 40, "names": ["Puppy "]},
    {"object_id": 6, "x": 90, "y": 0, "w": 30, "h": 10, "name": "tree"},
    {"object_id": 7, "x": 0, "y": 0, "w": 9, "h": 9, "names": ["unheard of"]},
    {"object_id": 8, "x": 4, "y": 4, "w": 0, "h": 9, "names": ["cat"]},
]


def make(folder: Path) -> Path:
    (folder / "objects_vocab.txt").write_text("cat\ndog,puppy\ntree\n")
    (folder / "attributes_vocab.txt").write_text("red,reddish\nold\n")
    images = [{"image_id": k, "width": 100, "height": 80} for k in (2, 1, 3)]
    told = [{"object_id": 5, "attributes": ["Reddish", "red", "old", "nice"]}, {"object_id": 6}]
    write(folder, {
        "image_data": images,
        "objects": [{"image_id": 1, "objects": OBJECTS}, {"image_id": 2, "objects": []}],
        "attributes": [{"image_id": 1, "attributes": told}],
    })  # fmt: skip
    (folder / "train.txt").write_text("VG_100K_2/1.jpg xml/1.xml\nVG_100K/2.jpg\n")
    return folder


def write(folder: Path, values: dict) -> None:
    for name, value in values.items():
        (folder / f"{name}.json").write_text(json.dumps(value))


def test_objects_and_attributes(tmp_path: Path) -> None:
    found = read_genome(make(tmp_path), tmp_path / "train.txt", Path("pictures"))
    assert found.classes == ("cat", "dog", "tree") and found.attributes == ("red", "old")
    first, second = found.scenes
    assert (first.id, first.path, first.width, first.height) == ("1", Path("pictures/VG_100K_2/1.jpg"), 100, 80)
    assert first.boxes.tolist() == [[10, 20, 40, 60], [90, 0, 100, 10]]  # clipped; no word for 7, no pixel of 8
    assert first.labels.tolist() == [1, 2] and first.attributes == ((0, 1), ())
    assert second.id == "2" and second.boxes.shape == (0, 4) and second.attributes == ()


def test_a_coco_file_lists_pictures_too(tmp_path: Path) -> None:
    make(tmp_path)
    write(tmp_path, {"val": {"images": [{"id": 1, "file_name": "val/1.png"}]}})
    (scene,) = read_genome(tmp_path, tmp_path / "val.json", Path("p")).scenes
    assert scene.path == Path("p/val/1.png") and len(scene.boxes) == 2
    write(tmp_path, {"val": {"images": [{"id": "x", "file_name": "a"}, {}]}})
    with pytest.raises(UserError, match=r"images\[0\]: id is 'x'; images\[1\] has no 'id'"):
        read_genome(tmp_path, tmp_path / "val.json", Path("p"))
    write(tmp_path, {"val": []})
    with pytest.raises(UserError, match="has no list 'images'"):
        read_genome(tmp_path, tmp_path / "val.json", Path("p"))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("image_data", [{"image_id": 1, "width": 3}], r"image_data\.json: \[0\] has no 'height'"),
        ("image_data", {"a": 1}, "a list, one entry a picture, is wanted"),
        ("image_data", [{"image_id": 1, "width": 9, "height": 9}], "picture 2 is not in"),
        ("objects", [{"id": 1}], r"objects\.json: \[0\] has no 'image_id'; \[0\] has no 'objects'"),
        ("objects", [{"image_id": 1, "objects": [{"object_id": 1, "x": 0}]}], r"\[0\]\.objects\[0\] has no object_id"),
        ("objects", [{"image_id": 1, "objects": ["cat"]}], r"\[0\]\.objects\[0\] has no object_id"),
        ("attributes", [{"image_id": "1", "attributes": []}], r"attributes\.json: \[0\]: image_id is '1'"),
        ("attributes", [{"image_id": 1, "attributes": [7]}], r"attributes\.json: \[0\]\.attributes\[0\]"),
    ],
)
def test_malformed_files(name: str, value: object, words: str, tmp_path: Path) -> None:
    make(tmp_path)
    write(tmp_path, {name: value})
    with pytest.raises(UserError, match=words):
        read_genome(tmp_path, tmp_path / "train.txt", Path("p"))


def test_malformed_lists(tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(UserError, match=r"none\.txt does not exist"):
        read_genome(tmp_path, tmp_path / "none.txt", Path("p"))
    (tmp_path / "train.txt").write_text("VG_100K/1.jpg\n\n")
    with pytest.raises(UserError, match=r"train\.txt, line 2: '' does not begin with a path such as VG_100K/1\.jpg"):
        read_genome(tmp_path, tmp_path / "train.txt", Path("p"))


def test_vocabularies(tmp_path: Path) -> None:
    path = tmp_path / "objects_vocab.txt"
    with pytest.raises(UserError, match="one of bottom-up-attention's vocabulary files"):
        read_vocabulary(path)
    path.write_text("Cat, kitten\ndog\n")
    found = read_vocabulary(path)
    assert found.names == ("Cat", "dog") and found.numbers == {"cat": 0, "kitten": 0, "dog": 1}
    path.write_text("cat,\ndog\nCat\n")
    with pytest.raises(UserError, match=r"line 1 has an empty name: 'cat,'; line 3: 'cat' is there already"):
        read_vocabulary(path)
    path.write_text("")
    with pytest.raises(UserError, match="it has no entry"):
        read_vocabulary(path)


def test_the_small_world_says_the_same_in_both_formats(prepared: World) -> None:
    """Its COCO instances and its Visual Genome JSON are written from the same truth; here two readers meet."""
    listed, images = prepared.scenes / "coco" / "instances_test.json", prepared.scenes / "images"
    coco, genome = read_annotations(listed, images), read_genome(prepared.scenes / "visual_genome", listed, images)
    assert genome.classes == coco.classes and len(genome.scenes) == len(coco.scenes)
    for one, other in zip(genome.scenes, coco.scenes, strict=True):
        assert (one.id, one.path, one.width, one.height) == (other.id, other.path, other.width, other.height)
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.labels, other.labels)
    sized = {name: genome.attributes.index(name) for name in ("small", "large")}
    for scene in genome.scenes:
        for box, told in zip(scene.boxes, scene.attributes, strict=True):
            side = max(box[2] - box[0], box[3] - box[1])  # pixels; scene.py, SMALL_SIDE and LARGE_SIDE
            assert (sized["small"] in told) == (side <= 64) and (sized["large"] in told) == (side >= 112)
