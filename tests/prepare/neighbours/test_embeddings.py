"""Sentences by meaning: an encoder that counts letters stands in for a real one."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from tests.prepare.neighbours.corpora import captions
from tests.reference import neighbours as oracle
from unimo_paddle.corpus import Text
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.neighbours import embeddings as module
from unimo_paddle.prepare.neighbours.embeddings import Embeddings, SentenceIndex, related
from unimo_paddle.prepare.neighbours.ivf import Limits


class Letters:
    """Unit vectors by the pairs of characters in a text, hashed."""

    name, width = "letters", 48

    def __init__(self) -> None:
        self.asked = 0

    def encode(self, texts: Sequence[str]):
        self.asked += len(texts)
        found = np.full((len(texts), self.width), 1e-3, np.float32)
        for row, text in enumerate(texts):
            for a, b in pairwise(text):
                found[row, (31 * ord(a) + ord(b)) % self.width] += 1
        return found / np.linalg.norm(found, axis=1, keepdims=True)


def written(folder, texts, encoder=None, key="k") -> Embeddings:
    encoder = encoder or Letters()
    embeddings = Embeddings.prepare(folder, key, len(texts), encoder)
    for part in embeddings.todo:
        embeddings.write(part, texts[part.start : part.stop], encoder)
    return embeddings


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(module, "ROWS_PER_SHARD", 70)


@pytest.mark.parametrize("k", [1, 10, 500])
def test_exact_search_equals_the_whole_matrix(tmp_path, small_shards, k):
    texts = captions(300)
    written(tmp_path / "e", texts)
    index = SentenceIndex.build(tmp_path / "e")
    queries = Letters().encode(captions(20, seed=8))
    wanted = oracle.dense_top_k(queries, Letters().encode(texts).astype(np.float16), k)
    for found, best in zip(index.nearest(queries, k), wanted, strict=True):
        np.testing.assert_allclose([s for _, s in found], [s for _, s in best], atol=1e-5)
        assert {row for row, s in best if s > best[-1][1] + 1e-5} <= {row for row, _ in found}
    assert index.note == "exact"


def test_equal_vectors_come_by_row_and_batches_do_not_matter(tmp_path, small_shards):
    texts = ["a dog runs", "a cat sits"] * 100
    written(tmp_path / "e", texts)
    index = SentenceIndex.build(tmp_path / "e")
    queries = Letters().encode(["a dog runs", "a cat sits", "a bus"])
    found = index.nearest(queries, 5)
    assert [row for row, _ in found[0]] == [0, 2, 4, 6, 8]
    assert [ranked for row in range(3) for ranked in index.nearest(queries[row : row + 1], 5)] == found


def test_faiss_beyond_the_limit(tmp_path, small_shards):
    texts = captions(1_500)
    written(tmp_path / "e", texts)
    index = SentenceIndex.build(tmp_path / "e", Limits(exact_up_to=100, lists=16, candidates=100))
    queries = Letters().encode(captions(100, seed=8))
    wanted = oracle.dense_top_k(queries, Letters().encode(texts).astype(np.float16), 10)
    hits = [sum(score >= best[-1][1] - 1e-5 for _, score in found)
            for found, best in zip(index.nearest(queries, 10), wanted, strict=True)]  # fmt: skip
    assert np.mean(hits) >= 9.3 and "recall@10" in index.note
    assert len(index.nearest(queries[:1], 10_000)[0]) <= 1_500


def test_related_leaves_near_copies_and_empty_captions_out(tmp_path):
    texts = ["A dog runs in the park!", "a big dog runs in the park", "A dog ran through the parks", "xyz uvw rst qpo",
             "the dog, runs in a park"]  # fmt: skip
    written(tmp_path / "e", texts)
    records = [Text(str(row), text) for row, text in enumerate(texts)]
    index = SentenceIndex.build(tmp_path / "e")
    found = related(index, Letters(), ["a dog runs in the park", "", "?!"], records, 3)
    assert [[row for row, _ in ranked] for ranked in found] == [[2, 3], [], []]
    assert [row for row, _ in related(index, Letters(), ["a dog runs in the park"], records, 1)[0]] == [2]


def test_a_restart_goes_on_and_other_texts_begin_anew(tmp_path, small_shards):
    texts, encoder = captions(200), Letters()
    begun = Embeddings.prepare(tmp_path / "e", "k", 200, encoder)
    assert begun.todo == [range(70), range(70, 140), range(140, 200)]
    begun.write(begun.todo[1], texts[70:140], encoder)
    (tmp_path / "e" / ".tmp-vectors-00000.npy-x").write_bytes(b"half")
    with pytest.raises(UserError, match="vectors-00000.npy is missing"):
        begun.shards()
    written(tmp_path / "e", texts, encoder)
    assert encoder.asked == 200
    assert sorted(file.name for file in (tmp_path / "e").iterdir())[0] == "embeddings.json"
    whole = np.concatenate(Embeddings.open(tmp_path / "e").shards())
    assert whole.dtype == np.float16 and np.abs(whole - encoder.encode(texts)).max() < 1e-3
    assert len(Embeddings.prepare(tmp_path / "e", "another", 200, encoder).todo) == 3


@pytest.mark.parametrize("name", ["vectors-00001.npy", "vectors-00001.sha256"])
def test_a_damaged_shard_is_made_again(tmp_path, small_shards, name):
    texts, encoder = captions(200), Letters()
    begun = written(tmp_path / "e", texts, encoder)
    whole = {file.name: file.read_bytes() for file in (tmp_path / "e").iterdir()}
    assert begun.todo == []
    (tmp_path / "e" / name).write_bytes(whole[name][:-1] + b"\xff")
    assert begun.todo == [range(70, 140)]
    written(tmp_path / "e", texts, encoder)
    assert encoder.asked == 270 and {file.name: file.read_bytes() for file in (tmp_path / "e").iterdir()} == whole
    (tmp_path / "e" / name).unlink()
    assert begun.todo == [range(70, 140)]


def test_damaged_files_are_named(tmp_path):
    written(tmp_path / "e", captions(20))
    shard = tmp_path / "e" / "vectors-00000.npy"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-10])
    with pytest.raises(UserError, match="vectors-00000.npy is missing or was cut short"):
        SentenceIndex.build(tmp_path / "e")
    np.save(shard, np.zeros((3, 2), np.float16))
    with pytest.raises(UserError, match="holds float16 \\(3, 2\\), not float16 \\(20, 48\\)"):
        SentenceIndex.build(tmp_path / "e")
    (tmp_path / "e" / "embeddings.json").write_text("{}")
    with pytest.raises(UserError, match="schema 1 is wanted"):
        Embeddings.open(tmp_path / "e")
    (tmp_path / "e" / "embeddings.json").write_text('{"schema": 1, "key": "k"}')
    with pytest.raises(UserError, match="missing"):
        Embeddings.open(tmp_path / "e")
    with pytest.raises(UserError, match="holds no vectors"):
        Embeddings.open(tmp_path / "none")


def test_one_sentence_and_gathering_over_shards(tmp_path, small_shards):
    written(tmp_path / "one", ["a dog"])
    assert len(SentenceIndex.build(tmp_path / "one").nearest(Letters().encode(["a cat"]), 9)[0]) == 1
    shards = written(tmp_path / "e", captions(200)).shards()
    rows = np.array([199, 0, 70, 69, 139, 140, 0])
    np.testing.assert_array_equal(module.gather(shards, rows), np.concatenate(shards)[rows].astype(np.float32))
