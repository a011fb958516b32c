"""Sparse neighbours: exact ones against every product (tests/reference/neighbours.py), FAISS's by their recall."""

from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from tests.prepare.neighbours.corpora import captions
from tests.reference import neighbours as oracle
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.neighbours import exact, ivf, nearest
from unimo_paddle.prepare.neighbours.arrays import ArrayFolder, array_folder
from unimo_paddle.prepare.neighbours.exact import arrange, pack, unpack
from unimo_paddle.prepare.neighbours.nearest import SparseIndex, write_sparse
from unimo_paddle.prepare.rewriting.similar_captions import vectorise

DEFAULTS = ivf.Limits()


def random_vectors(rng, rows, width):
    """Small whole numbers, so that products are exact in float32 and ties are many."""
    return csr_matrix(rng.choice([0, 0, 0, 1, 2], (rows, width)).astype(np.float32))


def index_of(folder: Path, vectors, limits=DEFAULTS) -> SparseIndex:
    with array_folder(folder, "test", meta := {}) as work:
        meta |= write_sparse(work, vectors, limits)
    return SparseIndex(ArrayFolder(folder, "test"))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("block", "common"), [(3, 2.0), (7, 0.1), (7, 0.5), (64, 0.4), (64, 2.0)])
def test_equals_every_product_with_ties_whatever_the_blocks(seed, block, common, monkeypatch):
    """common: the share from which a word is common; 2 for none, 0.1 for all."""
    rng = np.random.default_rng(seed)
    vectors, queries = random_vectors(rng, 40, 6), random_vectors(rng, 9, 6)
    monkeypatch.setattr(exact, "BLOCK_SIZES", (block, block))
    monkeypatch.setattr(exact, "COMMON", common)
    excluded = [set(rng.choice(40, rng.integers(5), replace=False).tolist()) for _ in range(9)]
    for k in (1, 2, 5, 39, 40, 100):
        assert arrange(vectors).top_k(queries, k) == oracle.top_k(queries, vectors, k)
        assert arrange(vectors).top_k(queries, k, excluded) == oracle.top_k(queries, vectors, k, excluded)


@pytest.mark.parametrize("k", [10, 100])
def test_real_weights_equal_every_product_with_few_and_many_common_words(k, monkeypatch):
    vectors = vectorise(list(dict.fromkeys(captions(3_000))))
    wanted = oracle.top_k(vectors[:60], vectors, k)
    for common, sizes in ((2.0, (4_096, 65_536)), (0.1, (200, 200)), (0.01, (4_096, 65_536)), (0.003, (500, 500))):
        monkeypatch.setattr(exact, "COMMON", common)
        monkeypatch.setattr(exact, "BLOCK_SIZES", sizes)
        for found, best in zip(arrange(vectors).top_k(vectors[:60], k), wanted, strict=True):
            np.testing.assert_allclose([score for _, score in found], [score for _, score in best], atol=1e-6)
            assert {place for place, score in best if score > best[-1][1] + 1e-5} <= {place for place, _ in found}


def test_packed_and_unpacked_is_the_same():
    index = arrange(random_vectors(np.random.default_rng(1), 30, 5))
    arrays, rest = pack(index)
    again = unpack(arrays, width=5, **rest)
    for one, other in zip(index.blocks, again.blocks, strict=True):
        assert (one.rare != other.rare).nnz == 0 and (one.common == other.common).all() and one.reach == other.reach


def test_hand_worked():
    queries = csr_matrix(np.array([[1, 0], [0, 1], [0, 0]], np.float32))
    block = csr_matrix(np.array([[3, 1, 3, 0, 2], [0, 0, 0, 1, 0]], np.float32))
    index = arrange(block.T.tocsr())
    assert index.top_k(queries, 3) == [[(0, 3.0), (2, 3.0), (4, 2.0)], [(3, 1.0)], []]
    assert index.top_k(queries, 1, [{0}, {3}, ()]) == [[(2, 3.0)], [], []]


def test_mapped_index_answers_alike_however_queries_are_cut(tmp_path, monkeypatch):
    vectors = random_vectors(np.random.default_rng(3), 50, 8)
    monkeypatch.setattr(exact, "BLOCK_SIZES", (16, 16))
    index = index_of(tmp_path / "index", vectors)
    whole = index.nearest(vectors, 7, [{row} for row in range(50)])
    assert whole == oracle.top_k(vectors, vectors, 7, [{row} for row in range(50)])
    monkeypatch.setattr(nearest, "QUERIES_AT_ONCE", 11)
    assert index.nearest(vectors, 7, [{row} for row in range(50)]) == whole
    assert index.note == "exact"


def test_vectors_of_nothing(tmp_path):
    index = index_of(tmp_path / "index", csr_matrix((3, 2), dtype=np.float32))
    assert index.nearest(index.vectors, 5, [()] * 3) == [[], [], []]
    assert index.nearest(index.vectors[:0], 5, []) == []


