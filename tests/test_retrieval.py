"""Right answers of a held-out split, one caption at a time, and what the sheet says of them."""

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from unimo_paddle import retrieval
from unimo_paddle.corpus import Corpus, CorpusWriter, Image, Pair
from unimo_paddle.errors import UserError
from unimo_paddle.retrieval import Candidates, candidates, draw_sheet

CAPTIONS = [  # (id, image, text): image z has none, image y two, one of them twice in other letters
    ("1", "x", "A red hat"), ("2", "x", "a dog"), ("3", "x", "a big dog"),
    ("4", "y", "a  RED hat"), ("5", "y", "a cat"), ("6", "w", "a bus"),
]  # fmt: skip


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    with CorpusWriter(tmp_path / "corpus", "a", "1") as writer:
        for image_id in "xzyw":
            writer.add("test", Image(image_id, tmp_path / f"{image_id}.jpg", 40, 30))
        for pair in CAPTIONS:
            writer.add("test", Pair(*pair))
        writer.add("bare", Image("v", tmp_path / "v.jpg", 40, 30))
    return Corpus(tmp_path / "corpus")


def answers(tmp_path: Path, value: object) -> Path:
    (tmp_path / "answers.json").write_text(json.dumps(value))
    return tmp_path / "answers.json"


def true_pairs(found: Candidates) -> set[tuple[str, str]]:
    rows, columns = np.nonzero(found.is_right)
    return {(found.captions[row], found.image_ids[column]) for row, column in zip(rows, columns, strict=True)}


def test_captioned_images_with_their_first_captions(corpus: Corpus, tmp_path: Path) -> None:
    found = candidates(corpus, "test", 2, None)
    assert found.image_ids == ["x", "y", "w"]
    assert found.image_paths[1] == tmp_path / "y.jpg"
    assert found.captions == ["A red hat", "a dog", "a  RED hat", "a cat", "a bus"]


def test_without_answers_own_images_and_those_of_equal_captions(corpus: Corpus) -> None:
    """Oracle: a caption is right of an image when the image has a caption of the same words."""
    found = candidates(corpus, "test", 5, None)
    for row, text in enumerate(found.captions):
        for column, image_id in enumerate(found.image_ids):
            own = [words.lower().split() for _, image, words in CAPTIONS if image == image_id]
            assert found.is_right[row, column] == (text.lower().split() in own), (text, image_id)


def test_answers_add_images_also_to_equal_captions(corpus: Corpus, tmp_path: Path) -> None:
    told = {"1": ["w"], "2": ["y", "x"], "3": [], "4": ["y", "nobody"], "5": ["y"], "6": ["z"]}
    found = candidates(corpus, "test", 5, answers(tmp_path, {"caption_images": told, "more": 1}))
    assert true_pairs(found) == {
        *(("A red hat", image) for image in "xyw"), *(("a  RED hat", image) for image in "xyw"),
        ("a dog", "x"), ("a dog", "y"), ("a big dog", "x"), ("a cat", "y"), ("a bus", "w"),
    }  # fmt: skip


