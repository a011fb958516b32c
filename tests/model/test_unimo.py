"""The encoder against the slow Transformer, padding, absent parts, dropout, sizes and gradients."""

import dataclasses

import numpy as np
import paddle
import pytest

from tests.reference import transformer as oracle
from unimo_paddle.data import patterns
from unimo_paddle.model.inputs import to_read
from unimo_paddle.model.layers import take_rows
from unimo_paddle.model.unimo import Unimo, UnimoForPretraining, parameter_count
from unimo_paddle.objectives import contrastive, language, visual

MIXED = [(3, 5), (1, 2), (4, 3)]


def caption(regions, tokens):
    """The last half of the text is the target."""
    return patterns.image_prefix(regions, tokens - tokens // 2, tokens // 2)


@pytest.mark.parametrize("pattern", [patterns.bidirectional, caption, patterns.separate])
@pytest.mark.parametrize("sizes", [MIXED, [(0, 4), (0, 1)], [(3, 0), (1, 0)], [(1, 1)]])
def test_padded_batch_equals_the_slow_transformer(small, pattern, sizes):
    model, make_example, inputs_of = small
    rng = np.random.default_rng(7)
    examples, rules = [make_example(rng, *size) for size in sizes], [pattern(*size) for size in sizes]
    states = model(inputs_of(examples, rules))
    weights = {name: value.numpy() for name, value in model.encoder.state_dict().items()}
    for b, (regions, tokens) in enumerate(sizes):
        expected = oracle.encode(weights, 2, 2, *examples[b], rules[b])
        np.testing.assert_allclose(states.image.numpy()[b, :regions], expected[:regions], atol=1e-10)
        np.testing.assert_allclose(states.text.numpy()[b, :tokens], expected[regions:], atol=1e-10)


def test_absent_parts_have_no_rows(small):
    model, make_example, inputs_of = small
    rng = np.random.default_rng(0)
    texts = model(inputs_of([make_example(rng, 0, 3)], [patterns.bidirectional(0, 3)]))
    images = model(inputs_of([make_example(rng, 2, 0)], [patterns.bidirectional(2, 0)]))
    assert [list(texts.image.shape), list(texts.text.shape)] == [[1, 0, 8], [1, 3, 8]]
    assert [list(images.image.shape), list(images.text.shape)] == [[1, 2, 8], [1, 0, 8]]


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize(
    ("image", "text"),
    [([5, 0, 7], [14, 3, 1, 8, 9]), ([], [2, 0, 3]), ([[4], [0], [8]], [[5], [0], [10]]), ([2], []), ([], [])],
)
def test_rows_read_alone_are_those_of_all_states(small, make_model, layers, image, text):
    """Slow oracle: all states of all layers, then the rows; gradients too."""
    _, make_example, inputs_of = small
    model, rng = make_model(layers=layers), np.random.default_rng(8)
    inputs = inputs_of([make_example(rng, *size) for size in MIXED], [caption(*size) for size in MIXED])
    image, text = (np.array(rows, np.int64) for rows in (image, text))
    every, alone = model(inputs), model(inputs, to_read(inputs, image, text))
    every = [take_rows(of, paddle.to_tensor(rows)) for of, rows in ((every.image, image), (every.text, text))]
    found = []
    for states in (every, [alone.image, alone.text]):
        assert [part.shape for part in states] == [[*rows.shape, 8] for rows in (image, text)]
        paddle.add_n([(part**3).sum() for part in states]).backward()
        learnt = [p.grad.numpy() for p in model.encoder.parameters() if p.grad is not None]
        found.append([*(part.numpy() for part in states), *learnt])
        model.clear_gradients(False)
    for wanted, got in zip(*found, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-10)


def test_what_stands_in_the_padding_changes_nothing(make_model, batch):
    model = make_model()
    before = model(batch)
    is_pad = batch.is_pad.numpy()
    image_pad, text_pad = np.split(is_pad, [batch.features.shape[1]], axis=1)
    features, token_ids = batch.features.numpy(), batch.token_ids.numpy()
    assert image_pad.any() and text_pad.any()
    features[image_pad], token_ids[text_pad] = 50.0, 17
    noisy = dataclasses.replace(
        batch, features=paddle.to_tensor(features), token_ids=paddle.to_tensor(token_ids)
    )
    after = model(noisy)
    for pad, old, new in ((image_pad, before.image, after.image), (text_pad, before.text, after.text)):
        np.testing.assert_allclose(new.numpy()[~pad], old.numpy()[~pad], atol=1e-6)


def test_a_row_that_may_read_nothing_stays_finite(make_model, batch):
    model, size = make_model(), batch.is_pad.shape
    states = model(dataclasses.replace(batch, is_pad=paddle.ones(size, "bool")))
    loss = states.image.sum() + states.text.sum()
    loss.backward()
    assert np.isfinite(states.image.numpy()).all() and np.isfinite(states.text.numpy()).all()
    assert all(np.isfinite(p.grad.numpy()).all() for p in model.encoder.parameters())


def test_dropout_acts_in_training_only(make_model, batch):
    paddle.seed(5)
    model = make_model(dropout=0.3)
    still = model(batch).text.numpy()
    np.testing.assert_array_equal(model(batch).text.numpy(), still)
    model.train()
    assert np.abs(model(batch).text.numpy() - model(batch).text.numpy()).max() > 0.01
    plain = make_model(dropout=0.0)
    plain.train()
    np.testing.assert_array_equal(plain(batch).text.numpy(), still)


def test_dropout_keeps_the_mean():
    paddle.seed(5)
    layer = Unimo(9, 4, 1, 1, 3).layers[0]
    layer.train()
    dropped = layer.drop(paddle.ones([200, 200]), 0.25).numpy()
    assert set(np.unique(dropped)) == {np.float32(0), np.float32(1 / 0.75)}
    assert dropped.mean() == pytest.approx(1, abs=0.02)


def test_published_sizes():
    assert parameter_count(50265, 768, 12, 2048) == 125_634_048
    assert round(parameter_count(50265, 1024, 24, 2048) / 1e6, 2) == 356.42


@pytest.mark.parametrize("vocab, width, layers, feature, positions", [(30, 8, 2, 6, 40), (11, 4, 1, 3, 514)])
def test_the_formula_counts_a_real_model(vocab, width, layers, feature, positions):
    model = Unimo(vocab, width, layers, 2, feature, positions)
    real = sum(p.size for p in model.parameters())
    assert int(real) == parameter_count(vocab, width, layers, feature, positions)


def test_scores_encoded_apart_equal_those_of_the_separate_pattern(make_model, small):
    model, make_example, inputs_of = small
    rng = np.random.default_rng(4)
    pairs = [make_example(rng, *size) for size in MIXED]
    together = model(inputs_of(pairs, [patterns.separate(*size) for size in MIXED]))
    images = model(inputs_of([(i, None) for i, _ in pairs], [patterns.bidirectional(r, 0) for r, _ in MIXED]))
    texts = model(inputs_of([(None, t) for _, t in pairs], [patterns.bidirectional(0, t) for _, t in MIXED]))
    apart = model.match_scores_separate(images, texts)
    assert apart.shape == [3]
    np.testing.assert_allclose(model.match_scores(together).numpy(), apart.numpy(), atol=1e-12)
    joint = model(inputs_of(pairs, [patterns.bidirectional(*size) for size in MIXED]))
    assert np.abs(model.match_scores(joint).numpy() - apart.numpy()).max() > 1e-3


def every_loss(model, inputs):
    """The sum of all objectives on three examples, as one number."""
    states = model(inputs)
    rows = paddle.to_tensor([1, 5, 11])
    terms = [language.cross_entropy(model.language_logits(states, rows), paddle.to_tensor([3, 29, 7]), 0.1)]
    features, logits = model.region_outputs(states, paddle.to_tensor([0, 9]))
    terms.append(visual.regression(features, paddle.ones_like(features)))
    terms.append(visual.classification(logits, paddle.full_like(logits, 0.2)))
    scores = model.match_scores(states).reshape([1, 3])
    positive = paddle.to_tensor([[True, False, False]])
    terms.append(contrastive.cmcl(scores, positive, paddle.ones_like(positive), 0.5))
    return sum(term.mean() for term in terms)


def test_gradients_equal_finite_differences(small, make_model):
    _, make_example, inputs_of = small
    model, rng, step = make_model(layers=1), np.random.default_rng(9), 1e-5
    inputs = inputs_of([make_example(rng, *size) for size in MIXED], [caption(*size) for size in MIXED])
    every_loss(model, inputs).backward()
    for name, parameter in model.named_parameters():
        gradient, value = parameter.grad.numpy(), parameter.numpy()
        assert np.abs(gradient).max() > 0, f"{name} learns nothing"
        place = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
        sides = []
        for sign in (1, -1):
            moved = value.copy()
            moved[place] += sign * step
            parameter.set_value(moved)
            sides.append(float(every_loss(model, inputs)))
        parameter.set_value(value)
        slope = (sides[0] - sides[1]) / (2 * step)
        assert gradient[place] == pytest.approx(slope, rel=1e-4, abs=1e-7), name


def test_names_that_checkpoints_hold():
    names = set(UnimoForPretraining(Unimo(9, 4, 1, 1, 3, 12), 2).state_dict())
    linears = ["image_projection", "location_projection", "text_norm", "image_norm"]
    linears += [f"layers.0.{part}" for part in ("query", "key", "value", "output", "ffn_in", "ffn_out")]
    linears += ["layers.0.attention_norm", "layers.0.ffn_norm"]
    heads = ["language_head.transform", "language_head.norm", "poolers.text", "poolers.image"]
    heads += ["match_head.score", "region_regression.projection", "region_classifier.projection"]
    whole = [f"encoder.{name}" for name in linears] + heads
    assert names == {f"{name}.{kind}" for name in whole for kind in ("weight", "bias")} | {
        "encoder.word_embedding.weight",
        "encoder.position_embedding.weight",
        "language_head.bias",
    }


def test_centred_start_is_the_old_projection_of_standardised_features():
    paddle.seed(5)
    model = Unimo(9, 8, 1, 2, feature_width=6)
    features = np.random.default_rng(2).normal(3.0, 2.0, (50, 6)).astype(np.float32)
    mean, spread = features.mean(0), features.std(0)
    wanted = ((features - mean) / spread) @ model.image_projection.weight.numpy()
    model.center_images(paddle.to_tensor(mean), paddle.to_tensor(spread))
    np.testing.assert_allclose(model.image_projection(paddle.to_tensor(features)).numpy(), wanted, atol=1e-6)
