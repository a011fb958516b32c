"""Shards that somebody else enters: the store that results, and what is left of them when nobody does."""

import json
from pathlib import Path

import numpy as np
import pytest

from unimo_paddle.region_parts import enter, remove_orphans, shard_numbers, shard_path, write_arrays
from unimo_paddle.region_shards import encode
from unimo_paddle.regions import Regions, RegionStore, RegionStoreWriter, StoreMeta, verify

META = StoreMeta("f", 3, ("__background__", "a", "b"), 2, "d", "", ("__none__", "red"))


def regions(seed: int) -> Regions:
    rng = np.random.default_rng(seed)
    count = 1 + seed % 3
    low, probs = rng.uniform(0, 20, (count, 2)), rng.dirichlet(np.ones(3), count)
    told = rng.dirichlet(np.ones(2), count).astype(np.float32)
    boxes = np.concatenate([low, low + 10], axis=1).astype(np.float32)
    return Regions(rng.normal(size=(count, 3)).astype(np.float32), boxes, probs.astype(np.float32), 40, 30 + seed, told)


def write(store: Path, number: int, seeds: list[int]):
    return write_arrays(shard_path(store, number), {f"id{s}": encode(regions(s), META) for s in seeds}, META)


def test_parts_are_what_the_writer_writes(tmp_path: Path) -> None:
    with RegionStoreWriter(tmp_path / "one", META, 2) as writer:
        for seed in range(4):
            writer.append(f"id{seed}", regions(seed))
    with RegionStoreWriter(tmp_path / "two", META, 1):
        parts = [write(tmp_path / "two", number, seeds) for number, seeds in ((1, [2, 3]), (0, [0, 1]))]
        assert shard_numbers(tmp_path / "two") == set()
        for part in parts:
            enter(part)
    for file in sorted((tmp_path / "one").iterdir()):
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()
    assert shard_numbers(tmp_path / "two") == {0, 1} and verify(tmp_path / "two") == []
    assert RegionStore(tmp_path / "two").read("id2").attr_probs == pytest.approx(regions(2).attr_probs, abs=1e-3)


def test_what_was_never_entered_does_not_count_and_goes(tmp_path: Path) -> None:
    with RegionStoreWriter(tmp_path, META, 1):
        enter(write(tmp_path, 0, [0]))
        write(tmp_path, 1, [1])
        assert list(RegionStore(tmp_path).ids) == ["id0"]
        remove_orphans(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"regions.json", "shard-00000.bin", "shard-00000.json"}
    assert json.loads((tmp_path / "shard-00000.json").read_text())["ids"] == ["id0"]
