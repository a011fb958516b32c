"""TF-IDF neighbours against the definition (tests/reference/tfidf.py) and scikit-learn's brute force."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import NearestNeighbors

from tests.reference import tfidf as oracle
from unimo_paddle.prepare.rewriting import similar_captions
from unimo_paddle.prepare.rewriting.english import normalise
from unimo_paddle.prepare.rewriting.similar_captions import SimilarCaptions, top_k, vectorise

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


@pytest.mark.parametrize("seed", range(4))
def test_equals_the_definition_whatever_the_block(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    captions, image_ids = random_corpus(seed, 40)
    whole = list(SimilarCaptions(captions, image_ids).negatives(range(len(captions)), 10))
    for pair, found in enumerate(whole):
        wanted = oracle.negatives(captions, image_ids, pair, 10)
        scores = [float(negative.change.removeprefix("similarity ")) for negative in found]
        assert scores == pytest.approx([score for _, score in wanted], abs=0.0051)   # two digits are kept
        beyond = wanted[-1][1] + 1e-5   # below it the order may differ: ties
        assert {text for text, score in wanted if score > beyond} <= {normalise(negative.text) for negative in found}
    monkeypatch.setattr(similar_captions, "SCORES_AT_ONCE", 300)
    parts = SimilarCaptions(captions, image_ids)
    cut = len(captions) // 3
    assert [*parts.negatives(range(cut), 10), *parts.negatives(range(cut, len(captions)), 10)] == whole


def test_never_the_own_image_nor_an_equal_caption() -> None:
    captions, image_ids = random_corpus(9, 60)
    for pair, found in enumerate(SimilarCaptions(captions, image_ids).negatives(range(len(captions)), 30)):
        own = {normalise(captions[other]) for other, image in enumerate(image_ids) if image == image_ids[pair]}
        texts = [normalise(negative.text) for negative in found]
        assert own.isdisjoint(texts)
        assert len(set(texts)) == len(texts)
        assert all(negative.level == "sentence" and negative.text in captions for negative in found)


def test_vectors_and_order_are_scikit_learns() -> None:
    captions, _ = random_corpus(3, 400)
    texts = list(dict.fromkeys(normalise(caption) for caption in captions))
    theirs = TfidfVectorizer(analyzer=str.split).fit_transform(texts)
    vectors = vectorise(texts)
    assert np.abs(vectors.toarray() - theirs.toarray()).max() < 1e-6
    brute = NearestNeighbors(n_neighbors=10, metric="cosine", algorithm="brute").fit(theirs)
    distances, neighbours = brute.kneighbors()
    for number, found in enumerate(top_k(vectors, vectors.T.tocsr(), 11)):
        scores = np.array([score for column, score in found if column != number][:10])
        np.testing.assert_allclose(scores, 1 - distances[number], atol=2e-6)
        sure = {column for column, distance in zip(neighbours[number], distances[number], strict=True)
                if distance < distances[number][-1] - 1e-5}
        assert sure <= {column for column, _ in found}


def test_top_k_hand_worked_with_ties_and_zeros() -> None:
    from scipy.sparse import csr_matrix

    queries = csr_matrix(np.array([[1, 0], [0, 1], [0, 0]], np.float32))
    columns = csr_matrix(np.array([[3, 1, 3, 0, 2], [0, 0, 0, 1, 0]], np.float32))
    assert top_k(queries, columns, 3) == [[(0, 3.0), (2, 3.0), (4, 2.0)], [(3, 1.0)], []]
    assert top_k(queries, columns, 1) == [[(0, 3.0)], [(3, 1.0)], []]


def test_captions_of_nothing_but_punctuation() -> None:
    assert list(SimilarCaptions(["!", "?"], ["a", "b"]).negatives(range(2), 3)) == [[], []]
    mixed = SimilarCaptions(["!", "a dog", "a cat"], ["a", "b", "c"])
    texts = [[negative.text for negative in found] for found in mixed.negatives(range(3), 3)]
    assert texts == [[], ["a cat"], ["a dog"]]
