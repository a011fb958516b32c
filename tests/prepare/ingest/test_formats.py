"""Each public format: a sound file, and a malformed one whose faults are all named."""

import gzip
import json
from pathlib import Path

import PIL.Image
import pytest

from unimo_paddle.corpus import Corpus, Image, Pair, Text
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.ingest.coco import ingest_coco
from unimo_paddle.prepare.ingest.images import ingest_images
from unimo_paddle.prepare.ingest.jsonl import ingest_jsonl, validate_jsonl
from unimo_paddle.prepare.ingest.text import ingest_text


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    for name, size in (("val2014/a.jpg", (8, 6)), ("b.jpg", (5, 7)), ("c.png", (3, 3))):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.new("RGB", size).save(folder / name)
    return folder


def save(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value))
    return path


def sentence(raw: object, sentid: int) -> dict:
    return {"raw": raw, "sentid": sentid, "tokens": [], "imgid": 0}


def test_karpathy_file(tmp_path: Path, pictures: Path) -> None:
    images = [
        {"filename": "a.jpg", "filepath": "val2014", "cocoid": 7, "split": "restval",
         "sentences": [sentence("A dog\n runs.", 1), sentence("Two dogs", 2)]},
        {"filename": "b.jpg", "filepath": "val2014", "cocoid": 8, "split": "test", "sentences": [sentence("x", 3)]},
        {"filename": "c.png", "split": "test", "sentences": [{"raw": "no ids, as in Flickr30k"}]},
    ]
    counts = ingest_coco(tmp_path / "c", save(tmp_path / "dataset.json", {"images": images}), pictures)
    assert counts == {"train": {"images": 1, "pairs": 2}, "test": {"images": 2, "pairs": 2}}
    corpus = Corpus(tmp_path / "c")
    assert list(corpus.pairs("train")) == [Pair("1", "7", "A dog runs."), Pair("2", "7", "Two dogs")]
    assert list(corpus.images("train")) == [Image("7", pictures / "val2014/a.jpg", 8, 6)]
    assert corpus.images("test")[0] == Image("8", pictures / "b.jpg", 5, 7)   # straight in the folder
    assert corpus.pairs("test")[1] == Pair("c:0", "c", "no ids, as in Flickr30k")


def test_karpathy_faults_are_named_together(tmp_path: Path, pictures: Path) -> None:
    images = [
        {"filename": "gone.jpg", "cocoid": 1, "split": "train", "sentences": [sentence("x", 1)]},
        {"filename": "b.jpg", "cocoid": 2, "split": "train", "sentences": [sentence("", 2), "text", sentence(3, 3)]},
        {"filename": "c.png", "cocoid": 2, "split": "train", "sentences": []},
        {"filename": 5, "cocoid": 3, "sentences": {}},
        None,
        {"filename": "c.png", "cocoid": 4, "split": "a b", "sentences": []},
    ]
    with pytest.raises(UserError) as caught:
        ingest_coco(tmp_path / "c", save(tmp_path / "d.json", {"images": images}), pictures)
    for fault in ("images[0]: the image", "gone.jpg does not exist", "images[1].sentences[0]: the caption is empty",
                  "images[1].sentences[1]: an object is wanted, not 'text'", "sentences[2]: raw is 3, not str",
                  "images[2]: the id '2' is used twice among the images",
                  "images[3]: filename is 5, not str; split is missing; sentences is {}, not list",
                  "images[4]: an object is wanted, not None", "images[5]: split is 'a b'", "has 8 faults"):
        assert fault in str(caught.value), fault


