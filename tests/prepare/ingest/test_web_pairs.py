"""Conceptual Captions and SBU: captions whose pictures lie elsewhere, named in several ways, some of them gone."""

import hashlib
import json
import zlib
from pathlib import Path

import PIL.Image
import pytest

from unimo_paddle.corpus import Corpus, Image, Pair
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.ingest.conceptual_captions import ingest_conceptual_captions
from unimo_paddle.prepare.ingest.sbu import CAPTIONS, URLS, ingest_sbu

LINKS = [f"http://static.flickr.com/2723/43850589{i}_b0f29155{i}e.jpg" for i in range(10, 16)]
TOLD = ["a typical bus station", "sierra looked stunning", "young confused girl", "interior design", "a cat", "a dog"]


def tsv(path: Path, heading: str = "") -> Path:
    path.write_text(heading + "".join(f"{caption}\t{url}\n" for caption, url in zip(TOLD, LINKS, strict=True)))
    return path


def draw(folder: Path, names: dict[int, str]) -> Path:
    """A picture for each row; its width is 3 and the row's number, so that a wrong match is seen."""
    for row, name in names.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.new("RGB", (3 + row, 4)).save(folder / name, "JPEG")
    return folder


def matched(corpus: Path) -> dict[str, int]:
    """Caption -> the row that its picture was drawn for."""
    images = {image.id: image.width - 3 for image in Corpus(corpus).images("train")}
    return {pair.caption: images[pair.image_id] for pair in Corpus(corpus).pairs("train")}


NAMES = {
    "row": lambda row: f"{row}.jpg",
    "padded": lambda row: f"{row // 3:02d}/{row:08d}.png",
    "CRC-32": lambda row: f"training/{zlib.crc32(LINKS[row].encode())}",
    "MD5": lambda row: f"{hashlib.md5(LINKS[row].encode()).hexdigest()}.jpg",
    "SHA-1": lambda row: f"{hashlib.sha1(LINKS[row].encode()).hexdigest()}.jpg",
    "SHA-256": lambda row: f"{hashlib.sha256(LINKS[row].encode()).hexdigest()}.webp",
    "last part": lambda row: LINKS[row].rpartition("/")[2],
}


@pytest.mark.parametrize("way", NAMES)
def test_pictures_are_found_by_row_or_hash(tmp_path: Path, way: str, capsys: pytest.CaptureFixture[str]) -> None:
    images = draw(tmp_path / "images", {row: NAMES[way](row) for row in (0, 1, 3, 5)})
    counts = ingest_conceptual_captions(tmp_path / "c", tsv(tmp_path / "Train_GCC-training.tsv"), images)
    assert counts == {"train": {"images": 4, "pairs": 4}}
    assert matched(tmp_path / "c") == {TOLD[row]: row for row in (0, 1, 3, 5)}
    assert Corpus(tmp_path / "c").pairs("train")[2] == Pair("cc-train-3", "cc-train-3", TOLD[3])
    shown = capsys.readouterr().out
    assert "named by the " + {"row": "number", "padded": "number"}.get(way, way) in shown
    assert "rows: 6; without a picture: 2; whose file is no picture: 0; held out: 0" in shown


def test_a_heading_is_no_row_and_rows_may_count_from_one(tmp_path: Path) -> None:
    images = draw(tmp_path / "images", {row: f"{row}.jpg" for row in (0, 4)})
    ingest_conceptual_captions(tmp_path / "c", tsv(tmp_path / "a.tsv", "caption\turl\n"), images)
    assert matched(tmp_path / "c") == {TOLD[0]: 0, TOLD[4]: 4}
    later = draw(tmp_path / "later", {row: f"{row + 1}.jpg" for row in (0, 5)})
    with pytest.raises(UserError, match=r"has a file numbered 6, but the 6 rows are counted from 0; .*--first-row 1"):
        ingest_conceptual_captions(tmp_path / "d", tmp_path / "a.tsv", later)
    ingest_conceptual_captions(tmp_path / "d", tmp_path / "a.tsv", later, first_row=1)
    assert matched(tmp_path / "d") == {TOLD[0]: 0, TOLD[5]: 5}
    with pytest.raises(UserError, match=r"has a file numbered 0, but .* counted from 1; .*--first-row 0"):
        ingest_conceptual_captions(tmp_path / "e", tmp_path / "a.tsv", images, first_row=1)


