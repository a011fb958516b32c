"""Recomputing a layer changes nothing but the memory."""

from dataclasses import replace

import numpy as np
import paddle
import pytest

from tests.distributed.small_pretraining import SIZES, model_of
from tests.tasks.small_batch import CLASSES, FEATURES, MASK, make_batch
from unimo_paddle.model.inputs import to_tensors
from unimo_paddle.model.unimo import Unimo, UnimoForPretraining
from unimo_paddle.tasks.pretraining import Pretraining


def gradients(recompute, dropout):
    """Of each part of a batch: its losses and all gradients."""
    paddle.seed(2)
    encoder = Unimo(MASK + 1, 16, 3, 2, FEATURES, 64, dropout, dropout, recompute=recompute)
    model, told = UnimoForPretraining(encoder, CLASSES), []
    work = Pretraining(model, make_batch, temperature=0.5)
    for number, part in enumerate(make_batch("seq2seq").parts):
        paddle.seed(number)
        terms = work.losses(part)
        paddle.add_n([term.sum for term in terms.values()]).backward()
        losses = {name: term.sum.numpy() for name, term in terms.items()}
        told.append(losses | {name: p.grad.numpy() for name, p in model.named_parameters() if p.grad is not None})
        model.clear_gradients(False)
    return told


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_losses_and_gradients_are_the_same(dropout):
    """Bitwise where a part is encoded at once; the contrast encodes four times, and adds these up in another order."""
    language, visual, contrast = zip(gradients(False, dropout), gradients(True, dropout), strict=True)
    for (plain, again), tolerance in ((language, 0.0), (visual, 0.0), (contrast, 1e-6)):
        assert plain.keys() == again.keys() and len(plain) > 50
        for name, array in plain.items():
            np.testing.assert_allclose(array, again[name], rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.parametrize(("training", "times"), [(True, 2), (False, 1)])
def test_layers_run_twice_in_training_only(training, times):
    model, calls = model_of(recompute=True), []
    model.train() if training else model.eval()
    model.encoder.layers[0].register_forward_pre_hook(lambda layer, inputs: calls.append(1))
    sequences = make_batch("seq2seq").parts[1].sequences
    narrow = replace(sequences, features=sequences.features[..., : SIZES.feature_width].copy())
    model(to_tensors(narrow)).image.sum().backward()
    assert len(calls) == times
