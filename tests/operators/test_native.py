"""The native operators against plain Paddle and against definitions, their dropout, their threads."""

import os
import subprocess
import sys

import numpy as np
import paddle
import pytest
from scipy.special import erf

from tests.tasks.small_batch import CLASSES, FEATURES, MASK, make_batch
from unimo_paddle.errors import UserError
from unimo_paddle.model.attention_mask import additive_bias
from unimo_paddle.model.heads import LanguageHead
from unimo_paddle.model.layers import encoder_layer, linear
from unimo_paddle.model.unimo import Unimo, UnimoForPretraining
from unimo_paddle.operators import native as operators
from unimo_paddle.operators.library import call
from unimo_paddle.tasks.pretraining import Pretraining

pytestmark = pytest.mark.usefixtures("native")
WIDTH, HEADS = 24, 3


def tensor(rng, *shape, spread=1.0):
    made = paddle.to_tensor(rng.normal(0, spread, shape).astype(np.float32))
    made.stop_gradient = False
    return made


def randomise(layer, seed=0):
    rng = np.random.default_rng(seed)
    for parameter in layer.parameters():
        parameter.set_value(rng.normal(0, 0.4, parameter.shape).astype(np.float32))
    return layer


def twins(rate=0.0):
    """A plain and a native layer of equal weights, in training mode."""
    plain, native = (encoder_layer(WIDTH, HEADS, rate, rate, kind) for kind in ("plain", "native"))
    randomise(plain)
    native.set_state_dict(plain.state_dict())
    return plain.train(), native.train()


def masks(rng, batch, readers, heads, positions=None):
    reads = rng.random((batch, 1, readers, positions or readers)) < 0.6
    reads[..., 0] = True
    return additive_bias(paddle.to_tensor(reads), heads, paddle.float32)


def same(one, other):
    """Equal within 1e-5 of the largest number."""
    one, other = one.numpy(), other.numpy()
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * np.abs(other).max(initial=1.0))


@pytest.mark.parametrize("batch, positions", [(1, 1), (3, 17), (2, 50)])
def test_a_layer_and_all_its_gradients_equal_plain_paddle(batch, positions):
    rng = np.random.default_rng(1)
    plain, native = twins()
    x, weights = tensor(rng, batch, positions, WIDTH), tensor(rng, batch, positions, WIDTH)
    bias = masks(rng, batch, positions, HEADS)
    results = []
    for layer in (plain, native):
        out = layer(x, bias)
        results.append((out, paddle.grad(out, [x, *layer.parameters()], weights)))
    (plain_out, plain_grads), (native_out, native_grads) = results
    same(native_out, plain_out)
    for ours, theirs in zip(native_grads, plain_grads, strict=True):
        same(ours, theirs)


@pytest.mark.parametrize("readers, places", [(1, 0), (1, 2), (5, 7)])
def test_a_layer_of_some_rows_equals_plain_paddle(readers, places):
    rng = np.random.default_rng(13)
    plain, native = twins()
    x, weights, bias = tensor(rng, 2, 17, WIDTH), tensor(rng, places, WIDTH), masks(rng, 2, readers, HEADS, 17)
    rows = [paddle.to_tensor(rng.integers(0, most, shape)) for most, shape in (
        (2 * 17, (2, readers)), (2 * readers, places))]  # fmt: skip
    results = []
    for layer in (plain, native):
        out = layer(x, bias, *rows)
        results.append((out, *paddle.grad(out, [x, *layer.parameters()], weights)))
    for ours, theirs in zip(*reversed(results), strict=True):
        same(ours, theirs)


def test_one_plane_of_the_mask_serves_all_heads():
    rng = np.random.default_rng(2)
    _, native = twins()
    x = tensor(rng, 2, 9, WIDTH)
    one, all_heads = (masks(np.random.default_rng(3), 2, 9, heads) for heads in (1, HEADS))
    np.testing.assert_array_equal(native(x, one).numpy(), native(x, all_heads).numpy())


def test_gelu_and_its_slope_equal_their_definitions_in_both_tails():
    part = linear(1, 1)
    part.weight.set_value(paddle.ones([1, 1]))
    x = paddle.linspace(-12, 12, 4001).reshape([-1, 1])
    x.stop_gradient = False
    made = operators.linear_gelu(x, part)
    slope = paddle.grad(made, [x])[0].numpy()
    u = x.numpy().astype(np.float64)
    below = 0.5 * (1 + erf(u / np.sqrt(2)))
    np.testing.assert_allclose(made.numpy(), u * below, rtol=0, atol=1.5e-6)
    np.testing.assert_allclose(slope, below + u * np.exp(-u * u / 2) / np.sqrt(2 * np.pi), rtol=0, atol=1e-6)


def test_a_layer_norm_equals_the_plain_one():
    rng = np.random.default_rng(14)
    norm, x, weights = randomise(paddle.nn.LayerNorm(WIDTH)), tensor(rng, 3, 5, WIDTH), tensor(rng, 3, 5, WIDTH)
    results = []
    for out in (norm(x), operators.layer_norm(x, norm)):
        results.append((out, *paddle.grad(out, [x, *norm.parameters()], weights)))
    for theirs, ours in zip(*results, strict=True):
        same(ours, theirs)


