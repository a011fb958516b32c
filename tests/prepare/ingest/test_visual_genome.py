"""Visual Genome: pairs from region phrases, its two folders, its splits, and the pictures it shares with COCO."""

import json
from pathlib import Path

import PIL.Image
import pytest

from unimo_paddle.corpus import Corpus, Image, Pair
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.ingest import json_items
from unimo_paddle.prepare.ingest.held_out import held_out_coco, held_out_flickr30k
from unimo_paddle.prepare.ingest.json_items import read_items
from unimo_paddle.prepare.ingest.visual_genome import Choice, ingest_visual_genome


def region(number: int, phrase: object, width: int = 10, height: int = 10) -> dict:
    return {"region_id": number, "image_id": 1, "phrase": phrase, "x": 0, "y": 0, "width": width, "height": height,
            "synsets": []}


def picture(number: int, coco: int | None, flickr: int | None = None) -> dict:
    url = f"https://cs.stanford.edu/people/rak248/VG_100K_2/{number}.jpg"
    return {"image_id": number, "url": url, "width": 8, "height": 6, "coco_id": coco, "flickr_id": flickr}


LISTING = [picture(1, 7), picture(2, None, 4385058960), picture(3, 9), picture(4, None)]
REGIONS = [
    {"id": 1, "regions": [region(10, "a  red\n car"), region(11, "the sky", 500, 100), region(12, "a tree", 90, 90)]},
    {"id": 2, "regions": [region(20, "a dog")]},
    {"id": 3, "regions": [region(30, "two men")]},
    {"id": 4, "regions": []},
]
KARPATHY = {"images": [{"cocoid": number, "split": split}
                       for number, split in ((7, "restval"), (9, "test"), (5, "val"))]}


@pytest.fixture
def genome(tmp_path: Path) -> Path:
    folder = tmp_path / "genome"
    for name in ("VG_100K/1.jpg", "VG_100K_2/2.jpg", "3.jpg", "VG_100K/4.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.new("RGB", (8, 6)).save(folder / name)
    write(folder, LISTING, REGIONS)
    return folder


def write(folder: Path, listing: object, regions: object) -> None:
    (folder / "image_data.json").write_text(json.dumps(listing))
    (folder / "region_descriptions.json").write_text(json.dumps(regions))


def save(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value))
    return path


def test_each_phrase_is_a_caption(tmp_path: Path, genome: Path) -> None:
    counts = ingest_visual_genome(tmp_path / "c", genome, genome, Choice())
    assert counts == {"train": {"images": 4, "pairs": 5}}
    corpus = Corpus(tmp_path / "c")
    assert corpus.pairs("train")[0] == Pair("vg-10", "vg-1", "a red car")
    assert list(corpus.images("train"))[1] == Image("vg-2", genome / "VG_100K_2/2.jpg", 8, 6)


def test_the_small_worlds_urls_are_paths(tmp_path: Path, genome: Path) -> None:
    (genome / "3.jpg").rename(genome / "VG_100K/000000000003.jpg")
    write(genome, [{**picture(3, None), "url": "VG_100K/000000000003.jpg"}], [{"id": 3, "regions": []}])
    ingest_visual_genome(tmp_path / "c", genome, genome, Choice())
    assert Corpus(tmp_path / "c").images("train")[0].path == genome / "VG_100K/000000000003.jpg"


def test_the_form_that_the_site_describes(tmp_path: Path, genome: Path) -> None:
    write(genome, LISTING, [{"image_id": 1, "regions": [region(10, "a car")]}])
    assert ingest_visual_genome(tmp_path / "c", genome, genome, Choice())["train"] == {"images": 1, "pairs": 1}


def test_the_largest_regions_are_kept(tmp_path: Path, genome: Path) -> None:
    ingest_visual_genome(tmp_path / "c", genome, genome, Choice(captions=2))
    captions = [pair.caption for pair in Corpus(tmp_path / "c").pairs("train") if pair.image_id == "vg-1"]
    assert captions == ["the sky", "a tree"]


def test_pictures_of_coco_and_flickr30k_are_left_out(tmp_path: Path, genome: Path,
                                                     capsys: pytest.CaptureFixture[str]) -> None:
    coco = save(tmp_path / "dataset_coco.json", KARPATHY)
    flickr = save(tmp_path / "dataset_flickr30k.json", {"images": [{"filename": "4385058960.jpg", "split": "test"},
                                                                   {"filename": "17.jpg", "split": "train"}]})
    assert held_out_coco(coco) == {5, 9} and held_out_flickr30k(flickr) == {4385058960}
    ingest_visual_genome(tmp_path / "c", genome, genome, Choice(exclude_coco=coco))
    assert [image.id for image in Corpus(tmp_path / "c").images("train")] == ["vg-1", "vg-2", "vg-4"]
    assert "left out 1 of 4 pictures, which are in a val or test split" in capsys.readouterr().out
    ingest_visual_genome(tmp_path / "d", genome, genome, Choice(exclude_coco=coco, exclude_flickr30k=flickr))
    assert [image.id for image in Corpus(tmp_path / "d").images("train")] == ["vg-1", "vg-4"]


@pytest.mark.parametrize("value", [[], {"images": []}, {"images": [{"cocoid": 7, "split": "train"}]},
                                   {"images": [{"filename": "a.jpg", "split": "test"}]}])
