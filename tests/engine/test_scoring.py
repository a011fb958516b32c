"""Both ways of scoring against one forward pass per pair."""

import numpy as np
import paddle
import pytest

from unimo_paddle.data.batch import pad
from unimo_paddle.data.encode import ImageRow, TextRow
from unimo_paddle.data.patterns import bidirectional, separate
from unimo_paddle.engine.scoring import PairScorer
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
