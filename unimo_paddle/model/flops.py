"""What a part of a batch costs: rows, and the model FLOPs of its matrix products, counted from shapes alone.

B sequences, R image rows, T tokens, S = R + T, Q and N rows read (RowsRead), H width, L layers, D feature width, V
vocabulary, C classes; all at the padded length, for padding is multiplied too. A product of [m, k] and [k, n] counts
2 m k n. Forward:

    an encoder layer       24 B S H^2 (query, key, value, output: 8; feed-forward of 4H: 16) + 4 B S^2 H (attention)
    the last one           4 B S H^2 (key, value) + 2 B Q H^2 (query) + 4 B Q S H + 18 N H^2 (output, feed-forward)
    image embedding        2 B R H (D + 5); an image that several texts are read with is embedded once
    language head          2 M H (H + V), M labelled tokens, nowhere else
    region heads           2 K H (D + C), K labelled regions
    a pooler               2 H^2 a sequence; the match head: 2 H a pair of pooled vectors

A step is three times its forward, for the gradient of a product is two products of its size. What recompute adds is no
work of the model and is not counted (PaLM, Chowdhery et al. 2022, appendix B); nor are embeddings, norms, softmax, the
losses and the optimizer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unimo_paddle.model.model_folder import LOCATION_WIDTH, ModelSizes

if TYPE_CHECKING:
    from unimo_paddle.data.batch import Candidates, ContrastPart, Part, Sequences


@dataclass(frozen=True)
class Cost:
    """tokens: real rows encoded, regions and tokens; rows: padding counted; flops: forward and backward."""

    tokens: int
    rows: int
    flops: float


def part_cost(part: Part, sizes: ModelSizes) -> Cost:
    """Return what one part costs this rank."""
    from unimo_paddle.data.batch import sequences_of

    encoded = sequences_of(part)
    encoding = sum(encoder_flops(sequences, rows_read(part, sequences), sizes) for sequences in encoded)
    rows = sum(sequences.is_pad.size for sequences in encoded)
    tokens = rows - sum(int(sequences.is_pad.sum()) for sequences in encoded)
    return Cost(tokens, rows, 3.0 * (encoding + head_flops(part, sizes)))


@dataclass(frozen=True)
class RowsRead:
    """How many rows of the last layer are read (inputs.Read). most: Q, of one sequence; total: N, of all."""

    most: int
    total: int


def rows_read(part: Part, sequences: Sequences) -> RowsRead:
    """Return what is read of these sequences of a part: the labelled rows, or each [IMG] and [CLS] for the contrast."""
    from unimo_paddle.data.batch import ContrastPart, LanguagePart

    batch, regions, words = len(sequences.is_pad), sequences.features.shape[1], sequences.token_ids.shape[1]
    if isinstance(part, ContrastPart):
        most = (regions > 0) + (words > 0)
        return RowsRead(most, most * batch)
    of_sequence = np.bincount(part.labels.rows // (words if isinstance(part, LanguagePart) else regions))
    return RowsRead(int(of_sequence.max(initial=1)), len(part.labels.rows))


def encoder_flops(sequences: Sequences, read: RowsRead, sizes: ModelSizes) -> int:
    """Return the forward FLOPs of embedding and encoding."""
    width, (batch, length) = sizes.width, sequences.is_pad.shape
    images, regions = sequences.features.shape[:2]
    embedding = 2 * images * regions * width * ((sizes.feature_width or 0) + LOCATION_WIDTH)
    layer = 24 * batch * length * width**2 + 4 * batch * length**2 * width
    attention = 2 * batch * (2 * length + read.most) * width**2 + 4 * batch * read.most * length * width
    return embedding + (sizes.layers - 1) * layer + attention + 18 * read.total * width**2


def head_flops(part: Part, sizes: ModelSizes) -> int:
    """Return the forward FLOPs of what is computed from a part's states."""
    from unimo_paddle.data.batch import ContrastPart, LanguagePart

    width = sizes.width
    if isinstance(part, LanguagePart):
        return 2 * len(part.labels.rows) * width * (width + sizes.vocab_size)
    if isinstance(part, ContrastPart):
        return _contrast_flops(part, width)
    return 2 * len(part.labels.rows) * width * ((sizes.feature_width or 0) + (sizes.classes or 0))


def _contrast_flops(part: ContrastPart, width: int) -> int:
    pooler, flops = 2 * width**2, 0
    if part.candidates:
        joint, found = len(part.candidates.joint), _found(part.candidates)
        flops += joint * 2 * pooler + found * pooler + (joint + found) * 2 * width
        flops += 2 * len(part.candidates.is_real) * pooler if found else 0
    if part.belongs is not None:
        own, everyone = part.belongs.shape
        flops += 2 * own * pooler + 2 * (2 * own * everyone * width)
    return flops


def _found(candidates: Candidates) -> int:
    """How many images and texts were retrieved, each to be scored with the pair's own other side."""
    return sum(len(chunks) for chunks in (candidates.images, candidates.texts) if chunks)
