"""Adam against the slow oracle, the schedules against their tables, clipping by hand."""

import numpy as np
import paddle
import pytest
from paddle import nn

from tests.engine.small_work import SmallModel
from tests.reference.adam import SlowAdam
from tests.reference.schedule import linear_table, release_table
from unimo_paddle.engine.optimizer import Adam, clip_gradients, decayed_names, learning_rate
from unimo_paddle.errors import UserError


def gradients(model, step):
    rng = np.random.default_rng(step)
    scale = 10.0 ** rng.uniform(-6, 1)  # some steps are clipped, some are not
    return {name: (rng.normal(size=p.shape) * scale).astype("float32") for name, p in model.named_parameters()}


def make_steps(model, optimizer, steps, oracle=None):
    named = dict(model.named_parameters())
    for step in steps:
        given = gradients(model, step)
        for name, gradient in given.items():
            named[name].grad = paddle.to_tensor(gradient)
        norm = optimizer.step(0.01 * (step + 1))
        if oracle:
            assert norm == pytest.approx(oracle.step(given, 0.01 * (step + 1)), rel=1e-5)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_it_equals_the_release_formula(weight_decay):
    model = SmallModel()
    named = dict(model.named_parameters())
    oracle = SlowAdam({n: p.numpy() for n, p in named.items()}, {"table.weight", "out.weight"}, weight_decay,
                      beta1=0.9, beta2=0.98, epsilon=1e-6, clip_norm=1.0)
    make_steps(model, Adam(model, weight_decay), range(8), oracle)
    for name, parameter in named.items():
        np.testing.assert_allclose(parameter.numpy(), oracle.parameters[name], rtol=2e-5, atol=2e-6, err_msg=name)


def test_norms_and_biases_are_not_decayed_but_embeddings_are():
    class Model(nn.Layer):
        def __init__(self):
            super().__init__()
            self.inner = SmallModel()
            self.batch_norm = nn.BatchNorm2D(3)
            self.bias = self.create_parameter([4], is_bias=True)

    assert decayed_names(Model()) == {"inner.table.weight", "inner.out.weight"}


def test_frozen_and_unused_parameters_stay_as_they_are():
    model = SmallModel()
    model.table.weight.stop_gradient = True
    before = {name: p.numpy() for name, p in model.named_parameters()}
    optimizer = Adam(model, weight_decay=0.5)
    model.out.weight.grad = paddle.ones_like(model.out.weight)
    assert optimizer.step(0.1) == pytest.approx(np.sqrt(16 * 50))
    changed = {name for name, p in model.named_parameters() if not np.array_equal(p.numpy(), before[name])}
    assert changed == {"out.weight"}
    assert {key.partition(":")[2] for key in optimizer.state()} == {"out.weight"}


def test_clipping_by_hand():
    a, b = paddle.zeros([2]), paddle.zeros([1])
    a.grad, b.grad = paddle.to_tensor([3.0, 0.0]), paddle.to_tensor([4.0])
    assert clip_gradients([a, b, paddle.zeros([1])], 10.0) == 5.0
    assert a.grad.tolist() == [3.0, 0.0]
    assert clip_gradients([a, b], 1.0) == 5.0
    np.testing.assert_allclose([*a.grad.tolist(), *b.grad.tolist()], [0.6, 0.0, 0.8], rtol=1e-6)
    assert clip_gradients([paddle.zeros([1])], 1.0) == 0.0


def test_a_gradient_that_is_not_finite_changes_nothing():
    model = SmallModel()
    before = model.out.weight.numpy()
    optimizer = Adam(model)
    model.out.weight.grad = paddle.full_like(model.out.weight, float("inf"))
    assert not np.isfinite(optimizer.step(0.1))
    assert np.array_equal(model.out.weight.numpy(), before) and not optimizer.state()


def test_the_state_goes_on_bitwise_in_another_optimizer():
    straight, broken = SmallModel(), SmallModel()
    broken.set_state_dict(straight.state_dict())
    make_steps(straight, Adam(straight), range(6))
    first = Adam(broken)
    make_steps(broken, first, range(3))
    saved = first.state()
    assert len(saved) == 5 * 4 and saved["moment1:out.weight"].shape == (16, 50)
    second = Adam(broken)
    second.load(saved)
    make_steps(broken, second, range(3, 6))
    for a, b in zip(straight.parameters(), broken.parameters(), strict=True):
        assert np.array_equal(a.numpy(), b.numpy())


def test_a_state_of_another_model_is_refused():
    model = SmallModel()
    optimizer = Adam(model)
    make_steps(model, optimizer, range(1))
    state = optimizer.state()
    state["moment1:other.weight"] = state.pop("moment1:out.weight")
    state["moment2:out.bias"] = np.zeros(3, "float32")
    with pytest.raises(UserError) as error:
        Adam(model).load(state)
    misfits = "moment1:out.weight is missing", "moment1:other.weight belongs to no", "out.bias is [3] instead of [50]"
    for part in misfits:
        assert part in str(error.value)


@pytest.mark.parametrize(("warmup", "total"), [(0, 1), (0, 7), (1, 9), (6, 100), (99, 100)])
def test_the_schedules_equal_their_tables(warmup, total):
    for schedule, table in (("linear", linear_table), ("release", release_table)):
        rates = [learning_rate(step, 5e-5, warmup, total, schedule) for step in range(total)]
        np.testing.assert_allclose(rates, table(5e-5, warmup, total), atol=1e-18, rtol=1e-9)


def test_the_release_jumps_where_the_warm_up_ends():
    assert [learning_rate(s, 1.0, 50, 100, "release") for s in (0, 25, 49, 50, 75, 100, 120)] == [
        0.0, 0.5, 0.98, 0.5, 0.25, 0.0, 0.0]
    assert [learning_rate(s, 1.0, 50, 100) for s in (0, 25, 50, 75, 100, 120)] == [0.0, 0.5, 1.0, 0.5, 0.0, 0.0]
