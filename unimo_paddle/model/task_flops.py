"""What a part of a task's step costs: rows, and the FLOPs of its matrix products, counted as in flops.py.

B sequences, H width, V vocabulary, C answers, M labelled tokens. Forward, beside the encoder:

    an answer          2 H^2 a pooled vector, then 2 H C, or 2 H I + 2 I C through an inner layer of I
    a match            4 H^2 for both vectors, 2 H for the score
    a word             2 H (H + V)

Mining hard negatives, and generating what a reward judges, are not learning steps and are not counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from unimo_paddle.model.flops import Cost, RowsRead, encoder_flops
from unimo_paddle.model.model_folder import ModelSizes
from unimo_paddle.model.task_heads import TEXT, AnswerHead

if TYPE_CHECKING:
    from unimo_paddle.data.batch import Chunks, Sequences
    from unimo_paddle.data.encode import Ints


def answer_cost(sequences: Sequences, head: AnswerHead, sizes: ModelSizes) -> Cost:
    """Return the cost of answering B inputs."""
    poolers = 2 * sizes.width**2 * (1 if head.pooled == TEXT else 2)
    linears = [head.output] if head.inner is None else [head.inner, head.output]
    products = sum(2 * one.weight.shape[0] * one.weight.shape[1] for one in linears)
    return _cost(sequences, _first_rows(sequences), len(sequences.is_pad) * (poolers + products), sizes)


def words_cost(sequences: Sequences, rows: Ints, sizes: ModelSizes) -> Cost:
    """Return the cost of predicting M words. rows: int64 [M], places in the flat [B*T] of text rows."""
    of_sequence = np.bincount(rows // sequences.token_ids.shape[1])
    read = RowsRead(int(of_sequence.max(initial=1)), len(rows))
    return _cost(sequences, read, 2 * len(rows) * sizes.width * (sizes.width + sizes.vocab_size), sizes)


def match_cost(pairs: Chunks, sizes: ModelSizes) -> Cost:
    """Return the cost of scoring pairs that are encoded jointly."""
    head = 4 * sizes.width**2 + 2 * sizes.width
    return total(_cost(one, _first_rows(one), len(one.is_pad) * head, sizes) for one in pairs.parts)


def total(costs: Iterable[Cost]) -> Cost:
    """Add up costs."""
    some = list(costs)
    return Cost(sum(one.tokens for one in some), sum(one.rows for one in some), sum(one.flops for one in some))


def _first_rows(sequences: Sequences) -> RowsRead:
    """[IMG] and [CLS] of each sequence (inputs.first_rows)."""
    most = (sequences.features.shape[1] > 0) + (sequences.token_ids.shape[1] > 0)
    return RowsRead(most, most * len(sequences.is_pad))


def _cost(sequences: Sequences, read: RowsRead, head: int, sizes: ModelSizes) -> Cost:
    rows = sequences.is_pad.size
    return Cost(rows - int(sequences.is_pad.sum()), rows, 3.0 * (encoder_flops(sequences, read, sizes) + head))
