"""Images and sentences near each pair, from collections to columns that training reads."""

from pathlib import Path

import numpy as np
import pytest

from unimo_paddle.config import CorpusPlan
from unimo_paddle.config.corpus import RetrievalSettings
from unimo_paddle.corpus import Corpus, CorpusWriter, Pair, Text
from unimo_paddle.errors import UserError
from unimo_paddle.prepare import retrieval
from unimo_paddle.prepare.validation import validate
from unimo_paddle.regions import Regions, RegionStoreWriter, StoreMeta
from unimo_paddle.workers.engine import Engine

CLASSES = ("__background__", "dog", "cat", "car", "tree")
PLAN = CorpusPlan(retrieval=RetrievalSettings(images=3, texts=2))
SHOWN = {"pair-dog": [1], "pair-car": [3], "dog-1": [1], "dog-tree": [1, 4], "car-1": [3], "cat-1": [2]}
TEXTS = ["The dog ran over the wet grass. A car stood in the street all night!", "Cats sleep for most of the day.",
         "Short one.", "The puppy was running across the lawn."]


class Letters:
    """A stand-in for a sentence encoder: how often each letter comes."""

    name, width = "letters", 26

    def encode(self, texts: list[str]) -> np.ndarray:
        counts = np.array([[text.lower().count(chr(97 + k)) for k in range(26)] for text in texts], np.float32)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(retrieval, "load_sentence_encoder", lambda path: Letters())
    with CorpusWriter(tmp_path / "c", "s", "f") as writer:
        writer.add("train", Pair("a", "pair-dog", "A dog runs over wet grass"))
        writer.add("train", Pair("b", "pair-car", "a car in the street"))
    with CorpusWriter(tmp_path / "t", "s", "f") as writer:
        for number, text in enumerate(TEXTS):
            writer.add("train", Text(f"d{number}", text))
    with RegionStoreWriter(tmp_path / "store", StoreMeta("f", 2, CLASSES, 5, "d"), 50) as store:
        for image_id, classes in SHOWN.items():
            probs = np.zeros((len(classes), 5), np.float32)
            probs[range(len(classes)), classes] = 1
            boxes = np.array([[0, 0, 5, 5]] * len(classes), np.float32)
            store.append(image_id, Regions(np.zeros((len(classes), 2), np.float32), boxes, probs, 9, 9))
    return tmp_path


def run(world: Path, **changed: object) -> Corpus:
    wanted = {"images": world / "store", "texts": world / "t", "regions": None, "splits": ["train"], **changed}
    retrieval.retrieve(world / "c", PLAN, Engine(workers=1), **wanted)  # type: ignore[arg-type]
    return Corpus(world / "c")


def test_images_that_share_objects_come_first_and_no_pairs_own(world: Path) -> None:
    dog, car = run(world).retrieved_images("train")
    assert dog.keys == ("dog-1", "dog-tree")
    assert dog.scores[0] == pytest.approx(1.0)
    assert dog.scores[1] < 1
    assert car.keys == ("car-1",)


def test_sentences_are_cut_stored_and_ranked_by_the_encoder(world: Path) -> None:
    corpus = run(world)
    sentences = corpus.sentences("train")
    assert [each.text for each in sentences] == [
        "The dog ran over the wet grass.", "A car stood in the street all night!", TEXTS[1], TEXTS[3]]
    vectors = Letters().encode([each.text for each in sentences])
    for pair, found in zip(corpus.pairs("train"), corpus.retrieved_texts("train"), strict=True):
        scores = vectors @ Letters().encode([pair.caption])[0]
        order = np.argsort(-scores)[:2]
        assert found.keys == tuple(order.tolist())
        np.testing.assert_allclose(found.scores, scores[order], atol=2e-3)   # stored in float16
    assert validate(corpus.path).is_clean


def test_a_second_run_makes_nothing_again_and_other_settings_do(world: Path) -> None:
    run(world)
    before = {path: path.stat().st_mtime_ns for path in (world / "c").rglob("*.*") if "preparing" not in path.parts}
    run(world)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    plan = CorpusPlan(retrieval=RetrievalSettings(images=1, texts=1))
    retrieval.retrieve(world / "c", plan, Engine(workers=1), images=world / "store", texts=None, regions=None,
                       splits=["train"])
    assert [len(found.keys) for found in Corpus(world / "c").retrieved_images("train")] == [1, 1]


def test_two_workers_give_the_bytes_of_one(world: Path) -> None:
    run(world, texts=None)
    one = {path.name: path.read_bytes() for path in (world / "c").glob("retrieved_*.arrow")}
    for path in (world / "c").glob("retrieved_*.arrow"):
        path.unlink()
    retrieval.retrieve(world / "c", PLAN, Engine(workers=2), images=world / "store", texts=None, regions=None,
                       splits=["train"])
    assert {path.name: path.read_bytes() for path in (world / "c").glob("retrieved_*.arrow")} == one


def test_what_cannot_be_searched_is_refused(world: Path) -> None:
    with pytest.raises(UserError, match="nothing to search in; give --images STORE, --texts CORPUS"):
        run(world, images=None, texts=None)
    with pytest.raises(UserError, match="has no split 'tst'"):
        run(world, splits=["tst"])
    with pytest.raises(UserError, match="c has no texts; take some in with: tools/prepare.py ingest text"):
        run(world, texts=world / "c")
    with CorpusWriter(world / "c", "more", "f") as writer:
        writer.add("dev", Pair("z", "dog-1", "one more"))
        writer.add("train", Pair("y", "nowhere", "another"))
    with pytest.raises(UserError, match=r"1 of 3 images of split 'train' have no regions in .*, the first 'nowhere'"):
        run(world)


def test_a_collection_that_pairs_own_whole_is_refused(world: Path) -> None:
    with CorpusWriter(world / "c", "more", "f") as writer:
        for image_id in SHOWN:
            writer.add("dev", Pair(f"z{image_id}", image_id, "one more"))
    with pytest.raises(UserError, match="all 6 images of .* belong to pairs"):
        run(world)
