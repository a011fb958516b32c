"""The heads worked by hand, and logits only where a label is."""

import numpy as np
import paddle

from tests.reference.transformer import gelu, layer_norm, linear
from unimo_paddle.model.heads import LanguageHead, MatchHead, Poolers


def weights_of(layer):
    return {name: value.numpy() for name, value in layer.state_dict().items()}


def test_language_head_equals_its_definition(small):
    model, _, _ = small
    rng = np.random.default_rng(1)
    hidden, weights = rng.normal(size=(4, 8)), weights_of(model)
    table = weights["encoder.word_embedding.weight"]
    known = layer_norm(weights, "language_head.norm", gelu(linear(weights, "language_head.transform", hidden)))
    result = model.language_head(paddle.to_tensor(hidden), paddle.to_tensor(table)).numpy()
    np.testing.assert_allclose(result, known @ table.T + weights["language_head.bias"], atol=1e-12)


def test_only_the_language_norm_starts_at_one():
    head = LanguageHead(10, 4)
    assert (head.norm.bias.numpy() == 1).all() and (head.norm.weight.numpy() == 1).all()
    assert not head.bias.numpy().any() and not head.transform.bias.numpy().any()


def test_poolers_read_row_zero_through_relu():
    poolers = Poolers(2)
    for part in (poolers.image, poolers.text):
        part.weight.set_value(paddle.to_tensor([[1.0, 0.0], [0.0, -1.0]]))
    states = paddle.to_tensor([[[3.0, 2.0], [9.0, 9.0]]])
    assert poolers.pool_image(states).tolist() == [[3.0, 0.0]]
    assert poolers.pool_text(-states).tolist() == [[0.0, 2.0]]


def test_match_score_is_a_weighted_product():
    head = MatchHead(2, dropout=0.5)
    head.eval()
    head.score.weight.set_value(paddle.to_tensor([[10.0], [1.0]]))
    head.score.bias.set_value(paddle.to_tensor([0.5]))
    image, text = paddle.to_tensor([[2.0, 3.0], [0.0, 1.0]]), paddle.to_tensor([[1.0, 4.0], [7.0, 1.0]])
    assert head(image, text).tolist() == [32.5, 1.5]   # 10*2*1 + 3*4 + 0.5 and 10*0*7 + 1*1 + 0.5


def test_logits_arise_only_where_a_label_is(make_model, batch):
    model, seen = make_model(), []
    model.language_head.register_forward_post_hook(lambda _, inputs, output: seen.append((inputs[0], output)))
    states = model(batch)
    rows = paddle.to_tensor([1, 6, 6 + 5])
    logits = model.language_logits(states, rows)
    assert [(list(given.shape), list(made.shape)) for given, made in seen] == [([3, 8], [3, 30])]
    flat = states.text.reshape([-1, 8])
    every = model.language_head(flat, model.encoder.word_embedding.weight)
    np.testing.assert_allclose(logits.numpy(), every.numpy()[rows.numpy()], atol=1e-5)


def test_region_outputs_of_the_labelled_regions(make_model, batch):
    model = make_model()
    states, weights = model(batch), weights_of(model)
    features, logits = model.region_outputs(states, paddle.to_tensor([4, 9]))
    hidden = states.image.numpy()[[1, 2], [0, 1]]   # of 4 rows an image: flat 4 is (1, 0) and flat 9 is (2, 1)
    for result, name in ((features, "region_regression"), (logits, "region_classifier")):
        expected = linear(weights, f"{name}.projection", hidden)
        np.testing.assert_allclose(result.numpy(), expected, atol=1e-5)


def test_nothing_labelled_gives_nothing_and_no_error(make_model, batch):
    model, none = make_model(), paddle.zeros([0], "int64")
    logits = model.language_logits(model(batch), none)
    features, classes = model.region_outputs(model(batch), none)
    assert [list(one.shape) for one in (logits, features, classes)] == [[0, 30], [0, 6], [0, 5]]
