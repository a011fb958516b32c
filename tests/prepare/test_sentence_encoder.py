"""The sentence encoder: real MiniLM weights against transformers' own numbers, and one of our own model folders."""

from pathlib import Path

import numpy as np
import pytest

from tests.golden.make_minilm_sentences import SENTENCES
from unimo_paddle.data.tokenizer import train_tokenizer
from unimo_paddle.errors import UserError
from unimo_paddle.model.model_folder import ModelSizes, write_model
from unimo_paddle.prepare import sentence_encoder
from unimo_paddle.prepare.sentence_encoder import batches, load_sentence_encoder, minilm_folder

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "minilm.npz"


@pytest.fixture(scope="module")
def minilm():
    try:
        minilm_folder()
    except UserError as absent:
        pytest.skip(str(absent))
    return load_sentence_encoder(None)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
