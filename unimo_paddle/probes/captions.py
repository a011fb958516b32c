"""Captions that the model writes as far as it has got: greedy, without a cache; a look, no measurement."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import paddle
from numpy.typing import NDArray

from unimo_paddle.data.batch import pad
from unimo_paddle.data.encode import FIRST_POSITION, ImageRow, TextRow
from unimo_paddle.data.patterns import image_prefix
from unimo_paddle.data.tokenizer import Tokenizer
from unimo_paddle.model.inputs import to_tensors
from unimo_paddle.model.unimo import UnimoForPretraining


def write_captions(
    model: UnimoForPretraining, images: Sequence[ImageRow], tokenizer: Tokenizer, longest: int = 20
) -> list[str]:
    """Return a caption of each image: from [CLS] on, the most probable next token until [SEP] or `longest` tokens.

    As in training, each token reads the image and what was written before it (release, section 3).
    """
    never = [tokenizer.cls, tokenizer.pad, tokenizer.unk, tokenizer.mask]
    ids = np.full((len(images), 1), tokenizer.cls, np.int64)
    while ids.shape[1] <= longest and not (ids[:, 1:] == tokenizer.sep).any(axis=1).all():
        ids = np.concatenate((ids, _next(model, images, ids, never)[:, None]), axis=1)
    return [tokenizer.decode(_until(row[1:], tokenizer.sep)).strip() for row in ids]


def _next(
    model: UnimoForPretraining, images: Sequence[ImageRow], ids: NDArray[np.int64], never: list[int]
) -> NDArray[np.int64]:
    """Return int64 [B], the most probable token after ids, int64 [B, T]."""
    batch, length = ids.shape
    positions = np.arange(length) + FIRST_POSITION
    texts = [TextRow(row, positions, np.ones(length, np.bool_)) for row in ids]
    patterns = [image_prefix(len(image.features), 0, length) for image in images]
    states = model(to_tensors(pad(images, texts, patterns)))
    last = paddle.to_tensor(np.arange(1, batch + 1) * length - 1)
    logits = model.language_logits(states, last).astype("float32").numpy()
    logits[:, never] = -np.inf
    best: NDArray[np.int64] = logits.argmax(axis=1)
    return best


def _until(ids: NDArray[np.int64], end: int) -> NDArray[np.int64]:
    places = np.flatnonzero(ids == end)
    return ids[: places[0]] if len(places) else ids
