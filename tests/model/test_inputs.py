"""Tensors hold what the arrays held, types included."""

from dataclasses import replace

import numpy as np
import paddle

from unimo_paddle.data.batch import Sequences
from unimo_paddle.model.inputs import Inputs, to_tensors


def test_every_field_arrives_with_its_type():
    rng = np.random.default_rng(0)
    arrays = Sequences(
        features=rng.random((2, 3, 4), np.float32),
        locations=rng.random((2, 3, 5), np.float32),
        token_ids=rng.integers(0, 9, (2, 1)),
        positions=rng.integers(0, 9, (2, 1)),
        reach=rng.integers(0, 9, (2, 4)).astype(np.int32),
        group=rng.integers(0, 9, (2, 4)).astype(np.int32),
        is_pad=rng.random((2, 4)) < 0.5,
        image_of=np.array([1, 0]),
    )
    inputs = to_tensors(arrays)
    assert Inputs.__dataclass_fields__.keys() == Sequences.__dataclass_fields__.keys()
    for name in Inputs.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(inputs, name).numpy(), getattr(arrays, name))
    assert (inputs.features.dtype, inputs.token_ids.dtype) == (paddle.float32, paddle.int64)
    assert (inputs.reach.dtype, inputs.is_pad.dtype) == (paddle.int32, paddle.bool)
    assert to_tensors(replace(arrays, image_of=None)).image_of is None
