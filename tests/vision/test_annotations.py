import json
from pathlib import Path

import numpy as np
import pytest

from unimo_paddle.errors import UserError
from unimo_paddle.vision.annotations import Annotations, read_annotations

GOOD = {
    "images": [{"id": 5, "file_name": "a.jpg", "width": 10, "height": 8}],
    "annotations": [{"image_id": 5, "category_id": 2, "bbox": [1, 2, 3, 4]}],
    "categories": [{"id": 2, "name": "cat"}],
}


def read(tmp_path: Path, **change: list) -> Annotations:
    file = tmp_path / "instances.json"
    file.write_text(json.dumps({**GOOD, **change}))
    return read_annotations(file, tmp_path)


def test_boxes_and_labels(scenes: Annotations) -> None:
    assert scenes.classes == ("red", "blue")  # by category id, 3 before 7
    second = scenes.scenes[1]
    assert (second.id, second.path.name, second.width, second.height) == ("1", "1.png", 96, 64)
    np.testing.assert_array_equal(second.boxes, np.float32([[40, 16, 80, 56], [2, 2, 22, 22]]))
    np.testing.assert_array_equal(second.labels, np.int32([1, 0]))


def test_crowds_and_slivers_are_left_out(tmp_path: Path) -> None:
    box = GOOD["annotations"][0]
    rows = [{**box, "iscrowd": 1}, {**box, "bbox": [1, 2, 0.2, 4]}, box]
    scene = read(tmp_path, annotations=rows).scenes[0]
    assert scene.boxes.tolist() == [[1, 2, 4, 6]]
    assert read(tmp_path, annotations=[]).scenes[0].boxes.shape == (0, 4)


def test_all_faults_at_once(tmp_path: Path) -> None:
    box = GOOD["annotations"][0]
    changes = [{"image_id": 6}, {"category_id": 9}, {"bbox": [1, 2, 3]}, {"bbox": [1, 2, 3, float("nan")]}]
    rows = [{**box, **change} for change in changes]
    with pytest.raises(UserError) as caught:
        read(tmp_path, annotations=rows)
    for part in ("annotations[0]: image_id 6", "[1]: category_id 9", "[2]: bbox [1, 2, 3]", "[3]: bbox [1, 2, 3, nan]"):
        assert part in str(caught.value)


def test_missing_fields_and_lists(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"images\[0\] has no 'file_name', 'width', 'height'"):
        read(tmp_path, images=[{"id": 5}])
    (tmp_path / "x.json").write_text('{"images": []}')
    with pytest.raises(UserError, match="no list 'annotations', 'categories'"):
        read_annotations(tmp_path / "x.json", tmp_path)


def test_many_faults_are_cut(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="and 30 more"):
        read(tmp_path, annotations=[{}] * 50)
