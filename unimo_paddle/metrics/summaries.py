"""ROUGE of summaries by rouge-score (Google), made to equal ROUGE-1.5.5 with its stemmer (option -m)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from unimo_paddle.metrics.bootstrap import Rows
from unimo_paddle.metrics.scored import Prediction, Truth, references, texts

KINDS = ("rouge1", "rouge2", "rougeL")
_SENTENCE_END = re.compile(r"(?<=[.!?])(?P<after>[\"')\]]*|\s''|\s-rrb-)\s+")
_NO_END = re.compile(
    r"\b(?:mr|mrs|ms|dr|prof|st|jr|sr|vs|gen|sen|rep|gov|col|lt|sgt|inc|ltd|co|corp|no|[a-z]|(?:[a-z]\.)+[a-z])\.$",
    re.IGNORECASE,
)


def rouge_rows(predictions: Sequence[Prediction], truths: Sequence[Truth]) -> Rows:
    """Return float64 [N, 3]: F1 of ROUGE-1, -2 and -L in [0, 1], the best over references for each."""
    return _rows(KINDS, texts(predictions), references(truths))


def rouge_lsum_rows(predictions: Sequence[Prediction], truths: Sequence[Truth]) -> Rows:
    """Return float64 [N, 1]: F1 of ROUGE-L by sentences, as CNN/DailyMail is judged: a sentence a line."""
    right = [tuple("\n".join(sentences(one)) for one in some) for some in references(truths)]
    return _rows(("rougeLsum",), ["\n".join(sentences(guess)) for guess in texts(predictions)], right)


def sentences(text: str) -> list[str]:
    """Return a text's sentences: its lines where it has several, else what its full stops part."""
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) > 1:
        return lines
    found, start = [], 0
    for match in _SENTENCE_END.finditer(text):
        if not _NO_END.search(text[start : match.start()]):
            found.append(text[start : match.end()].strip())
            start = match.end()
    return [one for one in (*found, text[start:].strip()) if one]


def _rows(kinds: Sequence[str], guesses: Sequence[str], right: Sequence[tuple[str, ...]]) -> Rows:
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(list(kinds), tokenizer=_Tokenizer())
    scores = [scorer.score_multi(list(some), guess) for guess, some in zip(guesses, right, strict=True)]
    return np.array([[one[kind].fmeasure for kind in kinds] for one in scores], np.float64)


class _Tokenizer:
    """rouge-score's own tokenizer with its Porter stemmer, which looks at each word once."""

    def __init__(self) -> None:
        from nltk.stem.porter import PorterStemmer

        self.stem = lru_cache(maxsize=100_000)(PorterStemmer().stem)

    def tokenize(self, text: str) -> Any:
        from rouge_score.tokenize import tokenize

        return tokenize(text, self)
