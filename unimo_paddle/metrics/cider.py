"""CIDEr-D as coco-caption computes it (there under the name CIDEr), all candidates at once.

An n-gram is a 64-bit number made of its words' random numbers, so the document frequencies of a large corpus are two
sorted arrays, and scoring is sorting and searching. Of ten million n-grams two share a number with a chance below 1e-5.

N: candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from unimo_paddle.metrics.bootstrap import Rows
from unimo_paddle.metrics.ptb import tokens
from unimo_paddle.metrics.scored import Prediction, Truth, references, texts

_ORDERS = 4
_SIGMA = 6.0
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
Numbers = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Grams:
    """How often a text has an n-gram of one order: text int64 [G] ascending, gram uint64 [G], count float64 [G]."""

    text: Ints
    gram: Numbers
    count: npt.NDArray[np.float64]


class CiderD:
    """Scores captions by n-grams that few images share.

    corpus: for each image its reference captions, from which document frequencies are counted: the training set's as a
    reward, the judged set's own for the published score.  Captions are tokenised here (ptb.py).
    """

    def __init__(self, corpus: Sequence[Sequence[str]]) -> None:
        if not corpus:
            raise ValueError("document frequencies need at least one image's captions")
        self._codes: dict[str, int] = {}
        self._log_images = np.log(len(corpus))
        image_of = np.repeat(np.arange(len(corpus)), [len(captions) for captions in corpus])
        orders = self._grams([caption for captions in corpus for caption in captions])
        self._frequencies = [_document_frequencies(grams, image_of) for grams in orders]

    def scores(self, candidates: Sequence[str], references: Sequence[Sequence[str]]) -> npt.NDArray[np.float64]:
        """Return float64 [N]: each candidate against its references, 0 to 10. An empty candidate gets 0.

        Raises ValueError when the two do not have the same length or a candidate has no reference.
        """
        if len(candidates) != len(references) or not all(references):
            told = f"{len(candidates)} candidates, {len(references)} lists of references"
            raise ValueError(f"{told}; one list each is wanted, none of them empty")
        owner = np.repeat(np.arange(len(candidates)), [len(right) for right in references])
        guesses = self._grams(candidates)
        rights = self._grams([reference for right in references for reference in right])
        lengths = [_bigrams(grams, count) for grams, count in ((guesses, len(candidates)), (rights, len(owner)))]
        penalty = np.exp(-((lengths[0][owner] - lengths[1]) ** 2) / (2 * _SIGMA**2))
        pairs = enumerate(zip(guesses, rights, strict=True))
        alike = sum(self._alike(order, guess, right, owner, len(candidates)) for order, (guess, right) in pairs)
        per_candidate = np.bincount(owner, weights=alike * penalty, minlength=len(candidates))
        return 10 * per_candidate / _ORDERS / np.bincount(owner, minlength=len(candidates))

    def _alike(self, order: int, guess: _Grams, right: _Grams, owner: Ints, candidates: int) -> Any:
        """Return float64 [references]: the clipped cosine of each reference and its candidate, n-grams of one order."""
        weight, right_weight = self._weights(order, guess), self._weights(order, right)
        names, place = np.unique(np.concatenate([guess.gram, right.gram]), return_inverse=True)
        own = guess.text * len(names) + place[: len(guess.gram)]
        wanted = owner[right.text] * len(names) + place[len(guess.gram) :]
        by_key = np.argsort(own)
        found = np.minimum(np.searchsorted(own, wanted, sorter=by_key), max(len(own) - 1, 0))
        is_there = own[by_key][found] == wanted if len(own) else np.zeros(len(wanted), bool)
        shared = np.where(is_there, weight[by_key][found] if len(own) else 0, 0)
        dot = np.bincount(right.text, weights=np.minimum(shared, right_weight) * right_weight, minlength=len(owner))
        norm = np.sqrt(np.bincount(guess.text, weights=weight**2, minlength=candidates))[owner]
        norm = norm * np.sqrt(np.bincount(right.text, weights=right_weight**2, minlength=len(owner)))
        return np.divide(dot, norm, out=np.zeros(len(owner)), where=norm > 0)

    def _weights(self, order: int, grams: _Grams) -> npt.NDArray[np.float64]:
        """Return float64 [G]: count times log(images / images that have the n-gram), unseen ones as if one had."""
        known, log_images = self._frequencies[order]
        if not len(known):
            return grams.count * self._log_images
        place = np.minimum(np.searchsorted(known, grams.gram), len(known) - 1)
        seen = np.where(known[place] == grams.gram, log_images[place], 0)
        return grams.count * (self._log_images - seen)

    def _grams(self, captions: Sequence[str]) -> list[_Grams]:
        """Return the n-grams of orders 1 to 4."""
        words = [[self._code(token) for token in tokens(caption)] for caption in captions]
        text = np.repeat(np.arange(len(words)), [len(one) for one in words])
        code = np.fromiter((number for one in words for number in one), np.uint64, len(text))
        gram, made = code, []
        for longer in range(_ORDERS):
            if longer:
                gram = gram[:-1] * _FACTOR + code[longer:]
            begins, ends = text[: len(gram)], text[longer:]
            made.append(_counted(begins[begins == ends], gram[begins == ends]))
        return made

    def _code(self, word: str) -> int:
        code = self._codes.get(word)
        if code is None:
            code = self._codes[word] = int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "little")
        return code


def cider_rows(predictions: Sequence[Prediction], truths: Sequence[Truth]) -> Rows:
    """Return float64 [N, 1]: CIDEr-D with the document frequencies of these very references, as it is published."""
    right = references(truths)
    return CiderD(right).scores(texts(predictions), right)[:, None]


def _counted(text: Ints, gram: Numbers) -> _Grams:
    order = np.lexsort((gram, text))
    text, gram = text[order], gram[order]
    is_new = np.ones(len(text), bool)
    is_new[1:] = (text[1:] != text[:-1]) | (gram[1:] != gram[:-1])
    starts = np.flatnonzero(is_new)
    return _Grams(text[starts], gram[starts], np.diff(starts, append=len(text)).astype(np.float64))


def _document_frequencies(grams: _Grams, image_of: Ints) -> tuple[Numbers, npt.NDArray[np.float64]]:
    """Return the n-grams, ascending, and of each the log of how many images have it."""
    per_image = _counted(image_of[grams.text], grams.gram)
    known, images = np.unique(per_image.gram, return_counts=True)
    return known, np.log(images)


def _bigrams(grams: list[_Grams], texts: int) -> npt.NDArray[np.float64]:
    """Return float64 [texts]: the number of bigrams, which is what coco-caption takes for a caption's length."""
    length: npt.NDArray[np.float64] = np.bincount(grams[1].text, grams[1].count, texts).astype(np.float64)
    return length
