"""Folders of arrays: what is damaged is made again, and what is whole is not."""

import json

import numpy as np
import pytest

from tests.prepare.neighbours.corpora import captions
from unimo_paddle.errors import UserError
from unimo_paddle.files import sha256_of
from unimo_paddle.prepare.neighbours.arrays import META_FILE, ArrayFolder, array_folder, is_current
from unimo_paddle.prepare.rewriting.similar_captions import SimilarIndex, build_index


def flip(file):
    data = bytearray(file.read_bytes())
    data[-3] ^= 0xFF
    file.write_bytes(data)


@pytest.fixture
def folder(tmp_path):
    with array_folder(tmp_path / "i", "test", {"key": "k"}) as work:
        np.save(work / "a.npy", np.arange(5))
        np.save(work / "b.npy", np.ones(3))
    return tmp_path / "i"


def test_the_index_tells_size_and_checksum_of_each_file(folder):
    files = json.loads((folder / META_FILE).read_text())["files"]
    assert files == {name: {"bytes": (folder / name).stat().st_size, "sha256": sha256_of(folder / name)}
                     for name in ("a.npy", "b.npy")}  # fmt: skip
    assert is_current(folder, "test", "k") and not is_current(folder, "test", "other")
    assert not is_current(folder, "another", "k")


@pytest.mark.parametrize("name", ["a.npy", "b.npy"])
def test_flipped_bytes_are_not_current(folder, name):
    flip(folder / name)
    assert not is_current(folder, "test", "k")


@pytest.mark.parametrize("files", [{"a.npy": 168}, {"a.npy": {"bytes": 168}}, [], None])
def test_a_list_of_files_that_is_none(folder, files):
    meta = json.loads((folder / META_FILE).read_text())
    (folder / META_FILE).write_text(json.dumps(meta | {"files": files}))
    assert not is_current(folder, "test", "k")
    with pytest.raises(UserError, match="index.json.*delete the folder"):
        ArrayFolder(folder, "test")


@pytest.mark.parametrize("name", ["vectors_data.npy", "text_of_pair.npy", "image_starts.npy"])
def test_a_damaged_index_of_captions_is_made_again(tmp_path, name):
    texts = captions(60)
    images = [str(row // 2) for row in range(60)]
    build_index(texts, images, tmp_path / "i")
    wanted = SimilarIndex.open(tmp_path / "i").similar(range(60), 5)
    whole = {file.name: file.read_bytes() for file in (tmp_path / "i").iterdir()}
    stamp = (tmp_path / "i").stat().st_ino
    build_index(texts, images, tmp_path / "i")
    assert (tmp_path / "i").stat().st_ino == stamp  # whole: left as it is
    flip(tmp_path / "i" / name)
    build_index(texts, images, tmp_path / "i")
    assert {file.name: file.read_bytes() for file in (tmp_path / "i").iterdir()} == whole
    assert SimilarIndex.open(tmp_path / "i").similar(range(60), 5) == wanted
