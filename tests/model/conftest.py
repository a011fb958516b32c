"""Small models with no weight left at its telling start value, and examples of mixed length."""

import numpy as np
import paddle
import pytest

from unimo_paddle.data.batch import pad
from unimo_paddle.data.encode import ImageRow, TextRow
from unimo_paddle.data.patterns import bidirectional
from unimo_paddle.model.inputs import Inputs, to_tensors
from unimo_paddle.model.unimo import Unimo, UnimoForPretraining

VOCAB, WIDTH, LAYERS, HEADS, FEATURE, CLASSES = 30, 8, 2, 2, 6, 5


@pytest.fixture()
def doubles():
    """Layers made meanwhile hold float64, so that a comparison shows faults and not rounding."""
    paddle.set_default_dtype("float64")
    yield
    paddle.set_default_dtype("float32")


def build_model(layers=LAYERS, dropout=0.0):
    """A model for pretraining, in evaluation mode, whose every parameter is random."""
    rng = np.random.default_rng(0)
    encoder = Unimo(VOCAB, WIDTH, layers, HEADS, FEATURE, 40, dropout, dropout)
    model = UnimoForPretraining(encoder, CLASSES)
    for parameter in model.parameters():
        parameter.set_value(rng.normal(0, 0.4, parameter.shape).astype(paddle.get_default_dtype()))
    model.eval()
    return model


def make_example(rng, regions, tokens):
    """An (ImageRow or None, TextRow or None)."""
    image = text = None
    if regions:
        image = ImageRow(
            features=rng.normal(size=(regions, FEATURE)).astype(np.float32),
            locations=rng.random((regions, 5)).astype(np.float32),
            class_probs=rng.dirichlet(np.ones(CLASSES), regions).astype(np.float32),
            boxes=np.zeros((regions, 4), np.float32),
        )
    if tokens:
        ids = rng.integers(0, VOCAB, tokens)
        text = TextRow(ids, np.arange(2, tokens + 2), np.ones(tokens, bool))
    return image, text


def inputs_of(examples, patterns, dtype="float32"):
    """One padded batch; examples: of make_example."""
    images = [image for image, _ in examples if image is not None]
    texts = [text for _, text in examples if text is not None]
    inputs = to_tensors(pad(images, texts, patterns))
    fields = {name: getattr(inputs, name) for name in Inputs.__dataclass_fields__}
    fields.update({name: fields[name].astype(dtype) for name in ("features", "locations")})
    return Inputs(**fields)


@pytest.fixture()
def small(doubles):
    """(model, make_example, inputs_of) in float64."""
    return build_model(), make_example, lambda *of: inputs_of(*of, dtype="float64")


@pytest.fixture()
def make_model():
    return build_model


@pytest.fixture()
def batch():
    """Three examples of mixed length, everyone reading everyone, float32."""
    rng, sizes = np.random.default_rng(3), [(3, 4), (2, 6), (4, 2)]
    return inputs_of([make_example(rng, *size) for size in sizes], [bidirectional(*size) for size in sizes])
