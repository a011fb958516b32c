"""What is gathered about a pair, and what is said when something is not there."""

import json
from pathlib import Path

import pytest

from tests.prepare.whole_corpus import CAPTIONS, derived, graph, neighbours, write_corpus
from unimo_paddle.corpus import Corpus, CorpusWriter, Pair
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.inspection.gather import Box, NearText, Positive, gather
from unimo_paddle.prepare.inspection.search import Place, find_images, find_pair, nearest_ids, pairs_of_image
from unimo_paddle.regions import RegionStore


def test_everything_is_gathered(whole: Path, store: Path) -> None:
    view = gather(Corpus(whole), "i0:0", RegionStore(store))
    assert (view.split, view.row, view.pair) == ("train", 0, Pair("i0:0", "i0", CAPTIONS[0]))
    assert view.captions == (CAPTIONS[1],)
    assert view.image and view.image.path == whole.parent / "images" / "i0.jpg"
    assert view.graph == graph()
    assert view.positives and view.positives[0].origin == "apertium:spa"
    assert view.positives[0].score == pytest.approx(0.97)
    assert view.positives[1] == Positive("A dog on a couch.", "caption", None)
    assert view.negatives and len(view.negatives) == 300
    assert view.paraphrases and [each.score for each in view.paraphrases] == pytest.approx([0.97, 0.9])
    assert view.similar and view.similar[0] == NearText("i1:0", CAPTIONS[2], pytest.approx(0.8))
    assert view.retrieved_images and [near.key for near in view.retrieved_images][::20] == ["single0", "elsewhere"]
    assert view.retrieved_images[0].image and view.retrieved_images[20].image is None
    assert view.retrieved_texts and view.retrieved_texts[24].text == "Sentence number 14 of the text corpus."
    assert not view.absent


def test_boxes_come_largest_first_with_the_likeliest_class(whole: Path, store: Path) -> None:
    view = gather(Corpus(whole), "i0:0", RegionStore(store))
    assert view.box_frame == (320, 240)
    assert view.boxes and [box.name for box in view.boxes] == ["sofa", "dog", "window, pane"]
    assert view.boxes[1] == Box(40, 60, 150, 190, "dog", pytest.approx(0.85, abs=1e-3))
    other = gather(Corpus(whole), "i2:0", RegionStore(store))
    assert other.boxes is None and "image 'i2' is not in the region store" in other.absent["boxes"]


def test_absent_collections_name_the_command_that_makes_them(bare: Path) -> None:
    view = gather(Corpus(bare), "i4:1", None)
    assert view.row == 9   # in the second shard of pairs
    parts = (view.graph, view.positives, view.negatives, view.paraphrases, view.similar, view.retrieved_images,
             view.retrieved_texts, view.boxes)
    assert parts == (None,) * 8
    assert "tools/prepare.py rewrite" in view.absent["rewrites"] and "rewrite" in view.absent["graphs"]
    assert "tools/prepare.py retrieve" in view.absent["retrieved_images"] and "--regions" in view.absent["boxes"]


def test_collections_older_than_the_pairs_count_as_absent(tmp_path: Path) -> None:
    path = write_corpus(tmp_path)
    with CorpusWriter(path, "more", "1") as writer:
        writer.add("train", Pair("new", "i0", "A new caption"))
    view = gather(Corpus(path), "i0:0", None)
    assert view.similar is None and "belong to them" in view.absent["similar"]
    assert view.captions == (CAPTIONS[1], "A new caption")


@pytest.mark.parametrize(("collection", "rows", "told"), [
    ("graphs", ["{}"] * 10, "scene graph of pair 'i0:0' cannot be read"),
    ("similar", neighbours([3, 99], 10), "row 99 of 10"),
])  # fmt: skip
def test_broken_rows_are_told_not_raised(tmp_path: Path, collection: str, rows: list, told: str) -> None:
    view = gather(Corpus(write_corpus(tmp_path, {**derived(), collection: rows})), "i0:0", None)
    assert told in view.absent[collection] and view.negatives


def test_an_image_that_is_not_in_the_corpus_is_none(tmp_path: Path) -> None:
    with CorpusWriter(tmp_path, "a", "1") as writer:
        writer.add("dev", Pair("p", "lost", "A dog."))
    view = gather(Corpus(tmp_path), "p", None)
    assert view.image is None and view.split == "dev"


def test_unknown_ids_are_refused_with_the_nearest(whole: Path) -> None:
    with pytest.raises(UserError, match="has no pair 'i3:9'; the nearest ids are i3:.*i3:"):
        find_pair(Corpus(whole), "i3:9")
    with pytest.raises(UserError, match="has no pair 'i3'; it is the id of an image with the pairs i3:0, i3:1"):
        find_pair(Corpus(whole), "i3")


def test_an_empty_corpus_has_no_pairs(tmp_path: Path) -> None:
    with CorpusWriter(tmp_path, "a", "1"):
        pass
    with pytest.raises(UserError, match="it has no pairs"):
        find_pair(Corpus(tmp_path), "x")


def test_nearest_of_many_ids() -> None:
    ids = [f"{k}:{c}" for k in range(20000) for c in range(2)]
    assert set(nearest_ids("12345:7", ids)[:2]) == {"12345:0", "12345:1"}


def test_records_are_found_in_any_shard(whole: Path) -> None:
    corpus = Corpus(whole)
    assert find_pair(corpus, "i3:1") == Place("train", 7)
    assert pairs_of_image(corpus, "train", "i3") == [6, 7]
    assert pairs_of_image(corpus, "train", "nothing") == []
    assert set(find_images(corpus, ["single19", "i4", "no", "i4"])) == {"single19", "i4"}
    assert json.loads((whole / "corpus.json").read_text())["counts"]["train"]["pairs"] == 10
