"""Retrieval: Karpathy's JSON, captions true of several images, and the released archive's lines."""

import json

import pytest

from tests.prepare.tasks.karpathy_file import dataset, flickr, image
from tests.prepare.tasks.task_folder import prepare, write
from unimo_paddle.errors import UserError
from unimo_paddle.records import Record

CALLED = "dataset_flickr30k.json"


def test_each_caption_is_a_record_with_its_image(tmp_path):
    entries = [flickr(1000092795, "train", "Two  Men.", "It."), flickr(36979, "val", "A."), flickr(5, "test", "B.")]
    files = {CALLED: dataset(*entries), "dataset_coco.json": dataset(image(1, "train", "not this one"))}
    assert prepare("flickr30k", write(tmp_path / "from", files), tmp_path / "to") == {
        "train": [Record(id="10000927950", image="1000092795", text="two men."),
                  Record(id="10000927951", image="1000092795", text="it.")],
        "dev": [Record(id="369790", image="36979", text="a.")],
        "test": [Record(id="50", image="5", text="b.")],
    }  # fmt: skip


def test_captions_that_are_true_of_several_images_name_them(tmp_path):
    answers = {"caption_images": {"10": [1, 2], "11": [1], "20": [2, 1]}}
    files = {"coco/dataset.json": dataset(image(1, "test", "A.", "B."), image(2, "test", "C.")),
             "retrieval/test.json": json.dumps(answers)}  # fmt: skip
    found = prepare("flickr30k", write(tmp_path / "from", files), tmp_path / "to")
    assert [record.images for record in found["test"]] == [("2",), (), ("1",)]


@pytest.mark.parametrize(
    ("told", "fault"),
    [({}, "test.json: there is no 'caption_images', only nothing"),
     ({"caption_images": {"10": 3}}, "test.json: caption 10 is no list of image ids")],
)  # fmt: skip
def test_malformed_answers_are_named(tmp_path, told, fault):
    files = {"coco/dataset.json": dataset(image(1, "test", "A.")), "retrieval/test.json": json.dumps(told)}
    with pytest.raises(UserError, match=fault):
        prepare("flickr30k", write(tmp_path / "from", files), tmp_path / "to")


def archive(train: str) -> dict[str, str]:
    folder = "flickr30k-textids"
    return {f"{folder}/train.ids": train, f"{folder}/val.all.ids": "0 7 2;0 0 0;2 3 4;36979;12\n",
            f"{folder}/dataset_flickr30k_name_id.txt": "36979\t1\n"}  # fmt: skip


def test_the_archives_lines_are_records_of_ids(tmp_path):
    source = write(tmp_path / "from", archive("0 5 6 2;0 0 0 0;2 3 4 5;1000092795;0\n0 5 2;0 0 0;2 3 4;10;1\n"))
    assert prepare("flickr30k", source, tmp_path / "to") == {
        "train": [Record(id="0", image="1000092795", text=(5, 6)), Record(id="1", image="10", text=(5,))],
        "dev": [Record(id="12", image="36979", text=(7,))],
    }


@pytest.mark.parametrize(
    ("text", "fault"),
    [("0 5 2;0;2;9\n", "train.ids:1: the line has 4 fields between `;`, not 5"),
     ("0 5 2;0;2;x.jpg;1\n", "train.ids:1: the image's name is 'x.jpg'; a whole number is wanted"),
     ("0 5 2;0;2;9;\n", "train.ids:1: the sentence's id is ''; a whole number is wanted"),
     ("0 2;0;2;9;1\n", "train.ids:1: the caption is empty")],
)  # fmt: skip
def test_the_archives_faults_are_named(tmp_path, text, fault):
    with pytest.raises(UserError, match=fault):
        prepare("flickr30k", write(tmp_path / "from", archive(text)), tmp_path / "to")
