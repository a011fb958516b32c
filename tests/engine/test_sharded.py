"""Who owns what, and one process alone with each stage; several real ones are in tests/distributed."""

import numpy as np
import paddle
import pytest
from paddle import nn

from tests.engine.small_work import SmallModel
from unimo_paddle.engine import passes
from unimo_paddle.engine.optimizer import Adam
from unimo_paddle.engine.sharded import layer_names, owners
from unimo_paddle.errors import UserError
from unimo_paddle.model.unimo import Unimo, UnimoForPretraining


def small_unimo():
    return UnimoForPretraining(Unimo(20, 8, 2, 2, 4, max_positions=12), 3)


def test_owners_share_evenly_by_hand():
    sizes = dict(zip("abcd", (5, 9, 1, 4), strict=True))
    assert owners(sizes, [], 1) == dict.fromkeys("abcd", 0)
    assert owners(sizes, [], 2) == {"a": 1, "b": 0, "c": 0, "d": 1}  # 9 and 1, 5 and 4
    assert owners(dict.fromkeys("abc", 2), [], 3) == {"a": 0, "b": 1, "c": 2}


def test_a_layer_has_one_owner():
    sizes = dict(zip("abcd", (5, 9, 1, 4), strict=True))
    assert owners(sizes, [["a", "c"], ["d"]], 2) == {"b": 0, "a": 1, "c": 1, "d": 1}  # 9; 6 and 4
    assert owners(sizes, [["a", "d", "b"]], 2) == {"a": 0, "d": 0, "b": 0, "c": 1}


def test_the_layers_of_an_encoder():
    model = small_unimo()
    first, second = layer_names(model)
    assert len(first) == 16 and all(name.startswith("encoder.layers.0.") for name in first)
    assert second == [name.replace("layers.0", "layers.1") for name in first]
    assert {name for name, _ in model.named_parameters() if ".layers." in name} == {*first, *second}
    assert layer_names(SmallModel()) == []


@pytest.mark.parametrize("stage", [2, 3])
def test_sharing_needs_an_encoder(stage):
    with pytest.raises(UserError, match=r"parallel.stage above 1 .* encoder"):
        Adam(SmallModel(), stage=stage)


def test_half_precision_weights_are_not_shared():
    with pytest.raises(UserError, match=r"parallel.stage 3 .* take stage 2"):
        Adam(small_unimo(), halve=half_layers, stage=3)


def half_layers(model):
    """What paddle.amp.decorate does at O2, which refuses to on a CPU."""
    for one in model.sublayers():
        if isinstance(one, nn.Linear):
            one.to(dtype="float16")


@pytest.mark.parametrize(("stage", "halve"), [(2, None), (3, None), (2, half_layers)])
def test_alone_every_stage_is_the_same(stage, halve):
    models = small_unimo(), small_unimo()
    models[1].set_state_dict(models[0].state_dict())
    optimizers = Adam(models[0], halve=halve), Adam(models[1], halve=halve, stage=stage)
    for step in range(3):
        for model, optimizer in zip(models, optimizers, strict=True):
            for part in range(2):
                for name, parameter in model.named_parameters():
                    given = np.random.default_rng((step, part, len(name))).normal(size=parameter.shape)
                    gradient = paddle.to_tensor(given, "float32").astype(parameter.dtype)
                    parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
                optimizer.collect()
            optimizer.sum_gradients(optimizer.has_gradient())
        assert optimizers[0].step(0.1) == pytest.approx(optimizers[1].step(0.1), rel=1e-6)
    for one, other in zip(*(optimizer.arrays().items() for optimizer in optimizers), strict=True):
        assert one[0] == other[0]
        np.testing.assert_allclose(one[1], other[1], rtol=1e-5, atol=1e-6)


class Passes:
    def passes(self, part):
        return part


class Parts:
    def __init__(self, *parts):
        self.parts = parts


def test_ranks_with_other_passes_are_told(monkeypatch):
    told = []
    monkeypatch.setattr(passes, "require_same", lambda what, number: told.append(number))
    for parts in ((2, 1), (1, 2), (3,), (0, 3), (3, 0), ()):
        passes.require_same_passes(Passes(), Parts(*parts))
    assert len(set(told)) == 6