def test_error_pages_are_told_and_no_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = draw(tmp_path / "images", {0: "0.jpg"})
    (images / "1.jpg").write_text("<html>404 Not Found</html>")
    assert ingest_conceptual_captions(tmp_path / "c", tsv(tmp_path / "a.tsv"), images)["train"]["pairs"] == 1
    shown = capsys.readouterr().out
    assert "whose file is no picture: 1" in shown and "1.jpg is no image that can be read" in shown
    (images / "0.jpg").write_text("gone as well")
    with pytest.raises(UserError, match="cc-train holds no records"):
        ingest_conceptual_captions(tmp_path / "d", tmp_path / "a.tsv", images)


def test_faulty_rows_keep_the_numbers_of_the_others(tmp_path: Path) -> None:
    path = tsv(tmp_path / "a.tsv")
    lines = path.read_bytes().splitlines()
    lines[1:4] = [b"no tab", b"caption \xff\turl", b" \t" + LINKS[3].encode()]
    path.write_bytes(b"\n".join(lines))
    images = draw(tmp_path / "images", {row: f"{row}.jpg" for row in range(6)})
    with pytest.raises(UserError) as caught:
        ingest_conceptual_captions(tmp_path / "c", path, images)
    for fault in (f"{path}:2: a caption, one tab and a URL are wanted, not 'no tab'", f"{path}:3: byte 8 (0xff)",
                  f"{path}:4: the caption is empty", "3 faults"):
        assert fault in str(caught.value)
    ingest_conceptual_captions(tmp_path / "c", path, images, skip_faulty=True)
    assert matched(tmp_path / "c") == {TOLD[0]: 0, TOLD[4]: 4, TOLD[5]: 5}


def test_folders_that_do_not_belong_to_the_list(tmp_path: Path) -> None:
    path = tsv(tmp_path / "a.tsv")
    strange = draw(tmp_path / "strange", {0: "holiday.jpg"})
    with pytest.raises(UserError, match=r"none of the 1 files in .* belongs to one of the 6 rows; files may be named"):
        ingest_conceptual_captions(tmp_path / "c", path, strange)
    both = draw(tmp_path / "both", {0: "train/0000.jpg", 1: "valid/0.jpg"})
    with pytest.raises(UserError, match=r"two files named 0: train/0000\.jpg and valid/0\.jpg"):
        ingest_conceptual_captions(tmp_path / "c", path, both)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="has no images"):
        ingest_conceptual_captions(tmp_path / "c", path, tmp_path / "empty")
    with pytest.raises(UserError, match="--images: the folder of the pictures"):
        ingest_conceptual_captions(tmp_path / "c", path, None)
    with pytest.raises(UserError, match="the first row is 2"):
        ingest_conceptual_captions(tmp_path / "c", path, strange, first_row=2)
    assert not (tmp_path / "c").exists()


@pytest.fixture
def fetched(tmp_path: Path) -> Path:
    """As img2dataset writes it: rows 0 and 4 were fetched, the keys are its own."""
    folder = draw(tmp_path / "fetched", {0: "00000/000000000.jpg", 4: "00001/000010002.jpg"})
    for key, row in (("00000/000000000", 0), ("00001/000010002", 4)):
        meta = {"url": LINKS[row], "caption": TOLD[row], "key": Path(key).name, "status": "success", "width": 3 + row}
        (folder / f"{key}.json").write_text(json.dumps(meta, indent=4))
        (folder / f"{key}.txt").write_text(TOLD[row])
    (folder / "00000_stats.json").write_text(json.dumps({"count": 4, "successes": 1, "failed_to_download": 3}))
    (folder / "00001_stats.json").write_text(json.dumps({"count": 2, "successes": 1, "failed_to_download": 1}))
    return folder