def test_recall_of_faiss_at_its_defaults_on_20000_captions(tmp_path):
    vectors = vectorise(list(dict.fromkeys(captions(20_000))))
    limits = ivf.Limits(exact_up_to=10_000, lists=64)
    index = index_of(tmp_path / "index", vectors, limits)
    asked = np.random.default_rng(5).choice(vectors.shape[0], 300, replace=False)
    found = index.nearest(vectors[asked], 10, [{row} for row in asked.tolist()])
    true = arrange(vectors).top_k(vectors[asked], 10, [{row} for row in asked.tolist()])
    hits = [min(10, sum(score >= best[-1][1] - 1e-6 for _, score in got)) / 10
            for got, best in zip(found, true, strict=True)]  # fmt: skip
    assert np.mean(hits) >= 0.95
    assert 0.95 <= ArrayFolder(tmp_path / "index", "test").meta["recall"] <= 1
    assert "recall@10 0.9" in index.note and "of 64 lists" in index.note
    assert all(dict(got)[place] == pytest.approx(score, abs=1e-6)   # what is found has its exact score
               for got, best in zip(found, true, strict=True) for place, score in best if place in dict(got))


def test_fewer_lists_suffice_where_captions_are_alike(tmp_path):
    """Copies of 60 captions with one word changed: the nearest are in the query's own list."""
    rng = np.random.default_rng(0)
    texts = [f"{caption} w{rng.integers(9_999)}" for caption in captions(60) for _ in range(50)]
    index_of(tmp_path / "i", vectorise(texts), ivf.Limits(exact_up_to=10, lists=32))
    meta = ArrayFolder(tmp_path / "i", "test").meta
    assert meta["probes"] <= 8 and meta["recall"] >= 0.95


def test_two_builds_are_the_same_bytes(tmp_path):
    vectors = vectorise(captions(600))
    for name in ("a", "b"):
        index_of(tmp_path / name, vectors, ivf.Limits(exact_up_to=10, lists=8, dimensions=32))
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes(), file.name


def test_k_beyond_the_collection_and_more_lists_than_vectors(tmp_path):
    vectors = vectorise(["a dog", "a cat", "the cat"])
    index = index_of(tmp_path / "i", vectors, ivf.Limits(exact_up_to=1, lists=50, dimensions=16))
    found = index.nearest(vectors, 9, [{0}, {1}, {2}])
    assert [[place for place, _ in ranked] for ranked in found] == [[1], [0, 2], [1]]


def test_projection_keeps_products_in_the_mean():
    vectors = vectorise(captions(400))
    reduced = ivf.reduce(vectors, ivf.projection(vectors.shape[1], 256))
    error = reduced @ reduced.T - (vectors @ vectors.T).toarray()
    assert abs(error.mean()) < 0.01 and np.sqrt((error**2).mean()) < 0.08
    assert np.diff(ivf.projection(100, 4).indptr).tolist() == [4] * 100


def test_recall_counts_equal_scores_and_leaves_the_query_out():
    assert ivf.recall_of([[1, 0.5, 0.5, 0.2]], [[1, 0.5, 0.5, 0.2]]) == 1
    assert ivf.recall_of([[1, 0.5, 0.4]], [[1, 0.5, 0.1]]) == 0.5
    assert ivf.recall_of([[1]], [[1]]) == 1
    tuned = ivf.tune(8, 0.95, [[1, 0.5]], lambda probes: [[1, 0.5]] if probes >= 4 else [[1]])
    assert (tuned["probes"], tuned["recall"]) == (4, 1.0)


@pytest.mark.parametrize("name", ["vectors_data.npy", "rare_indices.npy", "index.json", "ivf.faiss"])
def test_damaged_files_are_named(tmp_path, name):
    limits = ivf.Limits(exact_up_to=2 if name == "ivf.faiss" else 10**6, lists=2, dimensions=8)
    index_of(tmp_path / "i", vectorise(captions(50)), limits)
    file = tmp_path / "i" / name
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(UserError, match=name):
        ArrayFolder(tmp_path / "i", "test")
    file.unlink()
    with pytest.raises(UserError, match=name):
        ArrayFolder(tmp_path / "i", "test")


@pytest.mark.parametrize("name", ["vectors_data.npy", "ivf.faiss"])
def test_files_of_the_right_size_and_the_wrong_contents(tmp_path, name):
    index_of(tmp_path / "i", vectorise(captions(50)), ivf.Limits(exact_up_to=2, lists=2, dimensions=8))
    file = tmp_path / "i" / name
    file.write_bytes(b"x" * file.stat().st_size)
    with pytest.raises(UserError, match=f"{name}.*delete the folder"):
        SparseIndex(ArrayFolder(tmp_path / "i", "test"))


def test_another_kind_and_a_folder_of_the_users(tmp_path):
    index_of(tmp_path / "i", vectorise(["a dog"]))
    with pytest.raises(UserError, match="not \\(2, 'images'\\)"):
        ArrayFolder(tmp_path / "i", "images")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(UserError, match="not empty"):
        index_of(tmp_path / "mine", vectorise(["a dog"]))
    index_of(tmp_path / "i", vectorise(["a cat"]))  # an older index is replaced
