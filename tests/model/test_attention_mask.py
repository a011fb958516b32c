"""The mask against its slow oracle and against the rows of its docstring."""

import numpy as np
import paddle
import pytest

from tests.reference import attention as oracle
from unimo_paddle.model.attention_mask import additive_bias, attention_mask


def digits(text):
    return paddle.to_tensor([[int(one) for one in text]], "int32")


def worked(line):
    """One example row of the docstring: (reach, padding, group or None, planes)."""
    fields = line.split()
    named = {name: digits(fields[fields.index(name) + 1]) for name in "rpg" if name in fields}
    return named["r"], named["p"].astype("bool"), named.get("g"), fields[-4:]


def test_worked_rows_of_the_docstring():
    lines = [line for line in attention_mask.__doc__.splitlines() if "  r 0" in line]
    assert len(lines) == 3
    for reach, is_pad, group, expected in map(worked, lines):
        mask = attention_mask(reach, is_pad, group)
        assert mask.shape == [1, 1, 4, 4] and mask.dtype == paddle.bool
        assert ["".join(str(int(one)) for one in row) for row in mask[0, 0].numpy()] == expected


@pytest.mark.parametrize("size", [1, 2, 7])
@pytest.mark.parametrize("grouped", [False, True])
def test_equals_the_oracle(size, grouped):
    rng = np.random.default_rng(size)
    reach = np.sort(rng.integers(0, 4, (5, size)), axis=1).astype(np.int32)
    is_pad = rng.random((5, size)) < 0.3
    group = rng.integers(0, 2, (5, size)).astype(np.int32) if grouped else None
    tensors = [None if one is None else paddle.to_tensor(one) for one in (reach, is_pad, group)]
    np.testing.assert_array_equal(attention_mask(*tensors)[:, 0].numpy(), oracle.mask(reach, is_pad, group))


def test_shapes_that_differ_are_named():
    reach, is_pad = paddle.zeros([2, 3], "int32"), paddle.zeros([2, 4], "bool")
    with pytest.raises(ValueError, match=r"reach is \[2, 3\] but is_pad is \[2, 4\]"):
        attention_mask(reach, is_pad)
    with pytest.raises(ValueError, match=r"group is \[1, 3\]"):
        attention_mask(reach, is_pad[:, :3], reach[:1])


def test_bias_hides_and_repeats_over_the_heads():
    mask = paddle.to_tensor([[[[True, False], [False, False]]]])
    bias = additive_bias(mask, 3, paddle.float32)
    assert bias.shape == [1, 3, 2, 2]
    for head in range(3):
        np.testing.assert_array_equal(bias[0, head].numpy(), [[0, -1e4], [-1e4, -1e4]])
