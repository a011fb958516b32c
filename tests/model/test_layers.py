"""Initial weights, and the attention of one layer against its slow oracle."""

import numpy as np
import paddle
import pytest

from tests.reference import attention as oracle
from unimo_paddle.model.attention_mask import additive_bias
from unimo_paddle.model.layers import EncoderLayer, embedding, linear


def test_initial_weights_are_a_normal_cut_at_two_deviations():
    paddle.seed(1)
    layer = linear(300, 200)
    for weight in (layer.weight.numpy(), embedding(300, 200).weight.numpy()):
        assert weight.shape == (300, 200)
        assert np.abs(weight).max() <= 0.04 + 1e-6
        # a standard normal cut at +-2 has deviation sqrt(1 - 4 * pdf(2) / (cdf(2) - cdf(-2))) = 0.8796
        assert weight.std() == pytest.approx(0.02 * 0.8796, rel=0.01)
    assert not layer.bias.numpy().any()


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_attention_equals_the_oracle(heads, doubles):
    paddle.seed(2)
    layer = EncoderLayer(8, heads, 0.0, 0.0)
    rng = np.random.default_rng(heads)
    for part in (layer.query, layer.key, layer.value):
        part.weight.set_value(rng.normal(size=(8, 8)))
        part.bias.set_value(rng.normal(size=8))
    x = rng.normal(size=(3, 5, 8))
    reads = rng.random((3, 5, 5)) < 0.5
    reads[:, :, 0] = True
    bias = additive_bias(paddle.to_tensor(reads[:, None]), heads, paddle.float64)
    states = paddle.to_tensor(x)
    result = layer.attend(states, states, bias).numpy()
    for b in range(3):
        parts = [x[b] @ part.weight.numpy() + part.bias.numpy() for part in (layer.query, layer.key, layer.value)]
        np.testing.assert_allclose(result[b], oracle.attend(*parts, reads[b], heads), atol=1e-12)


def test_width_that_heads_do_not_divide_is_refused():
    with pytest.raises(ValueError, match="width 10 is not a multiple of heads 4"):
        EncoderLayer(10, 4, 0.0, 0.0)
