"""tools/prepare.py: faulty data are told with file and line, all at once, and nothing half-done stays."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tests import mini_world
from tests.mini_world import IMAGES, World, call, needs_namespaces, on_a_disk, refused
from unimo_paddle.corpus import Corpus


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", (40, 30), "red").save(folder / "good.jpg")
    (folder / "broken.png").write_text("this is no picture")
    return folder


LINES = """\
{"id": "a", "image": "good.jpg", "captions": ["a red picture"]}
{"id": "b", "captions": ["a dog"]}
{"id": "c", "image": "none.jpg", "captions": ["a dog"]}
{"id": "d", "image": "broken.png", "captions": ["a dog"]}
{"id": "e", "image": "good.jpg", "capions": ["a dog"]}
no JSON
"""
FAULTS = [
    ":2: captions without an image", ":3: the image ", "none.jpg does not exist", ":4: ", "broken.png is no image",
    ":5: 'capions' is not a key of this format; did you mean 'captions'?", ":6: column 1 is not JSON",
]  # fmt: skip


@pytest.mark.parametrize("command", ["ingest", "validate"])
def test_every_faulty_line_is_told(tmp_path: Path, pictures: Path, command: str) -> None:
    (tmp_path / "my.jsonl").write_text(LINES)
    source, corpus = str(tmp_path / "my.jsonl"), str(tmp_path / "corpus")
    words = {"ingest": ["jsonl", "--from", source, "--corpus", corpus], "validate": ["--jsonl", source]}[command]
    refused(call(["prepare", command, *words, "--images", str(pictures)]), *FAULTS)
    assert not (tmp_path / "corpus" / "corpus.json").exists()


def test_faulty_lines_can_be_left_out(tmp_path: Path, pictures: Path) -> None:
    (tmp_path / "my.jsonl").write_text(LINES)
    done = call(["prepare", "ingest", "jsonl", "--from", str(tmp_path / "my.jsonl"), "--images", str(pictures),
                 "--corpus", str(tmp_path / "corpus"), "--skip-faulty"])  # fmt: skip
    assert done.status == 0, done.err
    assert "left out 5 faulty records" in done.out
    assert [pair.caption for pair in Corpus(tmp_path / "corpus").pairs("train")] == ["a red picture"]


def test_a_coco_caption_without_an_image(tmp_path: Path, pictures: Path) -> None:
    captions = tmp_path / "captions.json"
    captions.write_text(json.dumps({"images": [{"id": 1, "file_name": "good.jpg"}],
                                    "annotations": [{"id": 7, "image_id": 99, "caption": "x"}]}))  # fmt: skip
    words = ["prepare", "ingest", "coco", "--from", str(captions), "--corpus", str(tmp_path / "corpus")]
    refused(call([*words, "--images", str(pictures)]), f"{captions}: annotations[0]", "no image has the id 99")
    refused(call([*words, "--images", str(tmp_path / "none")]), f"{tmp_path}/none does not exist")
    refused(call([*words, "--from", str(captions), str(captions)]), "--from takes one path for coco, not 2")


def test_sources_that_are_not_there(tmp_path: Path) -> None:
    nothing = str(tmp_path / "none")
    refused(call(["prepare", "ingest", "jsonl", "--from", nothing, "--corpus", nothing]), f"{nothing} does not exist")
    refused(call(["prepare", "validate", "--jsonl", nothing]), f"{nothing} does not exist")
    for command in (["tokenizer", "--out", nothing], ["rewrite"]):
        refused(call(["prepare", *command, "--corpus", nothing]), f"{nothing} is no corpus", "tools/prepare.py ingest")


def test_a_folder_that_holds_another_world(prepared: World) -> None:
    words = ["prepare", "scenes", "--images", str(IMAGES), "--source", "shapes", "--out"]
    refused(call([*words, str(prepared.scenes), "--seed", "9"]), "holds another world", "choose another folder")
    refused(call([*words, str(prepared.corpus)]), f"{prepared.corpus} is not empty and holds no small world")
    refused(call([*words, str(prepared.root / "new"), "--images", "0"]), "train: 0 scenes; at least 1 is needed")
    assert not (prepared.root / "new").exists()


def test_a_tokenizer_is_not_replaced_by_another(prepared: World) -> None:
    before = {path.name: path.read_bytes() for path in prepared.tokenizer.iterdir()}
    again = prepared.prepare()[-1]
    assert call(again).status == 0
    other = [word for word in again if word != "--lowercase"]
    refused(call(other), f"{prepared.tokenizer} holds another tokenizer; name another folder")
    assert {path.name: path.read_bytes() for path in prepared.tokenizer.iterdir()} == before


def test_what_rewriting_and_tokenizing_need(prepared: World, tmp_path: Path) -> None:
    rewrite = ["prepare", "rewrite", "--corpus", str(prepared.corpus)]
    refused(call([*rewrite, "--levels", "sentence,letter"]), "level 'letter' is not one of sentence, phrase, word")
    refused(call([*rewrite, "--splits", "dev"]), "has no split 'dev'; it has composition")
    wrong = "negatives.words=5"
    refused(call([*rewrite, "-o", wrong]), "negatives.words is not a setting; did you mean negatives.word?")
    refused(call([*rewrite, "--address", "10.0.0.5:6379"]), "the address 10.0.0.5:6379 is for the engine ray")
    refused(call(["prepare", "retrieve", *rewrite[2:]]), "give --images STORE, --texts CORPUS, or both")
    small = ["prepare", "tokenizer", "--corpus", str(prepared.corpus), "--out", str(tmp_path), "--vocabulary", "3"]
    refused(call(small), "a vocabulary of 3 tokens", "at least 261")


def test_a_corpus_is_validated_and_a_pair_shown(prepared: World, tmp_path: Path) -> None:
    done = call(["prepare", "validate", "--corpus", str(prepared.corpus), "--json", str(tmp_path / "report.json")])
    assert done.status == 0, done
    assert "the corpus is clean" in done.out
    assert json.loads((tmp_path / "report.json").read_text())
    page = tmp_path / "pair.html"
    inspect = ["prepare", "inspect", "--corpus", str(prepared.corpus), "--pair"]
    done = call([*inspect, "3", "-o", str(page)])
    assert (done.status, "hard negatives (" in done.out) == (0, True), done
    assert "<!doctype html>" in page.read_text()[:20].lower()
    refused(call([*inspect, "99999"]), "99999")


def test_the_parser_is_measured_on_true_graphs(prepared: World) -> None:
    done = call(["prepare", "score-parser", "--graphs", str(prepared.scenes / "caption_graphs.jsonl")])
    assert done.status == 0, done
    assert "relations" in done.out


@needs_namespaces
def test_a_full_disk_names_the_file(prepared: World, tmp_path: Path) -> None:
    before = on_a_disk("size=200k", tmp_path / "disk")
    done = mini_world.run(prepared.make_scenes(tmp_path / "disk" / "scenes"), *before)
    refused(done, f"{tmp_path}/disk/scenes/", "the disk is full: free some space", status=1)
    assert ".tmp-" not in done.out
