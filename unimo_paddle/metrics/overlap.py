"""Corpus BLEU and ROUGE-L as coco-caption computes them on tokens, and sacrebleu's BLEU; percent.

N: examples; U: kinds of them; R: draws (bootstrap.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from unimo_paddle.metrics.bootstrap import Rows, Value
from unimo_paddle.metrics.ptb import tokens, tokens_with_marks
from unimo_paddle.metrics.scored import Prediction, Truth, references, texts

ORDERS = 4
_BETA = 1.2  # of ROUGE-L: recall counts 1.44 times as much as precision


def bleu_rows(predictions: Sequence[Prediction], truths: Sequence[Truth]) -> Rows:
    """Return float64 [N, 10]: length, closest reference's length, n-grams that match and that there are, n = 1..4."""
    return _token_rows(_bleu_counts, tokens, predictions, truths)


def bleu_rows_with_marks(predictions: Sequence[Prediction], truths: Sequence[Truth]) -> Rows:
    """Return the same of tokens with punctuation, as question generation is judged."""
    return _token_rows(_bleu_counts, tokens_with_marks, predictions, truths)


def rouge_l_rows(predictions: Sequence[Prediction], truths: Sequence[Truth]) -> Rows:
    """Return float64 [N, 1]: ROUGE-L in [0, 1]: the best precision and the best recall over references, beta 1.2."""
    return _token_rows(_rouge_l, tokens, predictions, truths)


def rouge_l_rows_with_marks(predictions: Sequence[Prediction], truths: Sequence[Truth]) -> Rows:
    """Return the same of tokens with punctuation."""
    return _token_rows(_rouge_l, tokens_with_marks, predictions, truths)


def sacrebleu_rows(predictions: Sequence[Prediction], truths: Sequence[Truth]) -> Rows:
    """Return what bleu_rows does, counted by sacrebleu (13a tokens, case kept)."""
    from sacrebleu.metrics.bleu import BLEU

    metric = BLEU(effective_order=True)
    scores = [
        metric.sentence_score(guess, list(right))
        for guess, right in zip(texts(predictions), references(truths), strict=True)
    ]
    return np.array([[one.sys_len, one.ref_len, *one.counts, *one.totals] for one in scores], np.float64)


def bleu(order: int) -> Value:
    """Return coco-caption's corpus BLEU up to n-grams of `order`; its tiny constants stand in for smoothing."""

    def value(rows: Rows, weights: Rows) -> Rows:
        sums = weights @ rows
        match, there = sums[:, 2 : 2 + order], sums[:, 2 + ORDERS : 2 + ORDERS + order]
        precision = ((match + 1e-15) / (there + 1e-9)).prod(axis=1) ** (1 / order)
        ratio = (sums[:, 0] + 1e-15) / (sums[:, 1] + 1e-9)
        return 100 * precision * np.exp(np.minimum(0, 1 - 1 / ratio))

    return value


def sacrebleu(rows: Rows, weights: Rows) -> Rows:
    """Return float64 [R]: sacrebleu's corpus BLEU, exponential smoothing."""
    sums = weights @ rows
    match, there = sums[:, 2 : 2 + ORDERS], sums[:, 2 + ORDERS :]
    halvings = 2.0 ** np.cumsum(match == 0, axis=1)
    precision = np.where(match > 0, match, 1 / halvings) / np.maximum(there, 1)
    brevity = np.exp(np.minimum(0, 1 - sums[:, 1] / np.maximum(sums[:, 0], 1e-9)))
    is_scored = (there > 0).all(axis=1) & (match > 0).any(axis=1)
    return np.where(is_scored, 100 * brevity * precision.prod(axis=1) ** (1 / ORDERS), 0)


def _token_rows(
    one: Callable[[list[str], list[list[str]]], list[float]],
    tokenise: Callable[[str], list[str]],
    predictions: Sequence[Prediction],
    truths: Sequence[Truth],
) -> Rows:
    return np.array(
        [
            one(tokenise(guess), [tokenise(reference) for reference in right])
            for guess, right in zip(texts(predictions), references(truths), strict=True)
        ],
        np.float64,
    )


def _bleu_counts(guess: list[str], right: list[list[str]]) -> list[float]:
    most: Counter[tuple[str, ...]] = Counter()
    for reference in right:
        most |= _ngrams(reference)
    match = [0] * ORDERS
    for ngram, count in (_ngrams(guess) & most).items():
        match[len(ngram) - 1] += count
    there = [max(0, len(guess) - order) for order in range(ORDERS)]
    closest = min((abs(len(reference) - len(guess)), len(reference)) for reference in right)[1]
    return [len(guess), closest, *match, *there]


def _ngrams(words: list[str]) -> Counter[tuple[str, ...]]:
    return Counter(
        tuple(words[start : start + order])
        for order in range(1, ORDERS + 1)
        for start in range(len(words) - order + 1)
    )


def _rouge_l(guess: list[str], right: list[list[str]]) -> list[float]:
    if not guess:
        return [0.0]
    common = [common_length(guess, reference) for reference in right]
    precision = max(common) / len(guess)
    recall = max(length / max(len(reference), 1) for length, reference in zip(common, right, strict=True))
    if precision == 0:
        return [0.0]
    return [(1 + _BETA**2) * precision * recall / (recall + _BETA**2 * precision)]


def common_length(one: Sequence[str], other: Sequence[str]) -> int:
    """Return the length of the longest common subsequence, all of `one` at a time in the bits of an integer
    (Hyyro 2004: a zero bit is a place where the length grows)."""
    places: dict[str, int] = {}
    for place, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << place
    full = (1 << len(one)) - 1
    bits = full
    for word in other:
        met = bits & places.get(word, 0)
        bits = (bits + met | bits - met) & full
    return len(one) - bits.bit_count()
