"""Both ways of scoring against one forward pass per pair."""

import numpy as np
import paddle
import pytest

from unimo_paddle.data.batch import pad
from unimo_paddle.data.encode import ImageRow, TextRow
from unimo_paddle.data.patterns import bidirectional, separate
from unimo_paddle.engine.scoring import PairScorer, batches, nearest
from unimo_paddle.model.inputs import to_tensors
from unimo_paddle.model.unimo import Unimo, UnimoForPretraining


@pytest.fixture(scope="module")
def model():
    paddle.seed(3)
    made = UnimoForPretraining(Unimo(30, 16, 2, 2, feature_width=6), classes=4)
    for parameter in made.parameters():  # at their start all scores are nearly equal
        parameter.set_value(parameter + 0.2 * paddle.randn(parameter.shape))
    made.eval()
    return made


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    images = [
        ImageRow(
            rng.normal(size=(n, 6)).astype(np.float32), rng.random((n, 5), np.float32),
            np.zeros((n, 4), np.float32), np.zeros((n, 4), np.float32),
        )
        for n in (3, 5, 2, 4)
    ]  # fmt: skip
    texts = [
        TextRow(rng.integers(4, 30, n), np.arange(2, n + 2), np.ones(n, bool)) for n in (4, 2, 7, 3, 5)
    ]
    return images, texts


def naive(model, images, texts, pattern):
    """Slow oracle: one pair at a time, unpadded."""
    scores = np.zeros((len(texts), len(images)), np.float32)
    for t, text in enumerate(texts):
        for i, image in enumerate(images):
            alone = pad([image], [text], [pattern(len(image.features), len(text.ids))])
            scores[t, i] = float(model.match_scores(model(to_tensors(alone))))
    return scores


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_joint_and_separate_equal_one_pair_at_a_time(model, rows, batch):
    images, texts = rows
    scorer = PairScorer(model, images, texts, batch)
    with paddle.no_grad():
        joint, apart = naive(model, images, texts, bidirectional), naive(model, images, texts, separate)
    np.testing.assert_allclose(scorer.joint(), joint, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(scorer.separate(), apart, rtol=1e-4, atol=1e-5)
    assert np.abs(joint - apart).max() > 1e-2  # reading each other does change the scores


@pytest.mark.parametrize("count", [1, 2, 9])
def test_a_shortlist_has_exact_scores_above_all_others(model, rows, count):
    images, texts = rows
    scorer = PairScorer(model, images, texts, 4)
    joint, apart, short = scorer.joint(), scorer.separate(), scorer.shortlisted(count)
    is_in = np.zeros_like(joint, bool)
    for row, scores in enumerate(apart):
        is_in[row, np.argsort(-scores)[:count]] = True
    for column, scores in enumerate(apart.T):
        is_in[np.argsort(-scores)[:count], column] = True
    np.testing.assert_allclose(short[is_in], joint[is_in], rtol=1e-5, atol=1e-6)
    if not is_in.all():
        assert short[~is_in].max() < joint[is_in].min()
        np.testing.assert_array_equal(np.argsort(short[~is_in]), np.argsort(apart[~is_in]))


def test_some_texts_and_images_score_as_among_all(model, rows):
    scorer = PairScorer(model, *rows, 3)
    whole = scorer.joint()
    np.testing.assert_allclose(scorer.exact(texts=[3, 0], images=[1]), whole[[3, 0]][:, [1]], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(scorer.exact(images=[2]), whole[:, [2]], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_batches_hold_each_pair_once_and_texts_of_like_length(size):
    places = np.stack(np.meshgrid(np.arange(4), np.arange(3), indexing="ij"), axis=-1).reshape(-1, 2)
    found = list(batches(places, np.array([9, 1, 9, 1]), size))
    assert sorted(np.concatenate(found).tolist()) == list(range(12))
    assert all(len(some) <= size for some in found)
    assert set(places[np.concatenate(found)[:6], 0].tolist()) == {1, 3}  # the short texts come first


def test_nearest_equals_sorting_all_products():
    rng = np.random.default_rng(1)
    queries, candidates = rng.normal(size=(6, 5)).astype(np.float32), rng.normal(size=(8, 5)).astype(np.float32)
    found = nearest(queries, candidates, 3)
    expected = np.argsort(-queries @ candidates.T, axis=1)[:, :3]
    assert found[:, 0].tolist() == np.repeat(np.arange(6), 3).tolist()
    np.testing.assert_array_equal(found[:, 1].reshape(6, 3), expected)
    assert len(nearest(queries, candidates[:2], 5)) == 12
