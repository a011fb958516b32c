"""The one-pass update against Paddle's AdamW and against the slow oracle, and the gradients' length."""

import numpy as np
import paddle
import pytest
from paddle import nn

from unimo_paddle.engine.adamw import PlainAdamW
from unimo_paddle.errors import UserError
from unimo_paddle.operators.adamw import NativeAdamW, gradient_norm

pytestmark = pytest.mark.usefixtures("native")
RULE = (0.1, (0.9, 0.98), 1e-6)


def make():
    """Parameters by name; the largest takes several of the operator's blocks."""
    paddle.seed(3)
    layers = nn.Sequential(nn.Linear(250, 300), nn.LayerNorm(300), nn.Linear(300, 5))
    return dict(layers.named_parameters())


def give(named, seed, names=None):
    rng = np.random.default_rng(seed)
    for name, parameter in named.items():
        gradient = rng.normal(size=parameter.shape).astype(np.float32)
        parameter.grad = paddle.to_tensor(gradient) if names is None or name in names else None


def advance(rule, named, steps, names=None):
    for step in steps:
        give(named, step, names)
        rule.update(1e-3, 0.5)


def rules():
    named, twin = make(), make()
    decayed = {"0.weight", "2.weight"}
    return (PlainAdamW(named, decayed, *RULE), named), (NativeAdamW(twin, decayed, *RULE), twin)


def gap(one, other):
    return max(float((one[name] - other[name]).abs().max() / other[name].abs().max()) for name in other)


def test_two_hundred_updates_equal_paddles():
    (plain, named), (native, twin) = rules()
    advance(plain, named, range(200))
    advance(native, twin, range(200))
    assert gap(twin, named) < 2e-5
    assert gap(native.states(), plain.states()) < 1e-6
    assert native.states().keys() == plain.states().keys()


def test_one_update_by_hand():
    p = paddle.create_parameter([1], "float32", default_initializer=nn.initializer.Constant(2.0))
    rule = NativeAdamW({"p": p}, {"p"}, 0.1, (0.9, 0.98), 0.0)
    p.grad = paddle.to_tensor([-3.0])
    rule.update(0.01)
    # bias-corrected, the first step is rate * sign(gradient): 2 - 0.01 * 0.1 * 2 + 0.01
    assert float(p) == pytest.approx(2.008, abs=1e-6)
    assert {key: round(float(value), 5) for key, value in rule.states().items()} == {
        "moment1:p": -0.3, "moment2:p": 0.18, "beta1_pow_acc:p": 0.81, "beta2_pow_acc:p": 0.9604,
    }  # fmt: skip


def test_either_goes_on_from_the_others_state():
    (plain, named), (native, twin) = rules()
    advance(plain, named, range(5))
    native.make_states(named)
    for key, tensor in native.states().items():
        tensor.set_value(plain.states()[key])
    for name, parameter in twin.items():
        parameter.set_value(named[name])
    advance(plain, named, range(5, 9))
    advance(native, twin, range(5, 9))
    assert gap(twin, named) < 2e-6


def test_a_restored_rule_goes_on_bitwise():
    _, (first, named) = rules()
    advance(first, named, range(4))
    _, (second, twin) = rules()
    second.make_states(named)
    for key, tensor in second.states().items():
        tensor.set_value(first.states()[key].numpy())
    for name, parameter in twin.items():
        parameter.set_value(named[name].numpy())
    advance(first, named, range(4, 8))
    advance(second, twin, range(4, 8))
    for name, parameter in twin.items():
        np.testing.assert_array_equal(parameter.numpy(), named[name].numpy())


def test_parameters_without_a_gradient_stay_and_have_their_own_steps():
    (plain, named), (native, twin) = rules()
    before = twin["2.weight"].numpy().copy()
    for rule, parameters in ((plain, named), (native, twin)):
        advance(rule, parameters, range(3), {"0.weight"})
    np.testing.assert_array_equal(twin["2.weight"].numpy(), before)
    assert {key.partition(":")[2] for key in native.states()} == {"0.weight"}
    for rule, parameters in ((plain, named), (native, twin)):
        advance(rule, parameters, range(3, 6))
    assert gap(twin, named) < 2e-6
    native.update(1e-3)
    twin["0.weight"].grad = None


def test_nothing_to_update_is_no_error():
    _, (native, twin) = rules()
    for parameter in twin.values():
        parameter.grad = None
    native.update(1e-3)
    assert native.states() == {} and gradient_norm(twin.values()) == 0.0


def test_the_length_of_all_gradients():
    named = make()
    give(named, 1)
    every = np.concatenate([p.grad.numpy().ravel() for p in named.values()]).astype(np.float64)
    assert gradient_norm(named.values()) == pytest.approx(np.linalg.norm(every), rel=1e-9)
    named["1.bias"].grad[3] = np.inf
    assert gradient_norm(named.values()) == np.inf
    named["1.bias"].grad[4] = np.nan
    assert np.isnan(gradient_norm(named.values()))


def test_float64_is_refused():
    with pytest.raises(UserError, match="this is paddle.float64"):
        NativeAdamW({"p": paddle.zeros([2], "float64")}, (), *RULE)
