"""TF-IDF neighbours against the definition (tests/reference/tfidf.py) and scikit-learn's brute force."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import NearestNeighbors

from tests.prepare.neighbours import corpora
from tests.reference import tfidf as oracle
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.neighbours import exact, nearest
from unimo_paddle.prepare.neighbours.ivf import Limits
from unimo_paddle.prepare.rewriting.english import normalise
from unimo_paddle.prepare.rewriting.similar_captions import SimilarIndex, build_index, vectorise

NOUNS = ["dog", "cat", "sheep", "horse", "bus", "car", "owl", "apple"]
VERBS = ["sees", "eats", "follows", "is-near"]


def random_corpus(seed: int, images: int) -> tuple[list[str], list[str]]:
    """Captions with many repetitions, one to four an image."""
    rng = np.random.default_rng(seed)
    captions, image_ids = [], []
    for image in range(images):
        for _ in range(rng.integers(1, 5)):
            first, second = rng.choice(NOUNS, 2)
            captions.append(f"{'The' if rng.random() < 0.5 else 'the'} {first} {rng.choice(VERBS)} a {second}.")
            image_ids.append(f"i{image}")
    return captions, image_ids


def index_of(folder, captions, image_ids, limits=None) -> SimilarIndex:
    build_index(captions, image_ids, folder, limits)
    return SimilarIndex.open(folder)


@pytest.mark.parametrize("seed", range(4))
def test_equals_the_definition_whatever_the_slice(seed, tmp_path, monkeypatch):
    captions, image_ids = random_corpus(seed, 40)
    whole = index_of(tmp_path / "a", captions, image_ids).similar(range(len(captions)), 10)
    for pair, found in enumerate(whole):
        wanted = oracle.negatives(captions, image_ids, pair, 10)
        assert [score for _, score in found] == pytest.approx([score for _, score in wanted], abs=1e-5)
        beyond = wanted[-1][1] + 1e-5  # below it the order may differ: ties
        assert {text for text, score in wanted if score > beyond} <= {normalise(captions[row]) for row, _ in found}
    monkeypatch.setattr(exact, "BLOCK_SIZES", (16, 16))
    monkeypatch.setattr(nearest, "QUERIES_AT_ONCE", 5)
    parts, cut = index_of(tmp_path / "b", captions, image_ids), len(captions) // 3
    assert [*parts.similar(range(cut), 10), *parts.similar(range(cut, len(captions)), 10)] == whole


def test_never_the_own_image_nor_an_equal_caption_and_always_the_first_pair(tmp_path):
    captions, image_ids = random_corpus(9, 60)
    first = {}
    for row, caption in enumerate(captions):
        first.setdefault(normalise(caption), row)
    for pair, found in enumerate(index_of(tmp_path / "i", captions, image_ids).similar(range(len(captions)), 30)):
        own = {normalise(captions[other]) for other, image in enumerate(image_ids) if image == image_ids[pair]}
        texts = [normalise(captions[row]) for row, _ in found]
        assert own.isdisjoint(texts)
        assert len(set(texts)) == len(texts)
        assert [row for row, _ in found] == [first[text] for text in texts]
        assert found == sorted(found, key=lambda each: (-each[1], each[0]))


def test_ten_nearest_are_scikit_learns_up_to_ties(tmp_path):
    captions = list(dict.fromkeys(corpora.captions(3_000)))
    theirs = TfidfVectorizer(analyzer=str.split).fit_transform(captions)
    assert np.abs((vectorise(captions) - theirs).data).max(initial=0) < 1e-6
    distances, neighbours = NearestNeighbors(n_neighbors=11, metric="cosine", algorithm="brute").fit(theirs).kneighbors(
        theirs[:500]
    )
    index = index_of(tmp_path / "i", captions, [str(row) for row in range(len(captions))])
    for row, found in enumerate(index.similar(range(500), 10)):
        others = [(n, 1 - d) for n, d in zip(neighbours[row], distances[row], strict=True) if n != row][:10]
        np.testing.assert_allclose([score for _, score in found], [score for _, score in others], atol=2e-6)
        sure = {n for n, score in others if score > others[-1][1] + 1e-5}
        assert sure <= {n for n, _ in found}


def test_approximate_beyond_the_limit(tmp_path):
    captions = corpora.captions(2_000)
    image_ids = [f"i{row // 5}" for row in range(2_000)]
    index = index_of(tmp_path / "i", captions, image_ids, Limits(exact_up_to=500, lists=8))
    assert "recall@10" in index.note
    for row, found in enumerate(index.similar(range(100), 10)):
        assert len(found) == 10 and all(image_ids[other] != image_ids[row] for other, _ in found)


def test_captions_of_nothing_but_punctuation(tmp_path):
    assert index_of(tmp_path / "a", ["!", "?"], ["a", "b"]).similar(range(2), 3) == [[], []]
    mixed = index_of(tmp_path / "b", ["!", "a dog", "a cat"], ["a", "b", "c"]).similar(range(3), 3)
    assert [[row for row, _ in found] for found in mixed] == [[], [2], [1]]
    assert index_of(tmp_path / "c", ["a dog", "A dog!", "two cats"], ["a", "a", "a"]).similar(range(3), 9) == [[]] * 3


def test_an_index_is_made_once_and_anew_for_other_captions(tmp_path):
    folder = tmp_path / "i"
    assert build_index(["a dog", "a cat"], ["a", "b"], folder) == "exact"
    made = (folder / "index.json").stat().st_mtime_ns
    build_index(["a dog", "a cat"], ["a", "b"], folder)
    assert (folder / "index.json").stat().st_mtime_ns == made
    (folder / "vectors_data.npy").write_bytes(b"")  # damaged: made anew
    assert index_of(folder, ["a dog", "a cat"], ["a", "b"]).similar(range(2), 1)[0][0][0] == 1
    assert index_of(folder, ["a dog", "a cat"], ["a", "a"]).similar(range(2), 1) == [[], []]


def test_faults(tmp_path):
    with pytest.raises(UserError, match="no captions"):
        build_index([], [], tmp_path / "i")
    with pytest.raises(UserError, match="is no index of similar captions"):
        SimilarIndex.open(tmp_path / "none")
    index = index_of(tmp_path / "i", ["a dog", "a cat"], ["a", "b"])
    assert index.similar(range(0), 3) == []
    with pytest.raises(UserError, match="holds 2 pairs"):
        index.similar(range(1, 3), 3)
