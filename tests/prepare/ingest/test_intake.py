"""What all formats share: image headers, checks, and a source taken whole or not at all."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from unimo_paddle.corpus import Image, Pair, Text
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.faults import Faults
from unimo_paddle.prepare.ingest.ids import IdSet
from unimo_paddle.prepare.ingest.intake import Entry, Intake, image_size, take


@pytest.mark.parametrize(("suffix", "orientation"), [("jpg", 1), ("jpg", 6), ("jpg", 3), ("png", 1), ("bmp", 1)])
def test_image_size_is_what_opencv_loads(tmp_path: Path, suffix: str, orientation: int) -> None:
    path = tmp_path / f"a.{suffix}"
    picture = PIL.Image.fromarray(np.zeros((20, 30, 3), np.uint8))
    exif = picture.getexif()
    exif[0x0112] = orientation
    picture.save(path, **({"exif": exif} if suffix == "jpg" else {}))
    height, width = cv2.imread(str(path)).shape[:2]
    assert image_size(path) == (width, height) == ((20, 30) if orientation == 6 else (30, 20))


def test_image_size_needs_the_header_alone(tmp_path: Path) -> None:
    PIL.Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8)).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(data[:100])
    assert image_size(tmp_path / "cut.png") == (300, 200)


@pytest.mark.parametrize("data", [b"", b"no", b"\x89PNG\r\n\x1a\n\x00\x00", b"\xff\xd8\xff\xe0\x00\x10", b"GIF89a"])
def test_broken_images_are_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "bad.jpg").write_bytes(data)
    with pytest.raises(UserError, match=r"bad\.jpg is no image that can be read"):
        image_size(tmp_path / "bad.jpg")
    with pytest.raises(UserError, match="does not exist"):
        image_size(tmp_path / "none.jpg")


@pytest.mark.parametrize(("caption", "message"), [
    (None, "the caption is NoneType (None), not a string"),
    (["a"], "the caption is list (['a']), not a string"),
    ("  \t", "the caption is empty"),
    ("half \ud83d", "holds half a surrogate pair"),
])
def test_bad_captions_are_faults(caption: object, message: str) -> None:
    intake = Intake()
    assert intake.pair("f:1", "p", "i", caption) is None
    assert message in intake.faults.first[0] and intake.faults.first[0].startswith("f:1: ")


def test_ids_are_used_once_in_a_collection_and_the_corpus() -> None:
    intake = Intake(lambda collection: {"old"} if collection == "pairs" else set())
    assert intake.pair("f:1", "a", "i", " two\n words ") == Pair("a", "i", "two words")
    assert intake.text("f:2", "a", " kept  inside ") == Text("a", "kept  inside")
    for number, bad in enumerate(("a", "old", "", "\udc80")):
        assert intake.pair(f"f:{number}", bad, "i", "words") is None
    assert len(intake.faults) == 4
    assert "'a' is used twice among the pairs" in intake.faults.first[0]
    assert intake.split("f:9", "a/b") is None and "split is 'a/b'" in intake.faults.first[-1]


def test_twenty_faults_are_shown_and_the_rest_counted() -> None:
    faults = Faults()
    for number in range(1234):
        faults.add(f"f:{number}", "wrong")
    lines = faults.report().splitlines()
    assert len(lines) == 21 and lines[19] == "  f:19: wrong" and lines[20] == "  ... and 1,214 more"


def entries(intake: Intake) -> Iterator[Entry]:
    for number, caption in enumerate(["one", "", "three"]):
        pair = intake.pair(f"f:{number}", str(number), "i", caption)
        yield "train", [pair] if pair else []


def test_a_faulty_source_is_taken_back_or_its_faults_left_out(tmp_path: Path,
                                                              capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match=r"1 faults and was not taken in(.|\n)*f:1: the caption is empty"):
        take(tmp_path, "s", "f", entries, 3, "line")
    assert not list(tmp_path.iterdir())
    assert take(tmp_path, "s", "f", entries, 3, "line", skip_faulty=True) == {"train": {"pairs": 2}}
    assert "left out 1 faulty records of s:\n  f:1" in capsys.readouterr().out
    assert take(tmp_path, "s", "f", entries, 3, "line") == {"train": {"pairs": 2}}
    assert "is in" in capsys.readouterr().out
    with pytest.raises(UserError, match="holds no records"):
        take(tmp_path, "t", "f", lambda intake: iter(()), 0, "line")


def test_a_source_cannot_pass_for_a_rewriting(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--name rewrites-train: names that begin with 'rewrites-' are those of"):
        take(tmp_path, "rewrites-train", "f", entries, 3, "line")


def test_a_file_that_cannot_be_read_on_leaves_no_unfinished_source(tmp_path: Path) -> None:
    def broken(intake: Intake) -> Iterator[Entry]:
        yield from entries(intake)
        raise UserError("f:4: the file is cut")

    with pytest.raises(UserError, match="f:4: the file is cut"):
        take(tmp_path, "s", "f", broken, 3, "line")
    assert not list(tmp_path.glob("*.arrow")) and not (tmp_path / "corpus.json").exists()


def test_unreadable_images_are_told_apart_from_faults(tmp_path: Path) -> None:
    intake, unreadable = Intake(), Faults()
    assert intake.image("f:1", "a", tmp_path / "none.jpg", unreadable) is None
    assert len(unreadable) == 1 and not intake.faults


def test_a_set_of_ids_is_a_set() -> None:
    given = [str(number) for number in range(3000)]
    ids = IdSet(given[:1000])
    assert [ids.add(each) for each in given] == [False] * 1000 + [True] * 2000
    assert len(ids) == 3000 and not any(map(ids.add, given)) and ids.add("another")


def test_image_ids_are_checked_before_the_file_is_opened(tmp_path: Path) -> None:
    PIL.Image.new("L", (4, 3)).save(tmp_path / "a.png")
    intake = Intake()
    assert intake.image("f:1", "a", tmp_path / "a.png") == Image("a", tmp_path / "a.png", 4, 3)
    assert intake.image("f:2", "a", tmp_path / "missing.png") is None
    assert intake.image("f:3", "b", tmp_path / "nul\0.png") is None
    assert intake.image("f:4", "c", tmp_path / "\udcff.png") is None
    assert [fault[:3] for fault in intake.faults.first] == ["f:2", "f:3", "f:4"]
