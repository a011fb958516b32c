"""Folders of pictures: COCO unlabeled flat, OpenImages in train_0 to train_f, whole or by a list."""

import os
from pathlib import Path

import PIL.Image
import pytest

from unimo_paddle.corpus import Corpus
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.ingest.images import ingest_images
from unimo_paddle.prepare.ingest.walk import walk


@pytest.fixture
def openimages(tmp_path: Path) -> Path:
    folder = tmp_path / "openimages"
    for name in ("train_0/00a1.jpg", "train_0/00b2.jpg", "train_f/f3c4.jpg", "train_f/00a1.png", "top.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.new("RGB", (5, 4)).save(folder / name)
    (folder / "train_0/._00a1.jpg").write_bytes(b"what macOS leaves")
    (folder / "train_0/licence.txt").write_text("no picture")
    return folder


def ids(corpus: Path) -> list[str]:
    return [image.id for image in Corpus(corpus).images("train")]


def test_one_name_in_two_folders_is_two_pictures(tmp_path: Path, openimages: Path) -> None:
    ingest_images(tmp_path / "c", openimages)
    assert ids(tmp_path / "c") == ["top", "train_0/00a1", "train_0/00b2", "train_f/00a1", "train_f/f3c4"]


@pytest.mark.parametrize("content", [
    "train/f3c4\ntrain/00b2\ntrain/dead\n",                                                    # OpenImages' downloader
    "f3c4.jpg\n00b2.jpg\ndead.jpg\n",
    "ImageID,Subset,OriginalURL\nf3c4,train,http://a\n00b2,train,http://b\ndead,train,http://c\n",   # its metadata
])
def test_a_list_of_images(tmp_path: Path, openimages: Path, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    listing = tmp_path / "ids.csv"
    listing.write_text(content)
    ingest_images(tmp_path / "c", openimages, listing=listing)
    assert ids(tmp_path / "c") == ["train_0/00b2", "train_f/f3c4"]
    assert f"1 of the 3 images in {listing} have no file, e.g. dead" in capsys.readouterr().out


def test_lists_that_cannot_be_followed(tmp_path: Path, openimages: Path) -> None:
    listing = tmp_path / "ids.txt"
    for content, message in ((b"00a1\n", r"two files are named '00a1', which .*ids\.txt lists once"),
                             (b"dead\n", r"has no images .* that .*ids\.txt names"), (b"\n", "it is empty"),
                             (b"ImageID,x\n", "it is empty"), (b"\xff\n", r"ids\.txt:1: byte 0 \(0xff\)")):
        listing.write_bytes(content)
        with pytest.raises(UserError, match=message):
            ingest_images(tmp_path / "c", openimages, listing=listing)


def test_walking_gives_paths_in_order_and_each_folder_once(tmp_path: Path) -> None:
    names = ["a/z.jpg", "a-b/y.jpg", "a.jpg", "B/x.JPEG", "b/c/d/e.png", "b/c.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "b/back").symlink_to(tmp_path)
    (tmp_path / "zz").symlink_to(tmp_path / "a")
    assert list(walk(tmp_path)) == [path.as_posix() for path in sorted(map(Path, names))]


def test_a_name_that_is_not_utf8_is_a_fault_among_others(tmp_path: Path) -> None:
    PIL.Image.new("RGB", (5, 4)).save(tmp_path / "good.jpg")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg")).touch()
    with pytest.raises(UserError, match="1 faults"):
        ingest_images(tmp_path / "c", tmp_path)
    assert ingest_images(tmp_path / "c", tmp_path, skip_faulty=True) == {"train": {"images": 1}}
