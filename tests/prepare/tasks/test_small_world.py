"""Our scenes are read by the readers of the public sets: all splits, image ids as the corpus has them."""

from pathlib import Path

import pytest

from tests.prepare.tasks.task_folder import prepare
from unimo_paddle.corpus import Corpus
from unimo_paddle.files import read_json
from unimo_paddle.prepare.ingest.coco import ingest_coco
from unimo_paddle.prepare.small_world.run import make_scenes


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes") / "scenes"
    make_scenes(folder, 6, 1, "shapes", val=2, test=8, composition=3, workers=1)
    return folder


@pytest.mark.parametrize("task", ["vqa", "snli_ve", "coco_caption", "flickr30k"])
def test_every_task_has_every_split_and_the_corpus_image_ids(scenes, tmp_path, task):
    found = prepare(task, scenes, tmp_path / "to")
    ingest_coco(tmp_path / "corpus", scenes / "coco" / "dataset.json", scenes / "images")
    corpus = Corpus(tmp_path / "corpus")
    for split, theirs in (("dev", "val"), ("test", "test"), ("composition", "composition")):
        assert {record.image for record in found[split]} == {image.id for image in corpus.images(theirs)}
    assert {record.image for record in found.get("train", ())} <= {image.id for image in corpus.images("train")}


def test_nothing_is_lost(scenes, tmp_path):
    captions, pairs = prepare("coco_caption", scenes, tmp_path / "c"), prepare("flickr30k", scenes, tmp_path / "f")
    asked, claims = prepare("vqa", scenes, tmp_path / "q"), prepare("snli_ve", scenes, tmp_path / "e")
    assert [len(captions[split]) for split in ("train", "dev", "test", "composition")] == [30, 2, 8, 3]
    assert [len(pairs[split]) for split in ("train", "dev", "test", "composition")] == [30, 10, 40, 15]
    questions = read_json(scenes / "vqa" / "v2_OpenEnded_test_questions.json")["questions"]
    assert [record.id for record in asked["test"]] == [str(one["question_id"]) for one in questions]
    assert all(len(record.references) == 10 for record in asked["test"])
    lines = (scenes / "snli_ve" / "snli_ve_test.jsonl").read_text().splitlines()
    assert len(claims["test"]) == len(lines)


def test_captions_name_the_other_images_that_they_are_true_of(scenes, tmp_path):
    found = prepare("flickr30k", scenes, tmp_path / "to")
    for split, theirs in (("dev", "val"), ("test", "test"), ("composition", "composition")):
        told = read_json(scenes / "retrieval" / f"{theirs}.json")["caption_images"]
        assert {record.id: {record.image, *record.images} for record in found[split]} == {
            caption: set(map(str, images)) for caption, images in told.items()
        }
