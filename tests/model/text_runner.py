"""Runs texts alone through a model, for the tests that compare it with other libraries."""

import numpy as np
import paddle

from unimo_paddle.data.batch import Sequences
from unimo_paddle.model.inputs import to_tensors
from unimo_paddle.model.unimo import Unimo, UnimoForPretraining


def build(sizes, feature_width=6, classes=5):
    """A pretraining model of ModelSizes, random, not training."""
    encoder = Unimo(sizes.vocab_size, sizes.width, sizes.layers, sizes.heads, feature_width, sizes.max_positions)
    model = UnimoForPretraining(encoder, classes)
    model.eval()
    return model


def text_batch(ids, is_pad, first_position=2):
    """ids: int64 [B, T]; positions count from `first_position`, padding has position 1."""
    rows, length = ids.shape
    positions = np.where(is_pad, 1, np.arange(first_position, first_position + length)).astype(np.int64)
    return Sequences(
        features=np.zeros((rows, 0, 6), np.float32),
        locations=np.zeros((rows, 0, 5), np.float32),
        token_ids=ids,
        positions=positions,
        reach=np.zeros((rows, length), np.int32),
        group=np.zeros((rows, length), np.int32),
        is_pad=is_pad,
    )


def run(model, ids, is_pad, first_position=2):
    """Hidden states [B, T, H] and logits [B, T, V] of every position."""
    with paddle.no_grad():
        states = model(to_tensors(text_batch(ids, is_pad, first_position)))
        logits = model.language_logits(states, paddle.arange(ids.size))
    return states.text.numpy(), logits.numpy().reshape(*ids.shape, -1)
