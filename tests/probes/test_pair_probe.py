"""The whole probe: its values by name and against the scorer, its pictures, and that it leaves no trace."""

import numpy as np
import paddle
import pytest

from unimo_paddle.engine.scoring import PairScorer
from unimo_paddle.metrics.retrieval import recall
from unimo_paddle.probes.pair_probe import SHOWN, VALUES, PairProbe


@pytest.fixture(scope="module")
def probe(pieces):
    return PairProbe(pieces.model, pieces.pairs, pieces.tokenizer, pieces.store.meta.classes, batch=3)


@pytest.fixture(scope="module")
def probed(probe):
    return probe(7)


def test_values_are_shares_under_the_names_that_settings_may_use(probed, pieces):
    assert tuple(probed.values) == VALUES
    assert all(0 <= value <= 1 for value in probed.values.values())
    scores = PairScorer(pieces.model, pieces.pairs.images, pieces.pairs.texts, 64).joint()
    to_text = recall(scores.T, pieces.pairs.is_right.T, [1]).at[1]
    assert probed.values["joint_image_to_text_R@1"] == to_text
    assert probed.values["separate_text_to_image_R@5"] == 1.0  # among 5 pairs


def test_pictures_and_captions_can_be_looked_at(probed):
    assert set(probed.pictures) == {"masked_regions", "captions", "attention"}
    for pixels in probed.pictures.values():
        assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3
        assert 400 < pixels.shape[1] < 1500 and pixels.std() > 5
    lines = probed.texts["captions"].splitlines()
    assert len(lines) == SHOWN and lines[1].endswith("(true: two cats)")


def test_it_is_the_same_again_and_leaves_weights_and_random_numbers_alone(probe, probed, pieces):
    weights = {name: value.numpy().copy() for name, value in pieces.model.state_dict().items()}
    paddle.seed(3)
    expected = paddle.rand([4]).numpy()
    paddle.seed(3)
    again = probe(8)
    np.testing.assert_array_equal(paddle.rand([4]).numpy(), expected)
    assert again.values == probed.values and again.texts == probed.texts
    for name, pixels in probed.pictures.items():
        np.testing.assert_array_equal(again.pictures[name], pixels)
    for name, value in pieces.model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), weights[name])
    assert all(parameter.grad is None for parameter in pieces.model.parameters())


def test_a_model_in_training_is_refused(probe, pieces):
    pieces.model.train()
    try:
        with pytest.raises(AssertionError, match="without dropout"):
            probe(1)
    finally:
        pieces.model.eval()


def test_a_words_attention_is_the_mean_of_its_tokens(probe, pieces):
    words, places = probe._words(0)
    assert words == ["a", "dog", "near", "a", "pond"]
    text = pieces.pairs.texts[0]
    assert [place for some in places for place in some] == list(range(1, len(text.ids) - 1))
