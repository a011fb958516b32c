"""A user's own records: checked against the task, labels collected, splits cut, images looked for."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.prepare.tasks.task_folder import prepare, write
from unimo_paddle.errors import UserError
from unimo_paddle.records import Record, TaskData
from unimo_paddle.regions import Regions, RegionStoreWriter, StoreMeta


def lines(*records: dict[str, Any]) -> str:
    return "".join(json.dumps(one) + "\n" for one in records)


def kinds(*labels: Any) -> str:
    return lines(*({"id": str(row), "text": f"Text {row}", "label": label} for row, label in enumerate(labels)))


def test_classes_are_those_of_train(tmp_path: Path) -> None:
    source = write(tmp_path / "in", {"train.jsonl": kinds("b", "a", "b"), "dev.jsonl": kinds("a"),
                                     "test.jsonl": lines({"id": "0", "text": "X"})})  # fmt: skip
    found = prepare("custom_classification", source, tmp_path / "out")
    assert found["train"][0] == Record("0", text="text 0", label="b")
    assert TaskData(tmp_path / "out").labels == ("a", "b")
    told = json.loads((tmp_path / "out" / "task.json").read_text())
    assert told["counts"] == {"train": 3, "dev": 1, "test": 1} and told["version"] == 1


def test_numbers_may_be_classes(tmp_path: Path) -> None:
    found = prepare("custom_classification", write(tmp_path / "in", {"train.jsonl": kinds(0, 1, 2)}), tmp_path / "out")
    assert [one.label for one in found["train"]] == ["0", "1", "2"]
    assert TaskData(tmp_path / "out").labels == ("0", "1", "2")


def test_ids_and_case_stay(tmp_path: Path) -> None:
    source = write(tmp_path / "in", {"train.jsonl": lines({"id": "x", "text": [4, 5], "target": "A b"})})
    found = prepare("custom_generation", source, tmp_path / "out", "--no-lowercase")
    assert found["train"] == [Record("x", text=(4, 5), target="A b")]


def test_a_file_alone_is_train_and_a_split_is_cut_from_it(tmp_path: Path) -> None:
    texts = [{"id": str(number), "text": f"t{number // 2}", "target": "x"} for number in range(400)]
    write(tmp_path, {"mine.jsonl": lines(*texts)})
    found = prepare("custom_generation", tmp_path / "mine.jsonl", tmp_path / "out", "--split-from", "dev=train:0.25")
    assert 60 <= len(found["dev"]) <= 140 and len(found["dev"]) + len(found["train"]) == 400
    assert not {one.text for one in found["dev"]} & {one.text for one in found["train"]}, "a text is in both splits"
    again = prepare("custom_generation", tmp_path / "mine.jsonl", tmp_path / "b", "--split-from", "dev=train:0.25")
    assert again == found


@pytest.mark.parametrize(("told", "fault"), [
    ("dev=train", "NEW=OLD:SHARE is wanted"), ("dev=train:1.5", "NEW=OLD:SHARE is wanted"),
    ("dev=train:0", "NEW=OLD:SHARE is wanted"), ("../x=train:0.1", "is no name of a split"),
    ("train=train:0.5", "there is a split train already"), ("dev=tain:0.5", "there is no split 'tain'"),
])  # fmt: skip
def test_splits_that_cannot_be_cut(tmp_path: Path, told: str, fault: str) -> None:
    source = write(tmp_path / "in", {"train.jsonl": kinds("a", "b")})
    with pytest.raises(UserError, match=fault):
        prepare("custom_classification", source, tmp_path / "out", "--split-from", told)


@pytest.mark.parametrize(("task", "record", "fault"), [
    ("classification", {"id": "1", "text": "a"}, "train.jsonl:1: label is None"),
    ("classification", {"id": "1", "text": "", "label": "a"}, "train.jsonl:1: text is missing or empty"),
    ("classification", {"id": "1", "text": "a", "text_b": " ", "label": "a"}, "train.jsonl:1: text_b is empty"),
    ("classification", {"id": "1", "text": "a", "image": "i", "label": "a"}, "train.jsonl:1: image is filled, but"),
    ("classification", {"id": "1", "txt": "a"}, "train.jsonl:1: txt is no field of a record"),
    ("image_classification", {"id": "1", "text": "a", "label": "a"}, "train.jsonl:1: image is missing or empty"),
    ("regression", {"id": "1", "text": "a", "label": "a"}, "train.jsonl:1: label is 'a'; a number is wanted"),
    ("generation", {"id": "1", "text": "a", "target": " "}, "train.jsonl:1: target is missing or empty"),
    ("captioning", {"id": "1", "image": "i"}, "train.jsonl:1: target is missing or empty"),
])  # fmt: skip
def test_records_that_do_not_suit_the_task(tmp_path: Path, task: str, record: dict[str, Any], fault: str) -> None:
    source = write(tmp_path / "in", {"train.jsonl": lines(record)})
    with pytest.raises(UserError, match=fault):
        prepare(f"custom_{task}", source, tmp_path / "out")


def test_a_class_that_train_does_not_have(tmp_path: Path) -> None:
    source = write(tmp_path / "in", {"train.jsonl": kinds("good", "bad"), "dev.jsonl": kinds("bad", "goood")})
    with pytest.raises(UserError, match=r"dev.jsonl:2: label is 'goood'; .*did you mean 'good'"):
        prepare("custom_classification", source, tmp_path / "out")


def test_no_folder_and_no_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--from: .*nowhere does not exist"):
        prepare("custom_generation", tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(UserError, match=r"holds no SPLIT.jsonl"):
        prepare("custom_generation", write(tmp_path / "in", {"a.txt": ""}), tmp_path / "out")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    with RegionStoreWriter(tmp_path / "store", StoreMeta("f", 2, ("none", *"abcd"), 5, "d"), 50) as store:
        probabilities = np.eye(1, 5, 1, dtype=np.float32)
        boxes = np.array([[0, 0, 5, 5]], np.float32)
        store.append("here", Regions(np.zeros((1, 2), np.float32), boxes, probabilities, 9, 9))
    return tmp_path / "store"


def test_missing_images_are_listed(tmp_path: Path, store: Path, capsys) -> None:
    images = ["here", *(f"gone{number}" for number in range(7)), "gone0"]
    records = [{"id": str(number), "image": image, "text": "a"} for number, image in enumerate(images)]
    source = write(tmp_path / "in", {"train.jsonl": lines(*records)})
    fault = "lacks 7 images, 8 records': gone0, gone1, gone2, gone3, gone4 ..; the list is .*out.missing_images.txt"
    with pytest.raises(UserError, match=fault):
        prepare("custom_retrieval", source, tmp_path / "out", "--regions", store)
    listed = (tmp_path / "out.missing_images.txt").read_text().split()
    assert listed == [f"gone{number}" for number in range(7)] and not (tmp_path / "out").exists()
    found = prepare("custom_retrieval", source, tmp_path / "out", "--regions", store, "--skip-faulty")
    assert [one.image for one in found["train"]] == ["here"]
    assert "7 images are missing" in capsys.readouterr().out


def test_options_that_do_not_suit_the_task(tmp_path: Path, store: Path) -> None:
    source = write(tmp_path / "in", {"train.jsonl": kinds("a", "b")})
    with pytest.raises(UserError, match="--regions is no option of custom_classification"):
        prepare("custom_classification", source, tmp_path / "out", "--regions", store)
    with pytest.raises(UserError, match="--layout release: custom_classification comes only in the layout public"):
        prepare("custom_classification", source, tmp_path / "out", "--layout", "release")


def test_nothing_of_the_users_is_overwritten(tmp_path: Path) -> None:
    source = write(tmp_path / "in", {"train.jsonl": kinds("a", "b")})
    write(tmp_path / "out", {"mine.txt": "x"})
    with pytest.raises(UserError, match="exists and is not empty"):
        prepare("custom_classification", source, tmp_path / "out")
