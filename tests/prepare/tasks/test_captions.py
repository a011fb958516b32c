"""COCO captions: Karpathy's JSON with tags from a region store, and the released archive's lines."""

import json

import pytest

from tests.prepare.tasks.karpathy_file import dataset, image
from tests.prepare.tasks.task_folder import prepare, write
from tests.region_tools.foreign import caption, found
from unimo_paddle.data.tokenizer import train_tokenizer
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.tasks.captions import tags_in_store
from unimo_paddle.records import Record
from unimo_paddle.region_tools.imports.run import Request, import_features
from unimo_paddle.regions import RegionStore

CALLED = "dataset_coco.json"
SEEN = [[0.1, 0.2, 0.5, 0.2], [0.1, 0.7, 0.1, 0.1], [0.1, 0.1, 0.6, 0.2], [0.5, 0.3, 0.1, 0.1], [0.25, 0.25, 0.2, 0.3]]


def test_train_has_a_record_a_caption_and_the_others_one_an_image(tmp_path):
    entries = [image(7, "val", "A  Dog.", "Two."), image(8, "restval", "A Cat."), image(9, "test", "T."),
               image(1, "train", "One hat.", "A hat", folder="train2014")]  # fmt: skip
    found = prepare("coco_caption", write(tmp_path / "from", {CALLED: dataset(*entries)}), tmp_path / "to")
    assert found == {
        "train": [Record(id="80", image="8", target="a cat.", references=("A Cat.",)),
                  Record(id="10", image="1", target="one hat.", references=("One hat.", "A hat")),
                  Record(id="11", image="1", target="a hat", references=("One hat.", "A hat"))],
        "dev": [Record(id="7", image="7", references=("A Dog.", "Two."))],
        "test": [Record(id="9", image="9", references=("T.",))],
    }  # fmt: skip


def test_tags_are_what_the_store_saw_with_confidence_the_surest_first(tmp_path, stored):
    source = write(tmp_path / "from", {CALLED: dataset(image(1, "train", "One."), image(2, "val", "Two."))})
    store = stored(["1", "2"], SEEN)
    assert tags_in_store(RegionStore(store), "1") == "cat Red hat", "0.7, 0.6; not the background, nor 0.3"
    found = prepare("coco_caption", source, tmp_path / "to", "--regions", store)
    assert {record.tags for records in found.values() for record in records} == {"cat red hat"}


def test_a_store_that_saw_nothing_for_sure_gives_no_tags(stored):
    store = RegionStore(stored(["1"]))
    assert tags_in_store(store, "1") is None
    assert tags_in_store(store, "2") is None


BAD = [
    (dataset(image(1, "train", "  ")), r"dataset_coco.json: images\[0\].sentences\[0\]: raw is empty"),
    (dataset(image(1, "train", "x"), image(2, "val")), r"images\[1\]: the image has no caption"),
    (dataset({"filename": "x.jpg"}), r"images\[0\]: there is no 'split', only 'filename'"),
    (dataset("x"), r"images\[0\]: an object is wanted, not 'x'"),
    (dataset({**image(1, "train", "x"), "sentences": [{"raw": 3}]}), r"sentences\[0\]: 'raw' is 3; a text is wanted"),
    (json.dumps({"pictures": []}), "dataset_coco.json: there is no 'images', only 'pictures'"),
    ('{"images": [', "dataset_coco.json: line 1 column 13 is not JSON"),
]


@pytest.mark.parametrize(("text", "fault"), BAD)
def test_what_is_malformed_is_named(tmp_path, text, fault):
    with pytest.raises(UserError, match=fault):
        prepare("coco_caption", write(tmp_path / "from", {CALLED: text}), tmp_path / "to")


def test_a_folder_without_the_file_is_refused(tmp_path):
    with pytest.raises(UserError, match="holds no dataset_coco.json or dataset.json"):
        prepare("coco_caption", write(tmp_path / "from", {"x.json": "{}"}), tmp_path / "to", "--layout", "public")


def line(number: int, name: str = "c1", text: str = "0 5 6 2") -> str:
    return caption(found(f"val2014__{number:06d}", number), text).replace(";c1;", f";{name};", 1)


