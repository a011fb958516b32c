"""tools/extract.py: broken pictures are skipped and listed, damaged stores named, boxes drawn."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.mini_world import World, call, refused
from unimo_paddle.corpus import Corpus
from unimo_paddle.regions import RegionStore, verify


def verify_words(store: Path) -> list[str]:
    return ["extract", "verify", "--store", str(store)]


def test_broken_pictures_are_skipped_and_listed(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    original = Corpus(world.corpus).images("test")[0].path
    shutil.copy(original, folder / "good.jpg")
    (folder / "cut.jpg").write_bytes(original.read_bytes()[:3000])
    (folder / "empty.jpg").touch()
    (folder / "text.png").write_text("no picture")
    done = call(world.extract(tmp_path / "out", "--images", str(folder)))
    assert done.status == 0, done.err
    assert "1 images stored (0 were there before), 3 skipped" in done.out
    listed = (tmp_path / "out" / "skipped.txt").read_text().splitlines()
    assert [line.split("\t")[:2] for line in listed] == [
        [name.split(".")[0], str(folder / name)] for name in ("cut.jpg", "empty.jpg", "text.png")
    ]
    assert "truncated" in listed[0]
    assert RegionStore(tmp_path / "out").ids == ["good"] and verify(tmp_path / "out") == []
    (folder / "good.jpg").unlink()
    refused(call(world.extract(tmp_path / "none", "--images", str(folder))), "none of the 3 images could be read")


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"--detector": "corpus"}, ["corpus is no detector", "train one with tools/train.py"]),
        ({"--corpus": "none"}, ["none is no corpus"]),
        ({"--min-boxes": "9"}, ["--min-boxes 9 and --max-boxes 6 cannot be kept"]),
    ],
)
def test_requests_that_cannot_be_met(world: World, tmp_path: Path, changes: dict[str, str], parts: list[str]) -> None:
    words = world.extract(tmp_path / "out")
    for name, value in changes.items():
        words[words.index(name) + 1] = value if value.isdigit() else str(world.root / value)
    refused(call(words), *parts)
    assert not (tmp_path / "out").exists()


def test_a_folder_without_pictures(world: World, tmp_path: Path) -> None:
    refused(call(world.extract(tmp_path / "out", "--images", str(tmp_path))), f"{tmp_path} has no picture (.bmp")
    refused(call(world.extract(tmp_path / "out", "--images", str(tmp_path / "none"))), "none does not exist")


def test_verify_passes_a_whole_store(world: World) -> None:
    done = call(verify_words(world.regions))
    assert (done.status, done.out.splitlines()[-1]) == (0, "49 images, 0 faults")


def test_verify_names_what_is_damaged(cut_store: Path, nan_store: Path, tmp_path: Path) -> None:
    remedy = "run the same command that made it again"
    refused(call(verify_words(cut_store)), f"{cut_store}/shard-00000.bin", "it was cut short", remedy, status=1)
    done = call(verify_words(nan_store))
    assert (done.status, done.out.splitlines()[-1], done.err.count("error:")) == (1, "49 images, 49 faults", 49)
    assert "image '1': features of region 0 hold nan, which is no number" in done.err
    refused(call(verify_words(tmp_path)), f"{tmp_path} is no region store", "make one with tools/extract.py")


def test_a_damaged_store_is_not_added_to(world: World, cut_store: Path) -> None:
    refused(call(world.extract(cut_store)), "shard-00000.bin", "it was cut short")


def test_a_store_of_another_detector_is_not_added_to(world: World, tmp_path: Path) -> None:
    shutil.copytree(world.regions, tmp_path / "other")
    meta = tmp_path / "other" / "regions.json"
    meta.write_text(meta.read_text().replace('"small-world"', '"visual-genome"'))
    refused(call(world.extract(tmp_path / "other")), "regions of another detector or choice: family is visual-genome")


def test_show_draws_the_picture_with_its_boxes(world: World, tmp_path: Path) -> None:
    words = ["extract", "show", "--store", str(world.regions), "--corpus", str(world.corpus), "--image"]
    assert call([*words, "1", "-o", str(tmp_path / "boxes.png")]).status == 0
    with Image.open(tmp_path / "boxes.png") as drawn:
        assert (drawn.format, drawn.size) == ("PNG", (960, 640))  # 384 x 256, enlarged
    refused(call([*words, "nobody", "-o", str(tmp_path / "no.png")]), "no picture has the id 'nobody'; there are 49")