def test_another_file_excludes_nothing_in_silence(tmp_path: Path, genome: Path, value: object) -> None:
    other = save(tmp_path / "other.json", value)
    with pytest.raises(UserError, match=r"Karpathy's dataset_coco\.json is wanted"):
        ingest_visual_genome(tmp_path / "c", genome, genome, Choice(exclude_coco=other))


def test_a_file_of_splits(tmp_path: Path, genome: Path, capsys: pytest.CaptureFixture[str]) -> None:
    splits = save(tmp_path / "densecap_splits.json", {"train": [1, 2], "val": [3]})
    counts = ingest_visual_genome(tmp_path / "c", genome, genome, Choice(split_file=splits))
    assert counts == {"train": {"images": 2, "pairs": 4}, "val": {"images": 1, "pairs": 1}}
    assert "left out 1 pictures that" in capsys.readouterr().out
    for wrong in ([1], {"train": 1}, {"train": ["1"]}, {"train": [1], "val": [1]}):
        with pytest.raises(UserError, match=r"densecap_splits\.json"):
            ingest_visual_genome(tmp_path / "d", genome, genome, Choice(split_file=save(splits, wrong)))


def test_every_fault_with_its_place(tmp_path: Path, genome: Path) -> None:
    write(genome, [*LISTING, {"image_id": "5"}, picture(6, 1)], [
        {"id": 1, "regions": [region(10, ""), {"region_id": 11}, region(12, 3), "region", region(13, "good")]},
        {"id": 99, "regions": []}, {"id": 6, "regions": []}, {"regions": 3},
        {"id": 2, "regions": [region(13, "its id is taken")]}])
    with pytest.raises(UserError) as caught:
        ingest_visual_genome(tmp_path / "c", genome, genome, Choice())
    regions = f"{genome}/region_descriptions.json"
    for fault in (f"{genome}/image_data.json: [4]: image_id is '5', not int",
                  f"{regions}: [0].regions[0]: the caption is empty", f"{regions}: [0].regions[1]: phrase is missing",
                  f"{regions}: [0].regions[2]: phrase is 3, not str", "[0].regions[3]: an object is wanted",
                  f"{regions}: [1]: image_data.json has no image 99", f"{regions}: [2]: no 6.jpg in {genome}, nor",
                  f"{regions}: [3]: id is None, not int; regions is 3, not list",
                  f"{regions}: [4].regions[0]: the id 'vg-13' is used twice", "has 9 faults"):
        assert fault in str(caught.value), fault
    counts = ingest_visual_genome(tmp_path / "c", genome, genome, Choice(), skip_faulty=True)
    assert counts == {"train": {"images": 2, "pairs": 1}}


def test_broken_files_leave_nothing_behind(tmp_path: Path, genome: Path) -> None:
    path = genome / "region_descriptions.json"
    path.write_text(path.read_text()[:-20])
    with pytest.raises(UserError, match=r"region_descriptions\.json: item \[3\], character \d+: .*is the file cut\?"):
        ingest_visual_genome(tmp_path / "c", genome, genome, Choice())
    assert not (tmp_path / "c/corpus.json").exists()
    for listing, message in (({}, "a list of images is wanted"), ([], "image_data.json has no image 1")):
        write(genome, listing, REGIONS)
        with pytest.raises(UserError, match=message):
            ingest_visual_genome(tmp_path / "c", genome, genome, Choice())
    with pytest.raises(UserError, match="is no number of captions"):
        ingest_visual_genome(tmp_path / "c", genome, genome, Choice(captions=-1))


@pytest.mark.parametrize("chunk", [1, 7, 64, 1 << 20])
def test_items_are_what_json_reads_whatever_the_chunk(tmp_path: Path, chunk: int,
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_items, "_CHUNK", chunk)
    values = [{"a": "é\\\"]},{[" * 20, "b": [1.5e-7, -12345678901234567890, None, {"c": [[]]}]}, {}, {"d": "x" * 500}]
    for text in (json.dumps(values), json.dumps(values, indent=2, ensure_ascii=False), " [ ] "):
        path = tmp_path / "a.json"
        path.write_text(text)
        assert list(read_items(path)) == json.loads(text)


@pytest.mark.parametrize(("data", "message"), [
    (b"", "item [0], character 0: the file ends within the list; is it cut?"),
    (b'{"a": 1}', "item [0], character 0: a list is wanted, which begins with ["),
    (b'[{"a": 1}, 3]', "item [1], character 11: an object is wanted, not '3]'"),
    (b'[{"a": 1}, {"a": x}' + b" " * 100 + b"]", "item [1], character 17: this is not JSON: Expecting value"),
    (b'[{"a": 1}, {"a": ', "item [1], character 11: this is not JSON: Expecting value"),
    (b'[{"a": "unterminated', "item [0], character 1: this is not JSON: Unterminated string"),
    (b'[{"a": ' + b"[" * 100_000, "item [0], character 1: the JSON cannot be read"),
    (b'[{"a": "\xff"}]', "byte 0xff is not UTF-8"),
])
def test_broken_lists(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(data)
    with pytest.raises(UserError) as caught:
        list(read_items(path))
    assert str(caught.value).startswith(f"{path}: ") and message in str(caught.value)
    with pytest.raises(UserError, match="does not exist"):
        list(read_items(tmp_path / "none.json"))