def test_img2dataset(tmp_path: Path, fetched: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ingest_conceptual_captions(tmp_path / "c", fetched, None)
    assert matched(tmp_path / "c") == {TOLD[0]: 0, TOLD[4]: 4}
    last = Corpus(tmp_path / "c").images("train")[1]
    assert last == Image("cc-train-000010002", fetched / "00001/000010002.jpg", 7, 4)
    assert "pictures: 2; not fetched: 4;" in capsys.readouterr().out
    (fetched / "00000/000000000.json").unlink()   # the caption is in the .txt, too
    assert ingest_sbu(tmp_path / "d", [fetched], None)["train"]["pairs"] == 2


def test_img2dataset_faults(tmp_path: Path, fetched: Path) -> None:
    (fetched / "00000/000000000.json").write_text("{")
    (fetched / "00001/000010002.txt").unlink()
    (fetched / "00001/000010002.json").write_text('{"caption": null, "url": 3}')
    with pytest.raises(UserError, match=r"2 faults(.|\n)*0000\.json: line 1 (.|\n)*10002\.jpg: there is no caption"):
        ingest_conceptual_captions(tmp_path / "c", fetched, None)
    with pytest.raises(UserError, match="is a folder of img2dataset, which holds the captions too"):
        ingest_conceptual_captions(tmp_path / "c", tsv(tmp_path / "a.tsv"), fetched)
    with pytest.raises(UserError, match=r"so it is taken for img2dataset's"):
        ingest_conceptual_captions(tmp_path / "c", fetched, tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="has no images; is it one of img2dataset"):
        ingest_conceptual_captions(tmp_path / "c", tmp_path / "empty", None)


def test_sbu_in_both_its_forms(tmp_path: Path) -> None:
    images = draw(tmp_path / "images", {row: NAMES["last part"](row) for row in (1, 2)})
    whole = tmp_path / "sbu-captions-all.json"
    whole.write_text(json.dumps({"image_urls": LINKS, "user_ids": ["u"] * 6, "captions": TOLD}))
    (tmp_path / URLS).write_text("\n".join(LINKS) + "\n")
    (tmp_path / CAPTIONS).write_text("\n".join(TOLD) + "\n")
    for number, sources in enumerate(([whole], [tmp_path / URLS, tmp_path / CAPTIONS], [tmp_path])):
        corpus = tmp_path / f"c{number}"
        assert ingest_sbu(corpus, sources, images) == {"train": {"images": 2, "pairs": 2}}
        assert matched(corpus) == {TOLD[1]: 1, TOLD[2]: 2}
    assert Corpus(tmp_path / "c0").pairs("train")[0].id == "sbu-1"


def test_sbu_without_the_pictures_of_flickr30k(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = draw(tmp_path / "images", {row: f"{row}.jpg" for row in (1, 2)})
    (tmp_path / URLS).write_text("\n".join(LINKS))
    (tmp_path / CAPTIONS).write_text("\n".join(TOLD))
    flickr = tmp_path / "dataset_flickr30k.json"
    flickr.write_text(json.dumps({"images": [{"filename": "4385058911.jpg", "split": "test"}]}))
    ingest_sbu(tmp_path / "c", [tmp_path], images, exclude_flickr30k=flickr)
    assert matched(tmp_path / "c") == {TOLD[2]: 2}
    assert "held out: 1" in capsys.readouterr().out


def test_sbu_faults(tmp_path: Path) -> None:
    images = draw(tmp_path / "images", {1: "1.jpg"})
    path = tmp_path / "sbu.json"
    bad_rows = {"image_urls": [None, *LINKS[1:]], "captions": [*TOLD[:1], 5, *TOLD[2:]]}
    for value, message in (
            ([], "an object with the lists `image_urls` and `captions` is wanted"),
            ({"image_urls": LINKS}, "an object with the lists"),
            ({"image_urls": LINKS, "captions": TOLD[:5]}, r"image_urls has 6 entries and .* 5: they run in"),
            (bad_rows, r"2 faults(.|\n)*_urls\[0\]: a URL is wanted, not None(.|\n)*captions\[1\]: the caption is")):
        path.write_text(json.dumps(value))
        with pytest.raises(UserError, match=message):
            ingest_sbu(tmp_path / "c", [path], images)
    (tmp_path / URLS).write_text("\n".join(LINKS))
    (tmp_path / CAPTIONS).write_text("\n".join(TOLD[1:]))
    with pytest.raises(UserError, match=r"urls\.txt has 6 entries and .*captions\.txt 5: they run in parallel"):
        ingest_sbu(tmp_path / "c", [tmp_path / URLS, tmp_path / CAPTIONS], images)
    with pytest.raises(UserError, match=rf"{URLS} and then {CAPTIONS} are wanted"):
        ingest_sbu(tmp_path / "c", [tmp_path / CAPTIONS, tmp_path / URLS], images)
    (tmp_path / CAPTIONS).write_text("\n".join(["", *TOLD[1:]]))
    (images / "0.jpg").write_bytes((images / "1.jpg").read_bytes())
    with pytest.raises(UserError, match=rf"{CAPTIONS}:1: the caption is empty"):
        ingest_sbu(tmp_path / "c", [tmp_path], images)