def test_answers_may_number_the_images(tmp_path: Path) -> None:
    with CorpusWriter(tmp_path / "c", "a", "1") as writer:
        for image_id in ("7", "8"):
            writer.add("test", Image(image_id, tmp_path / "p.jpg", 40, 30))
            writer.add("test", Pair(f"c{image_id}", image_id, f"caption {image_id}"))
    told = answers(tmp_path, {"caption_images": {"c7": [7, 8], "c8": [8]}})
    assert candidates(Corpus(tmp_path / "c"), "test", 1, told).is_right.tolist() == [[True, True], [False, True]]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1], "answers.json: an object with `caption_images`"),
        ({"caption_image": {}}, "answers.json: an object with `caption_images`"),
        ({"caption_images": {"1": "x"}}, "answers.json: an object with `caption_images`"),
        ({"caption_images": {"1": ["x"], "9": []}}, "answers.json says nothing of 5 of 6 captions, e.g. 2, 3, 4, 5, 6"),
    ],
)
def test_answers_that_are_none(corpus: Corpus, tmp_path: Path, value: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        candidates(corpus, "test", 5, answers(tmp_path, value))


def test_a_split_without_captions_or_no_split(corpus: Corpus) -> None:
    with pytest.raises(UserError, match="split 'bare' of .* has no captioned images; it has"):
        candidates(corpus, "bare", 5, None)
    with pytest.raises(UserError, match="has no split 'dev'; it has"):
        candidates(corpus, "dev", 5, None)


FOUND = Candidates(["x", "y"], [], ["a dog", "a cat", "a bus", "a hat", "a tree"], np.eye(5, 2, dtype=bool))
SCORES = np.array([[0.1, 0.9], [0.8, 0.7], [0.7, 0.8], [0.6, 0.1], [0.5, 0.2]], np.float32)


def test_the_lines_of_a_picture_say_right_and_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right, wrong, plain = retrieval.RIGHT, retrieval.WRONG, retrieval.PLAIN
    lines: list[tuple[str, str]] = []
    monkeypatch.setattr(retrieval, "_write_captions", lambda sheet, corner, told: lines.extend(told))
    picture = PIL.Image.new("RGB", (40, 30))
    draw_sheet(FOUND, SCORES, [picture, picture], [0, 1], tmp_path / "sheet.png")
    assert lines == [
        (wrong, "1. wrong: a cat"), (wrong, "2. wrong: a bus"), (wrong, "3. wrong: a hat"),
        (plain, "a right caption is found at rank 5: a dog"),
        (wrong, "1. wrong: a dog"), (wrong, "2. wrong: a bus"), (right, "3. right: a cat"),
        (plain, "a right caption is found at rank 3: a cat"),
    ]  # fmt: skip


def test_the_sheet_has_pictures_left_words_right_and_two_a_row(tmp_path: Path) -> None:
    pictures = [PIL.Image.new("RGB", size, "blue") for size in ((384, 256), (100, 256), (768, 512))]
    draw_sheet(FOUND, SCORES, pictures, [0, 1, 0], tmp_path / "sheet.png")
    with PIL.Image.open(tmp_path / "sheet.png") as sheet:
        pixels = np.asarray(sheet.convert("RGB")).astype(int)
    (width, height), words = retrieval.PICTURE, retrieval.WORDS
    assert pixels.shape == (2 * height, 2 * (width + words), 3)
    blue, white = (pixels == [0, 0, 255]).all(axis=2), (pixels == 255).all(axis=2)
    assert blue[:height, :width].all() and blue[height:, :width].all()
    tall = blue[:height, width + words : 2 * width + words]  # not widened: white on both sides
    assert tall.sum() == 100 * height and tall[:, width // 2 - 40 : width // 2 + 40].all()
    assert white[height:, width + words :].all()  # there is no fourth picture
    red, green = pixels[..., 0] - pixels[..., 1] > 60, pixels[..., 1] - pixels[..., 0] > 60
    first, second = slice(width, width + words), slice(2 * width + words, None)
    assert red[:height, first].any() and not green[:height, first].any()
    assert red[:height, second].any() and green[:height, second].any()


def test_long_captions_stay_beside_their_picture(tmp_path: Path) -> None:
    long = Candidates(["x"], [], ["a very long caption " * 30] * 3, np.ones((3, 1), bool))
    draw_sheet(long, np.zeros((3, 1), np.float32), [PIL.Image.new("RGB", (384, 256))], [0], tmp_path / "sheet.png")
    with PIL.Image.open(tmp_path / "sheet.png") as sheet:
        ink = (np.asarray(sheet.convert("L")) < 200)[:, 384:]
    assert ink.any() and not ink[-8:].any() and not ink[:, 510:].any()
