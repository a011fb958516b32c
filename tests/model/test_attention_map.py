"""The last layer's attention: shares that sum to 1, none for what may not be read, and what the layer mixes by."""

import numpy as np
import paddle

from unimo_paddle.data.patterns import image_prefix
from unimo_paddle.model.attention_map import attention_weights, last_attention


def test_rows_sum_to_one_and_padding_gets_nothing(make_model, batch):
    weights = last_attention(make_model().encoder, batch).numpy()
    is_pad = batch.is_pad.numpy()
    assert weights.shape == (3, 10, 10)
    np.testing.assert_allclose(weights.sum(axis=2), 1, rtol=1e-5)
    assert is_pad.any() and weights.transpose(0, 2, 1)[is_pad].max() < 1e-6


def test_a_target_word_reads_none_after_it(small):
    model, make_example, inputs_of = small
    inputs = inputs_of([make_example(np.random.default_rng(1), 2, 4)], [image_prefix(2, 0, 4)])
    weights = last_attention(model.encoder, inputs).numpy()[0]
    assert np.abs(np.triu(weights[2:, 2:], 1)).max() < 1e-12
    assert weights[:2, 2:].max() < 1e-12  # nor does the image read the text that is being written


def test_the_layers_own_mixture_is_these_weights_times_the_values(small):
    model, _, _ = small
    layer = model.encoder.layers[-1]
    rng = np.random.default_rng(4)
    x, bias = paddle.to_tensor(rng.normal(size=(2, 5, 8))), paddle.zeros([2, 2, 5, 5], "float64")
    mixed = attention_weights(layer, x, bias) @ layer.split_heads(layer.value(x))
    expected = mixed.transpose([0, 2, 1, 3]).reshape([2, 5, 8]).numpy()
    np.testing.assert_allclose(layer.attend(x, x, bias).numpy(), expected, atol=1e-12)


def test_nothing_stays_behind_in_the_model(make_model, batch):
    model = make_model()
    before = model(batch).text.numpy()
    last_attention(model.encoder, batch)
    assert not model.encoder.layers[-1]._forward_pre_hooks
    np.testing.assert_array_equal(model(batch).text.numpy(), before)