def test_cocos_own_file_and_a_caption_without_an_image(tmp_path: Path, pictures: Path) -> None:
    value = {"images": [{"id": 7, "file_name": "b.jpg"}, {"id": 9, "file_name": "c.png"}],
             "annotations": [{"id": 70, "image_id": 7, "caption": "A dog."}, {"id": 71, "image_id": 9, "caption": "B"}]}
    path = save(tmp_path / "captions_val2017.json", value)
    assert ingest_coco(tmp_path / "c", path, pictures, split="val") == {"val": {"images": 2, "pairs": 2}}
    assert Corpus(tmp_path / "c").pairs("val")[0] == Pair("70", "7", "A dog.")
    value["annotations"] += [{"id": 72, "image_id": 8, "caption": "C"}, {"id": 70, "image_id": 7, "caption": "D"}]
    value["images"] += [{"id": 10, "file_name": "gone.jpg"}]
    value["annotations"] += [{"id": 73, "image_id": 10, "caption": "its image is a fault already"}]
    with pytest.raises(UserError, match=r"3 faults(.|\n)*annotations\[2\]: a caption without an image: no image has "
                                        r"the id 8(.|\n)*annotations\[3\]: the id '70' is used twice"):
        ingest_coco(tmp_path / "d", save(path, value), pictures)


@pytest.mark.parametrize(("value", "message"), [
    ([], "an object with a list `images` is wanted"), ({"images": {}}, "an object with a list `images`"),
    ({"images": [], "annotations": 3}, "annotations is 3, not a list"), ({"images": []}, "holds no records"),
])
def test_files_that_are_not_coco(tmp_path: Path, pictures: Path, value: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        ingest_coco(tmp_path / "c", save(tmp_path / "d.json", value), pictures)


def test_broken_json_and_missing_folder(tmp_path: Path, pictures: Path) -> None:
    (tmp_path / "d.json").write_text('{"images": [')
    with pytest.raises(UserError, match=r"d\.json: line 1 column 13 is not JSON"):
        ingest_coco(tmp_path / "c", tmp_path / "d.json", pictures)
    with pytest.raises(UserError, match="folder of images .* does not exist"):
        ingest_coco(tmp_path / "c", save(tmp_path / "d.json", {"images": []}), tmp_path / "none")


def test_text_by_line_and_by_file(tmp_path: Path) -> None:
    folder = tmp_path / "books"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("first\n\nthird\n")
    (folder / "sub/b.txt.gz").write_bytes(gzip.compress("häuser".encode()))
    (folder / "notes.md").write_text("not text")
    ingest_text(tmp_path / "l", [folder])
    assert list(Corpus(tmp_path / "l").texts("train")) == [
        Text("a.txt:1", "first"), Text("a.txt:3", "third"), Text("sub/b.txt.gz:1", "häuser")]
    ingest_text(tmp_path / "f", [folder / "a.txt", folder / "sub/b.txt.gz"], document="file", split="dev")
    assert list(Corpus(tmp_path / "f").texts("dev")) == [Text("a.txt", "first\nthird"), Text("b.txt.gz", "häuser")]


def test_text_faults(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"ok\n\xff\xfe\nok\n")
    with pytest.raises(UserError, match=r"a\.txt:2: byte 0 \(0xff\) is not UTF-8"):
        ingest_text(tmp_path / "c", [tmp_path / "a.txt"])
    assert ingest_text(tmp_path / "c", [tmp_path / "a.txt"], skip_faulty=True) == {"train": {"texts": 2}}
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="does not exist"):
        ingest_text(tmp_path / "d", [tmp_path / "none.txt"])
    with pytest.raises(UserError, match="has no file that ends in"):
        ingest_text(tmp_path / "d", [tmp_path / "empty"])
    with pytest.raises(UserError, match="a document is 'page'; choose one of line, file, wikipedia"):
        ingest_text(tmp_path / "d", [tmp_path / "a.txt"], document="page")


def test_folder_of_images(tmp_path: Path, pictures: Path) -> None:
    assert ingest_images(tmp_path / "c", pictures) == {"train": {"images": 3}}
    assert [image.id for image in Corpus(tmp_path / "c").images("train")] == ["b", "c", "val2014/a"]
    (pictures / "b.png").write_bytes(b"broken")
    (pictures / "d.JPG").write_bytes(b"broken")
    with pytest.raises(UserError, match=r"2 faults(.|\n)*b\.png: the id 'b' is used twice(.|\n)*d\.JPG is no image"):
        ingest_images(tmp_path / "d", pictures)
    with pytest.raises(UserError, match="has no images"):
        ingest_images(tmp_path / "d", tmp_path / "c")


