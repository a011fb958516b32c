"""Which pictures are meant, and what is said when it is not clear."""

import os
from pathlib import Path

import pytest

from unimo_paddle.corpus import CorpusWriter, Image, Pair
from unimo_paddle.errors import UserError
from unimo_paddle.vision.sources import corpus_images, file_of, listed_images


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_a_corpus_gives_the_images_of_all_splits(tmp_path: Path) -> None:
    with CorpusWriter(tmp_path / "c", "a", "1") as writer:
        for split, image_id in (("train", "1"), ("test", "2"), ("train", "3")):
            writer.add(split, Image(image_id, tmp_path / f"{image_id}.jpg", 4, 3))
    assert sorted(corpus_images(tmp_path / "c")) == [(name, tmp_path / f"{name}.jpg") for name in "123"]


def test_a_corpus_without_images_is_refused(tmp_path: Path) -> None:
    with CorpusWriter(tmp_path / "c", "a", "1") as writer:
        writer.add("train", Pair("p", "1", "a caption"))
    with pytest.raises(UserError, match="c has no images; ingest some with tools/prepare.py ingest"):
        corpus_images(tmp_path / "c")


def test_a_folder_gives_its_pictures_at_any_depth_by_name(tmp_path: Path) -> None:
    folder = touch(tmp_path, "b.JPG", "sub/a.png", "sub/notes.txt", "c.tar.gz", "sub/deep/d.webp")
    assert listed_images(folder)[0] == [
        ("b", folder / "b.JPG"), ("a", folder / "sub/a.png"), ("d", folder / "sub/deep/d.webp")
    ]  # fmt: skip


def test_a_list_names_files_from_where_it_lies_and_keeps_its_order(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("sub/z.jpg\n\n  a.png  \n/other/m.jpg\n")
    assert listed_images(tmp_path / "list.txt")[0] == [
        ("z", tmp_path / "sub/z.jpg"), ("a", tmp_path / "a.png"), ("m", Path("/other/m.jpg"))
    ]  # fmt: skip


def test_two_pictures_of_one_name_are_both_named(tmp_path: Path) -> None:
    folder = touch(tmp_path, "one/x.jpg", "two/x.png")
    with pytest.raises(UserError, match=r"one/x.jpg and .*two/x.png would both have the id 'x'; rename"):
        listed_images(folder)


@pytest.mark.parametrize("kind", ["folder", "list"])
def test_no_picture_at_all(tmp_path: Path, kind: str) -> None:
    source = touch(tmp_path, "notes.txt") if kind == "folder" else tmp_path / "list.txt"
    (tmp_path / "list.txt").write_text("\n")
    with pytest.raises(UserError, match="has no picture"):
        listed_images(source)


def test_one_picture_by_its_id(tmp_path: Path) -> None:
    images = [("a", tmp_path / "a.jpg"), ("b", tmp_path / "b.jpg")]
    assert file_of(images, "b") == tmp_path / "b.jpg"
    with pytest.raises(UserError, match="no picture has the id 'c'; there are 2, e.g. 'a'"):
        file_of(images, "c")


def test_a_list_may_say_the_ids(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("cat 1\tone/x.jpg\n  9 \t two/x.jpg\nthree/y.png\n")
    assert listed_images(tmp_path / "list.txt")[0] == [
        ("cat 1", tmp_path / "one/x.jpg"), ("9", tmp_path / "two/x.jpg"), ("y", tmp_path / "three/y.png")
    ]  # fmt: skip


def test_a_pipe_that_is_named_like_a_tar_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.tar")
    images, unreadable = listed_images(touch(tmp_path, "b.jpg"))
    assert images == [("b", tmp_path / "b.jpg")]
    assert [(item.id, item.reason) for item in unreadable] == [("a.tar", f"{tmp_path}/a.tar is not a regular file")]


def test_one_picture_alone(tmp_path: Path) -> None:
    assert listed_images(touch(tmp_path, "a.JPG") / "a.JPG") == ([("a", tmp_path / "a.JPG")], [])
