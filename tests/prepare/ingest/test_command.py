"""`tools/prepare.py ingest` on the command line: each format reaches its reader, and options of another are refused."""

import json
from pathlib import Path

import PIL.Image
import pytest

from unimo_paddle.corpus import Corpus
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.command import parser
from unimo_paddle.prepare.ingest.command import OPTIONS


def run(*words: object) -> int:
    args = parser("").parse_args(["ingest", *map(str, words)])
    return args.run(args)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    for row in range(2):
        PIL.Image.new("RGB", (4, 3)).save(folder / f"{row}.jpg")
    (folder / "a.txt").write_text("one\ntwo\n")
    (folder / "a.tsv").write_text("a cat\thttp://x/p.jpg\na dog\thttp://x/q.jpg\n")
    (folder / "sbu.json").write_text(json.dumps({"image_urls": ["http://x/p", "http://x/q"], "captions": ["a", "b"]}))
    (folder / "image_data.json").write_text(json.dumps([{"image_id": 1, "coco_id": 5}]))
    (folder / "region_descriptions.json").write_text(json.dumps([
        {"id": 1, "regions": [{"region_id": i, "phrase": "a", "width": i, "height": 1} for i in range(3)]}]))
    (folder / "list.txt").write_text("0\n")
    (folder / "a.jsonl").write_text('{"id": "1", "image": "1.jpg", "captions": ["a"]}\n')
    (folder / "coco.json").write_text(json.dumps(
        {"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [{"id": 1, "image_id": 1, "caption": "a"}]}))
    return folder


@pytest.mark.parametrize(("format_", "names", "options", "counts"), [
    ("coco", ["coco.json"], ["--images", "."], {"images": 1, "pairs": 1}),
    ("visual-genome", ["."], ["--images", ".", "--captions-per-image", 2], {"images": 1, "pairs": 2}),
    ("conceptual-captions", ["a.tsv"], ["--images", "."], {"images": 2, "pairs": 2}),
    ("sbu", ["sbu.json"], ["--images", ".", "--first-row", 0], {"images": 2, "pairs": 2}),
    ("images", ["."], ["--list", "list.txt"], {"images": 1}),
    ("text", ["a.txt", "list.txt"], ["--document", "file"], {"texts": 2}),
    ("jsonl", ["a.jsonl"], [], {"images": 1, "pairs": 1}),
])
def test_each_format(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch, format_: str, names: list[str],
                     options: list[object], counts: dict[str, int]) -> None:
    monkeypatch.chdir(source)
    assert run(format_, "--from", *names, "--corpus", tmp_path / "c", *options) == 0
    assert Corpus(tmp_path / "c").manifest.counts()["train"] == counts


@pytest.mark.parametrize(("words", "message"), [
    (["text", "--from", "a", "--images", "b"], "--images is no option of text"),
    (["coco", "--from", "a", "--first-row", "0"], "--first-row is no option of coco"),
    (["images", "--from", "a", "--exclude-coco", "b"], "--exclude-coco is no option of images"),
    (["images", "--from", "a", "b"], "--from takes one path for images, not 2"),
])
def test_options_of_another_format(tmp_path: Path, words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        run(*words, "--corpus", tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_the_split_of_lines_that_name_none(tmp_path: Path, source: Path) -> None:
    (source / "b.jsonl").write_text('{"id": "1", "text": "a"}\n{"id": "2", "text": "b", "split": "dev"}\n')
    run("jsonl", "--from", source / "b.jsonl", "--corpus", tmp_path / "c", "--split", "val")
    assert Corpus(tmp_path / "c").manifest.counts() == {"val": {"texts": 1}, "dev": {"texts": 1}}
    with pytest.raises(UserError, match="holds another source 'jsonl-b' already"):
        run("jsonl", "--from", source / "b.jsonl", "--corpus", tmp_path / "c", "--split", "train")


@pytest.mark.parametrize("split", ["../bad", "", "a/b", ".hidden"])
@pytest.mark.parametrize("format_", OPTIONS)
def test_a_split_that_is_no_name(tmp_path: Path, source: Path, format_: str, split: str) -> None:
    with pytest.raises(UserError, match=f"--split is '{split}'; letters, digits"):
        run(format_, "--from", source, "--corpus", tmp_path / "c", "--split", split)
    assert not (tmp_path / "c").exists()


def test_a_file_in_place_of_the_corpus(tmp_path: Path, source: Path) -> None:
    with pytest.raises(UserError, match="a.txt is or lies below a file; name a folder"):
        run("text", "--from", source / "a.txt", "--corpus", source / "a.txt")


@pytest.mark.parametrize(("format_", "name"), [
    ("coco", "coco.json"), ("visual-genome", "."), ("conceptual-captions", "a.tsv"), ("sbu", "sbu.json"),
    ("jsonl", "a.jsonl"),
])
def test_a_file_in_place_of_the_images(tmp_path: Path, source: Path, format_: str, name: str) -> None:
    for images, message in (("a.txt", "a.txt is a file"), ("gone", "gone does not exist")):
        with pytest.raises(UserError, match=f"the folder of images .*{message}"):
            run(format_, "--from", source / name, "--images", source / images, "--corpus", tmp_path / "c")


def test_a_file_in_place_of_a_folder_of_sources(tmp_path: Path, source: Path) -> None:
    with pytest.raises(UserError, match="the folder of images .*a.txt is a file"):
        run("images", "--from", source / "a.txt", "--corpus", tmp_path / "c")
    with pytest.raises(UserError, match="the folder of the JSON files .*a.txt is a file"):
        run("visual-genome", "--from", source / "a.txt", "--images", source, "--corpus", tmp_path / "c")
