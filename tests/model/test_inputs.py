"""Tensors hold what the arrays held, types included; rows that are read, by hand."""

from dataclasses import replace

import numpy as np
import paddle

from unimo_paddle.data.batch import Sequences
from unimo_paddle.model.inputs import Inputs, first_rows, to_read, to_tensors


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
        roles=rng.integers(0, 3, (2, 1)),
        turns=rng.integers(0, 16, (2, 1)),
    )
    inputs = to_tensors(arrays)
    assert Inputs.__dataclass_fields__.keys() - Sequences.__dataclass_fields__.keys() == {"text_delta", "image_delta"}
    for name in Sequences.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(inputs, name).numpy(), getattr(arrays, name))
    assert (inputs.features.dtype, inputs.token_ids.dtype) == (paddle.float32, paddle.int64)
    assert (inputs.reach.dtype, inputs.is_pad.dtype) == (paddle.int32, paddle.bool)
    none = to_tensors(replace(arrays, image_of=None, roles=None, turns=None))
    assert none.image_of is none.roles is none.turns is None


def shaped(batch, regions, tokens):
    """A batch of which only the shapes count."""
    texts, rows = np.zeros((batch, tokens), np.int64), np.zeros((batch, regions + tokens), np.int32)
    return Sequences(np.zeros((batch, regions, 1)), np.zeros((batch, regions, 5)), texts, texts, rows, rows, rows > 0)


def test_rows_read_by_hand():
    """Three sequences of 2 regions and 3 tokens: 5 rows each. Of the first two rows are read, of the last three."""
    read = to_read(shaped(3, 2, 3), image=np.array([4, 1]), text=np.array([8, 2, 6]))
    assert read.readers.tolist() == [[1, 4, 0], [5, 5, 5], [10, 14, 12]]
    assert read.places.tolist() == [6, 0, 7, 1, 8]
    assert (read.image, read.text) == ((2,), (3,))
    assert read.readers.dtype == read.places.dtype == paddle.int64


def test_nothing_read_has_a_reader_all_the_same():
    """No product is without rows then."""
    read = to_read(shaped(2, 0, 3))
    assert read.readers.tolist() == [[0], [3]] and read.places.shape == [0] and read.image == read.text == (0,)


def test_the_first_rows_of_what_is_there():
    both, images, texts = (first_rows(shaped(2, *sizes)) for sizes in ((2, 3), (2, 0), (0, 3)))
    assert both.readers.tolist() == [[0, 2], [5, 7]] and both.places.tolist() == [0, 2, 1, 3]
    assert images.readers.tolist() == [[0], [2]] and texts.readers.tolist() == [[0], [3]]
    assert (both.image, both.text, images.text, texts.image) == ((2, 1), (2, 1), (0,), (0,))