@pytest.mark.parametrize("reads", [True, False])
def test_a_table_read_twice_gets_the_gradient_of_both(reads):
    """reads: whether the table is used again; a row that comes twice counts twice."""
    rng = np.random.default_rng(15)
    table, hidden, ids = tensor(rng, 9, 4), tensor(rng, 3, 4), paddle.to_tensor([[1, 8, 1], [0, 1, 5]])
    weights, results = tensor(rng, 2, 3, 4), []
    for rows, again in ((paddle.nn.functional.embedding(ids, table), table), operators.tied_words(table, ids)):
        loss = (rows * weights).sum()
        if reads:
            loss = loss + (paddle.matmul(hidden, again, transpose_y=True) ** 2).sum()
        loss.backward()
        results.append((rows, table.grad.clone()))
        table.clear_gradient(False)
    for theirs, ours in zip(*results, strict=True):
        same(ours, theirs)


def test_a_model_learns_as_the_plain_one():
    """The whole step of a language part, in training mode: the same losses, and gradients of all parameters."""
    plain, native = (
        UnimoForPretraining(Unimo(MASK + 1, 16, 3, 2, FEATURES, 64, 0.0, 0.0, operators=kind), CLASSES).train()
        for kind in ("plain", "native")
    )
    randomise(plain)
    native.set_state_dict(plain.state_dict())
    found = []
    for part in make_batch("seq2seq").parts:
        for model in (plain, native):
            terms = Pretraining(model, make_batch, 0.5).losses(part)
            paddle.add_n([term.sum for term in terms.values()]).backward()
            found.append({name: p.grad.numpy() for name, p in model.named_parameters() if p.grad is not None})
            found[-1] |= {name: term.sum.numpy() for name, term in terms.items()}
            model.clear_gradients(False)
        theirs, ours = found.pop(), found.pop()
        assert theirs.keys() == ours.keys() and len(ours) > 50
        for name, array in theirs.items():
            scale = np.abs(array).max(initial=1.0)
            np.testing.assert_allclose(ours[name], array, rtol=0, atol=2e-5 * scale, err_msg=name)


def test_a_language_head_equals_the_plain_one():
    rng = np.random.default_rng(4)
    plain = randomise(LanguageHead(50, WIDTH))
    native = LanguageHead(50, WIDTH, "native")
    native.set_state_dict(plain.state_dict())
    hidden, table, weights = tensor(rng, 7, WIDTH), tensor(rng, 50, WIDTH), tensor(rng, 7, 50)
    results = []
    for head in (plain, native):
        logits = head(hidden, table)
        results.append((logits, *paddle.grad(logits, [hidden, table, *head.parameters()], weights)))
    for theirs, ours in zip(*results, strict=True):
        same(ours, theirs)


def test_nothing_labelled_gives_nothing_and_no_gradient():
    head, hidden = LanguageHead(50, WIDTH, "native"), paddle.zeros([0, WIDTH])
    hidden.stop_gradient = False
    logits = head(hidden, paddle.ones([50, WIDTH]))
    assert logits.shape == [0, 50]
    logits.sum().backward()
    assert not head.bias.grad.numpy().any()


def test_views_are_read_as_what_they_show():
    rng = np.random.default_rng(5)
    bias = tensor(rng, 6)
    before = paddle.get_flags("FLAGS_use_stride_kernel")
    paddle.set_flags({"FLAGS_use_stride_kernel": True})
    try:
        x = tensor(rng, 6, 4)
        out = operators.add_bias(x.T, bias)
        same(out, x.T + bias)
    finally:
        paddle.set_flags(before)


def test_nan_is_never_hidden():
    rng = np.random.default_rng(6)
    _, native = twins()
    x = rng.normal(size=(1, 5, WIDTH)).astype(np.float32)
    x[0, 2, 3] = np.nan
    assert np.isnan(native(paddle.to_tensor(x), paddle.zeros([1, 1, 5, 5])).numpy()).all(axis=2)[0, 2]
    part = linear(1, 1)
    part.weight.set_value(paddle.ones([1, 1]))
    extreme = operators.linear_gelu(paddle.to_tensor([[np.nan], [np.inf], [-1e30]], "float32"), part).numpy()
    assert np.isnan(extreme[0, 0]) and extreme[1, 0] == np.inf and extreme[2, 0] == 0


def test_what_is_not_float32_is_refused():
    _, native = twins()
    with pytest.raises(UserError, match=r"this is paddle.float64 on .*set model.operators to plain"):
        native(paddle.zeros([1, 2, WIDTH], "float64"), paddle.zeros([1, 1, 2, 2], "float64"))