GOOD = [
    {"id": "1", "image": "b.jpg", "captions": ["One.", "Two."], "split": "dev", "meta": {"mine": 1}},
    {"id": "2", "image": "c.png"},
    {"id": "t", "text": "A text.", "split": "dev"},
]


def lines(path: Path, records: list) -> Path:
    path.write_text("\n".join(record if isinstance(record, str) else json.dumps(record) for record in records))
    return path


def test_custom_jsonl(tmp_path: Path, pictures: Path) -> None:
    path = lines(tmp_path / "my.jsonl", GOOD)
    counts = ingest_jsonl(tmp_path / "c", path, images=pictures)
    assert counts == {"dev": {"images": 1, "pairs": 2, "texts": 1}, "train": {"images": 1}}
    report = validate_jsonl(path, images=pictures)
    assert report.counts == counts and not report.faults
    corpus = Corpus(tmp_path / "c")
    assert list(corpus.pairs("dev")) == [Pair("1:0", "1", "One."), Pair("1:1", "1", "Two.")]
    assert list(corpus.texts("dev")) == [Text("t", "A text.")]
    beside = lines(pictures / "my.jsonl", GOOD)
    assert not validate_jsonl(beside).faults   # paths start from the file's own folder


@pytest.mark.parametrize(("record", "fault"), [
    ({"id": "1", "image": "", "caption": ["x"]}, "'caption' is not a key of this format; did you mean 'captions'?"),
    ({"id": "1", "image": "", "zz": 1}, "'zz' is not a key of this format; what is your own belongs under `meta`"),
    ({"id": "1", "image": "b.jpg", "captions": "x"}, "captions is 'x', not list"),
    ({"id": "9", "image": "b.jpg", "captions": ["ok", ""]}, "captions[1]: the caption is empty"),
    ({"id": "1", "captions": ["x"]}, "captions without an image"),
    ({"id": "1"}, "the record has neither an image nor a text"),
    ({"id": "1", "text": "x", "image": "b.jpg"}, "a record is an image with captions or a text, not both"),
    ({"id": 1, "text": "x"}, "id is 1, not str"),
    ({"image": "b.jpg"}, "the record has no id"),
    ({"id": "9", "image": "gone.jpg", "captions": ["x"]}, "gone.jpg does not exist"),
    ({"id": "2", "image": "b.jpg"}, "the id '2' is used twice among the images"),
    ({"id": "1", "text": "x", "split": "a/b"}, "split is 'a/b'"),
    ({"id": "9", "image": "", "captions": ["x"]}, "the image name is empty"),
    ({"id": "9", "image": " "}, "the image name is empty"),
    ("[1]", "a JSON object is wanted, not [1]"),
    ('{"id": "1",', "is not JSON"),
    ("[" * 100_000, "is not JSON"),
    ('{"id": "1", "text": "\\ud800"}', "holds half a surrogate pair"),
])
def test_each_jsonl_fault_names_file_and_line(tmp_path: Path, pictures: Path, record: object, fault: str) -> None:
    path = lines(tmp_path / "my.jsonl", [*GOOD, record])
    report = validate_jsonl(path, images=pictures)
    if isinstance(record, str) and record.startswith("[["):
        fault = "nested too deeply"
    assert len(report.faults) == 1
    assert report.faults.first[0].startswith(f"{path}:4") and fault in report.faults.first[0]
    with pytest.raises(UserError, match=r"1 faults and was not taken in"):
        ingest_jsonl(tmp_path / "c", path, images=pictures)
    assert not list((tmp_path / "c").iterdir())
