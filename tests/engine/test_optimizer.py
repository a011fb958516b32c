"""Adam against the slow oracle, the schedules against their tables, clipping by hand."""

import numpy as np
import paddle
import pytest
from paddle import nn

from tests.engine.small_work import SmallModel
from tests.reference.adam import SlowAdam
from unimo_paddle.engine.checkpoint import model_arrays, restore_model
from unimo_paddle.engine.optimizer import Adam, decayed_names, gradient_norm
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


@pytest.fixture(params=["plain", "native"])
def operators(request):
    if request.param == "native":
        request.getfixturevalue("native")
    return request.param


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_it_equals_the_release_formula(weight_decay, operators):
    model = SmallModel()
    named = dict(model.named_parameters())
    oracle = SlowAdam({n: p.numpy() for n, p in named.items()}, {"table.weight", "out.weight"}, weight_decay,
                      beta1=0.9, beta2=0.98, epsilon=1e-6, clip_norm=1.0)
    make_steps(model, Adam(model, weight_decay, operators=operators), range(30), oracle)
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
    (model.out.bias * 2).sum().backward()  # the next step is of another kind
    kept = model.out.weight.numpy()
    assert model.out.weight.grad is None and optimizer.step(0.1) > 0
    assert np.array_equal(model.out.weight.numpy(), kept)


def test_the_norm_by_hand():
    a, b = paddle.zeros([2]), paddle.zeros([1])
    a.grad, b.grad = paddle.to_tensor([3.0, 0.0]), paddle.to_tensor([4.0])
    assert gradient_norm([a, b, paddle.zeros([1])]) == 5.0
    assert gradient_norm([paddle.zeros([1])]) == 0.0


def test_a_gradient_that_is_not_finite_changes_nothing():
    model = SmallModel()
    before = model.out.weight.numpy()
    optimizer = Adam(model)
    model.out.weight.grad = paddle.full_like(model.out.weight, float("inf"))
    assert not np.isfinite(optimizer.step(0.1))
    assert np.array_equal(model.out.weight.numpy(), before) and not optimizer.state()


def test_the_state_goes_on_bitwise_in_another_optimizer(operators):
    straight, broken = SmallModel(), SmallModel()
    broken.set_state_dict(straight.state_dict())
    make_steps(straight, Adam(straight, operators=operators), range(6))
    first = Adam(broken, operators=operators)
    make_steps(broken, first, range(3))
    saved = first.state()
    assert len(saved) == 5 * 4 and saved["moment1:out.weight"].shape == (16, 50)
    second = Adam(broken, operators=operators)
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


def test_a_sharding_that_does_not_divide_is_refused(monkeypatch):
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", "4")
    with pytest.raises(UserError, match=r"parallel.sharding is 3.* divisor of 4"):
        Adam(SmallModel(), sharding=3)


def half_but_norms(model):
    """What paddle.amp.decorate does at O2, which refuses to on a CPU."""
    for layer in (model.table, model.out):
        layer.to(dtype="float16")


def test_half_precision_parameters_follow_float32_masters():
    """The masters are as if all were float32; the model's own are these, rounded; nothing is lost through a file."""
    full, half = SmallModel(), SmallModel()
    half.set_state_dict(full.state_dict())
    optimizers = Adam(full), Adam(half, halve=half_but_norms)
    assert half.out.weight.dtype == paddle.float16 and half.norm.weight.dtype == paddle.float32
    for step in range(5):
        for model, optimizer in zip((full, half), optimizers, strict=True):
            for part in (0.25, 0.5):  # two backward passes, whose gradients are added up
                for p in model.parameters():
                    given = np.random.default_rng((step, p.size)).integers(-8, 9, p.shape) * part  # exact in float16
                    p.grad = paddle.to_tensor(given.astype(str(p.dtype).removeprefix("paddle."))) + (
                        0 if p.grad is None else p.grad
                    )
                optimizer.collect()
            assert optimizer.step(0.01 * step, scale=1.0) > 1
    masters = optimizers[1].state_dict()
    for name, p in full.named_parameters():
        np.testing.assert_array_equal(masters[name].numpy(), p.numpy(), err_msg=name)
    np.testing.assert_array_equal(half.out.weight.numpy(), full.out.weight.numpy().astype("float16"))
    again = SmallModel()
    third = Adam(again, halve=half_but_norms)
    restore_model(third, model_arrays(optimizers[1]), "here")
    third.refresh()
    third.load(optimizers[1].state())
    np.testing.assert_array_equal(again.table.weight.numpy(), half.table.weight.numpy())
    np.testing.assert_array_equal(third.state_dict()["out.weight"].numpy(), full.out.weight.numpy())


def test_the_scale_of_the_loss_is_taken_out_of_norm_and_update():
    models = SmallModel(), SmallModel()
    models[1].set_state_dict(models[0].state_dict())
    for model, scale in zip(models, (1.0, 1024.0), strict=True):
        optimizer = Adam(model)
        for step in range(4):
            for name, gradient in gradients(models[0], step).items():
                dict(model.named_parameters())[name].grad = paddle.to_tensor(gradient * np.float32(scale))
            norm = optimizer.step(0.1, scale)
            expected = np.sqrt(sum(np.square(np.float64(g)).sum() for g in gradients(models[0], step).values()))
            assert norm == pytest.approx(expected, rel=1e-5)
    for a, b in zip(*(model.parameters() for model in models), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-6, atol=1e-7)