def kept_weights(rate, positions=64, heads=2, batch=3):
    """Attention whose weights are all 1 / S, seen through values that are unit vectors: [B, S, A, S]."""
    width = positions * heads
    parts = [linear(width, width) for _ in range(3)]
    for part, weight in zip(parts, (0.0, 0.0, 1.0), strict=True):
        part.weight.set_value(paddle.eye(width) * weight)
    x = paddle.tile(paddle.eye(positions), [1, heads]).expand([batch, positions, width])
    mixed = operators.attention(x, x, tuple(parts), paddle.zeros([batch, 1, positions, positions]), heads, rate)
    return mixed.numpy().reshape(batch, positions, heads, positions) * positions


def test_dropout_of_attention_is_of_the_rate_independent_and_settled_by_the_seed():
    paddle.seed(7)
    drawn = kept_weights(0.1)
    assert np.unique(drawn.round(4)).tolist() == pytest.approx([0.0, 1 / 0.9], abs=1e-4)
    share = (drawn == 0).mean()
    assert share == pytest.approx(0.1, abs=4 * np.sqrt(0.09 / drawn.size))
    dropped = (drawn == 0) - share
    for shifted in (np.roll(dropped, 1, axis) for axis in range(4)):
        assert abs((dropped * shifted).mean()) < 4 * 0.09 / np.sqrt(drawn.size)
    other = kept_weights(0.1)
    assert abs((dropped * ((other == 0) - share)).mean()) < 4 * 0.09 / np.sqrt(drawn.size)
    paddle.seed(7)
    np.testing.assert_array_equal(kept_weights(0.1), drawn)


def test_dropout_before_the_norm_is_of_the_rate():
    paddle.seed(8)
    part, norm = linear(512, 512), paddle.nn.LayerNorm(512)
    part.weight.set_value(paddle.eye(512))
    out = operators.residual_norm(paddle.ones([100, 512]), part, paddle.zeros([100, 512]), norm, 0.3).numpy()
    assert (out < 0).mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / out.size))


def test_dropout_of_anything_is_of_the_rate_and_the_same_on_the_way_back():
    paddle.seed(16)
    x = paddle.ones([40, 512])
    x.stop_gradient = False
    out = operators.dropout(x, 0.3)
    np.testing.assert_array_equal(paddle.grad(out, [x], paddle.ones_like(out))[0].numpy(), out.numpy())
    assert np.unique(out.numpy().round(4)).tolist() == pytest.approx([0.0, 1 / 0.7], abs=1e-4)
    assert (out.numpy() == 0).mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / 20480))
    assert operators.dropout(x, 0.0) is x


def test_the_backward_pass_drops_what_the_forward_pass_dropped():
    rng = np.random.default_rng(9)
    _, native = twins(rate=0.3)
    x, weights, bias = tensor(rng, 2, 9, WIDTH), tensor(rng, 2, 9, WIDTH), masks(rng, 2, 9, 1)
    direction = rng.normal(size=x.shape).astype(np.float32)

    def value(shift):
        paddle.seed(10)
        return (native(paddle.to_tensor(x.numpy() + shift * direction), bias) * weights).numpy().astype(float).sum()

    paddle.seed(10)
    slope = float((paddle.grad((native(x, bias) * weights).sum(), [x])[0].numpy() * direction).sum())
    assert (value(2e-3) - value(-2e-3)) / 4e-3 == pytest.approx(slope, rel=5e-3)


def test_evaluation_draws_nothing_and_leaves_the_generator_alone():
    _, native = twins(rate=0.5)
    native.eval()
    paddle.seed(11)
    before = paddle.randint(0, 2**31 - 1, [1]).item()
    paddle.seed(11)
    x, bias = paddle.ones([1, 3, WIDTH]), paddle.zeros([1, 1, 3, 3])
    np.testing.assert_array_equal(native(x, bias).numpy(), native(x, bias).numpy())
    assert paddle.randint(0, 2**31 - 1, [1]).item() == before


def digest():
    """Sums of results and gradients of operators alone: Paddle's own products may differ between thread numbers."""
    rng = np.random.default_rng(12)
    paddle.seed(12)
    x, bias, rest, gamma = tensor(rng, 70, 40), tensor(rng, 40), tensor(rng, 70, 40), tensor(rng, 40)
    seed, results = paddle.to_tensor([5]), []
    for out in (
        call("bias_gelu", x, bias)[0],
        call("add_bias", x, bias)[0],
        call("dropout", x + bias, seed, 0.2)[0],
        call("residual_norm", x, bias, rest, gamma, bias, seed, 0.2, 1e-5)[0],
        call("attention", *(3 * [x.reshape([2, 35, 40])]), *(3 * [bias]), paddle.zeros([2, 1, 35, 35]), seed,
                       5, 0.2)[0],
    ):  # fmt: skip
        made = paddle.grad(out, [x, bias], out.detach() * 0.7)
        results += [one.numpy().tobytes().hex() for one in (out, *made)]
    return results


def test_the_number_of_threads_changes_no_bit():
    code = "import json; from tests.operators.test_native import digest; print(json.dumps(digest()))"
    runs = []
    for threads in ("1", "3"):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                              env={**os.environ, "MKL_NUM_THREADS": threads})  # fmt: skip
        runs.append(done.stdout.splitlines()[-1])
    assert runs[0] == runs[1]
