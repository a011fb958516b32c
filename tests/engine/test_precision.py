"""Mixed precision as far as a CPU goes: the policy of the scale, the lists of operators, what reaches Paddle."""

import contextlib

import paddle
import pytest
from paddle.amp import amp_lists

from unimo_paddle.config.engine import PrecisionSettings
from unimo_paddle.engine import precision
from unimo_paddle.engine.precision import FLOAT32_OPERATORS, HALF_OPERATORS, LossScaler, Precision
from unimo_paddle.errors import UserError


def test_the_scale_doubles_after_good_steps_and_halves_at_once():
    scaler = LossScaler(16.0, growth_steps=3)
    told = []
    for is_finite in (True, True, True, True, False, True, True, False, False, True, True, True):
        scaler.update(is_finite)
        told.append((scaler.scale, scaler.overflows))
    assert [scale for scale, _ in told] == [16, 16, 32, 32, 16, 16, 16, 8, 4, 4, 4, 8]
    assert [overflows for _, overflows in told] == [0, 0, 0, 0, 1, 1, 1, 2, 3, 3, 3, 3]


def test_the_scale_stops_growing_where_more_is_of_no_use():
    scaler = LossScaler(2.0**23, growth_steps=1)
    for _ in range(3):
        scaler.update(True)
    assert scaler.scale == 2.0**24
    larger = LossScaler(2.0**30, growth_steps=1)  # what a person sets stays
    larger.update(True)
    assert larger.scale == 2.0**30


def test_a_collapse_is_told():
    small = LossScaler(2.0)
    small.update(False)
    with pytest.raises(UserError, match=r"2 steps in a row.*down to 0.5.*precision.dtype=bfloat16"):
        small.update(False)
    endless = LossScaler(2.0**60)
    with pytest.raises(UserError, match="50 steps in a row"):
        for _ in range(50):
            endless.update(False)
    assert endless.overflows == 50 and endless.scale == 2.0**10


def test_a_state_goes_on():
    one, other = LossScaler(64.0, growth_steps=3), LossScaler(1.0, growth_steps=3)
    for is_finite in (True, False, True, True):
        one.update(is_finite)
    other.load(one.state())
    for is_finite in (True, False, True, True, True):
        one.update(is_finite)
        other.update(is_finite)
        assert one.state() == other.state()


def test_half_precision_is_refused_on_a_cpu():
    for level in ("O1", "O2"):
        with pytest.raises(UserError, match=f"precision.level {level} needs a GPU"):
            Precision(PrecisionSettings(level=level))
    plain = Precision(PrecisionSettings())
    assert plain.scaler is None and plain.scale == 1.0 and isinstance(plain.cast(), contextlib.nullcontext)


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """What Precision hands to Paddle, which would switch itself off here."""
    calls = []
    monkeypatch.setattr(precision, "on_gpu", lambda: True)
    for name in ("auto_cast", "decorate"):
        monkeypatch.setattr(paddle.amp, name, lambda *args, name=name, **more: calls.append((name, args, more)))
    return calls


@pytest.mark.parametrize("level", ["O1", "O2"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_what_paddle_is_told(as_on_a_gpu, level, dtype):
    used = Precision(PrecisionSettings(level=level, dtype=dtype, scale=256.0))
    used.cast()
    used.halve("model")
    (_, _, cast), *decorated = as_on_a_gpu
    assert (cast["level"], cast["dtype"]) == (level, dtype)
    assert cast["custom_black_list"] == FLOAT32_OPERATORS and cast["custom_white_list"] == HALF_OPERATORS
    assert used.scale == (256.0 if dtype == "float16" else 1.0)
    assert [name for name, _, _ in decorated] == (["decorate"] if level == "O2" else [])
    for _, args, more in decorated:
        assert args == ("model",) and (more["level"], more["dtype"]) == (level, dtype)


def test_the_lists_hold_what_must_stay_float32():
    assert {"layer_norm", "softmax", "softmax_with_cross_entropy", "logsumexp", "exp", "square"} <= FLOAT32_OPERATORS
    assert {"reduce_sum", "reduce_mean"} <= FLOAT32_OPERATORS and not FLOAT32_OPERATORS & HALF_OPERATORS
    known = amp_lists.FP16_BLACK_LIST | {"logsumexp", "sum", "p_norm"}
    assert not FLOAT32_OPERATORS - known, "a name that Paddle does not know protects nothing"
    assert not HALF_OPERATORS - amp_lists.WHITE_LIST