def archive(lines: dict[str, list[str]], **more: str) -> dict[str, str]:
    """Files as they are unpacked: filelists with paths from where the release's scripts run."""
    made = {f"parts/{split}.txt": "".join(f"{one}\n" for one in listed) for split, listed in lines.items()}
    return made | {f"{split}_filelist": f"parts/{split}.txt\n" for split in lines} | more


def test_the_archive_gives_ids_tags_and_karpathys_references(tmp_path):
    lines = {"train": [line(5), line(5, "c2", "0 9 2")], "valid": [line(7), line(7)], "test": [line(8, text="")]}
    tags = {"coco_object_0.35_tot.ids": "5;0 11 12 2;0 0;2 3\n7;13 14;0 0;2 3\n8;;;\n"}
    more = {CALLED: dataset(image(7, "val", "A dog.", "It."), image(8, "test", "B."))}
    got = prepare("coco_caption", write(tmp_path / "from", archive(lines, **tags, **more)), tmp_path / "to")
    assert got == {
        "train": [Record(id="c1", image="val2014__000005", tags=(11, 12), target=(5, 6)),
                  Record(id="c2", image="val2014__000005", tags=(11, 12), target=(9,))],
        "dev": [Record(id="7", image="val2014__000007", tags=(13, 14), references=("A dog.", "It."))],
        "test": [Record(id="8", image="val2014__000008", references=("B.",))],
    }  # fmt: skip


def test_without_karpathys_file_the_archives_captions_are_decoded(tmp_path, capsys):
    tokenizer = train_tokenizer(["a dog", "a hat"], 300, True)
    tokenizer.save(tmp_path / "tokenizer")
    said = [" ".join(map(str, [0, *one.ids, 2])) for one in tokenizer.encode_batch(["a dog", "a hat"])]
    lines = {"valid": [line(7, text=said[0]), line(8, text=""), line(7, text=said[1])]}
    source = write(tmp_path / "from", archive(lines))
    got = prepare("coco_caption", source, tmp_path / "to", "--tokenizer", tmp_path / "tokenizer")
    assert [record.references for record in got["dev"]] == [("a dog", "a hat"), ()]
    assert "dev: 1 images have no captions to be judged by; put dataset_coco.json into" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"valid.txt:1: the caption is token ids; name the folder .* \(--tokenizer\)"):
        prepare("coco_caption", source, tmp_path / "to2")


BAD_LINES = [
    (line(5) + ";x", r"train.txt:1: the line has 17 fields between `;`, not 16"),
    (line(5, text="0 5 x 2"), r"train.txt:1: the caption is '0 5 x 2'; token ids with spaces between are wanted"),
    (line(5, text="0 50265 2"), r"train.txt:1: the caption has the id 50265, but the .* vocabulary ends at 50264"),
    (line(5, text="5 6 2"), r"train.txt:1: the caption does not begin with \[CLS\] \(0\) and end with \[SEP\] \(2\)"),
    (line(5, text="0 2"), r"train.txt:1: the caption is empty"),
    (line(5, text=""), r"train.txt:1: the caption does not begin with"),
    (caption(found("short", 1)), r"train.txt:1: the image's id 'short' behind its 9 letters is ''; a whole number"),
]


@pytest.mark.parametrize(("text", "fault"), BAD_LINES)
def test_the_archives_faults_are_named(tmp_path, text, fault):
    source = write(tmp_path / "from", archive({"train": [text]}))
    with pytest.raises(UserError, match=fault):
        prepare("coco_caption", source, tmp_path / "to")


def test_images_are_called_as_extract_import_calls_them(tmp_path):
    source = write(tmp_path / "from", archive({"train": [line(5), line(6, "c2")], "valid": [line(7, text="")]}))
    import_features(Request("release", source / "parts", "test"), tmp_path / "store")
    got = prepare("coco_caption", source, tmp_path / "to", "--regions", tmp_path / "store")
    assert {record.image for records in got.values() for record in records} == {*RegionStore(tmp_path / "store").ids}


def test_two_files_of_tags_are_ambiguous(tmp_path):
    tags = {f"coco_object_{one}_tot.ids": "5;9;0;2\n" for one in ("0.35", "0.2")}
    with pytest.raises(UserError, match=r"are two files of object tags; keep the one for the model's size"):
        prepare("coco_caption", write(tmp_path / "from", archive({"train": [line(5)]}, **tags)), tmp_path / "to")
