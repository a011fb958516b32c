"""Finding images: against a dictionary, with doubled ids and shared hashes, and in little memory."""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from unimo_paddle import region_index
from unimo_paddle.region_index import ImageIndex
from unimo_paddle.region_shards import Shard, read_shards


def write(folder: Path, shards: list[list[str]]) -> None:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number, ids in enumerate(shards):
        sizes = rng.integers(1, 90_000, (3, len(ids))).tolist()
        value = {"ids": ids, "counts": [n % 100 for n in sizes[0]], "widths": sizes[1], "heights": sizes[2]}
        (folder / f"shard-{number:05d}.json").write_text(json.dumps({**value, "bytes": 0, "sha256": ""}))


def oracle(shards: list[Shard]) -> dict[str, tuple[int, slice, int, int]]:
    places = {}
    for number, shard in enumerate(shards):
        row = 0
        for image_id, count, width, height in zip(shard.ids, shard.counts, shard.widths, shard.heights, strict=True):
            places[image_id] = (number, slice(row, row + count), width, height)
            row += count
    return places


def check(folder: Path) -> ImageIndex:
    shards = list(read_shards(folder))
    index, real = ImageIndex(shards), oracle(shards)
    assert len(index) == len(real) and sorted(index.ids) == sorted(real)
    for image_id, (shard, rows, width, height) in real.items():
        place = index.find(image_id)
        assert place and (place.shard, place.rows, place.width, place.height) == (shard, rows, width, height)
    assert all(index.find(wrong) is None for wrong in ("", "x", "99", 3, ("a",)))
    assert index.counts.tolist() == [count for shard in shards for count in shard.counts]
    return index


def test_finds_what_a_dictionary_finds(tmp_path: Path) -> None:
    write(tmp_path / "s", [[f"img{i}" for i in range(40)], [], ["ä", "日本", "a b"], [f"{i:012d}" for i in range(7)]])
    index = check(tmp_path / "s")
    assert list(index.ids)[40:43] == ["ä", "日本", "a b"]


def test_an_empty_store(tmp_path: Path) -> None:
    write(tmp_path / "s", [])
    assert len(check(tmp_path / "s")) == 0


def test_doubled_ids_count_once_and_the_last_one_wins(tmp_path: Path) -> None:
    write(tmp_path / "s", [["a", "b", "c"], ["b", "d"], ["b"]])
    assert list(check(tmp_path / "s").ids) == ["a", "c", "d", "b"]


@pytest.mark.parametrize("hashes", [1, 2, 5])
def test_ids_that_share_a_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hashes: int) -> None:
    def few(value: object) -> int:
        return sum(map(ord, str(value))) % hashes if str(value).startswith("img") else 77

    monkeypatch.setattr(region_index, "hash", few, raising=False)
    write(tmp_path / "s", [[f"img{i}" for i in range(12)], ["img3", "img20"]])
    check(tmp_path / "s")


def test_an_image_takes_less_than_50_bytes(tmp_path: Path) -> None:
    many = 40_000
    write(tmp_path / "s", [[f"COCO_train2014_{i:012d}" for i in range(k, k + 250)] for k in range(0, many, 250)])
    tracemalloc.start()
    index = ImageIndex(read_shards(tmp_path / "s"))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(index) == many and held / many < 35 + 15
