"""Scores of short answers: VQA accuracy, and F1 and exact match as CoQA and SQuAD have them."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from unimo_paddle.errors import UserError
from unimo_paddle.metrics.answer_words import ARTICLES, CONTRACTIONS, NUMBERS
from unimo_paddle.metrics.bootstrap import Rows
from unimo_paddle.metrics.scored import Prediction, Truth, texts

_VQA_MARKS = ";/[]\"{}()=+\\_-><@`,?!"
_DIGITS_WITH_COMMA = re.compile(r"\d,\d")
_PERIOD = re.compile(r"(?!<=\d)\.(?!\d)")  # as published; the first group was to be (?<!\d) and excludes nothing
_PERIODS_AT_MOST = 32  # as published: re.UNICODE was passed where the count belongs
_QA_ARTICLES = re.compile(r"\b(a|an|the)\b")
_QA_MARKS = str.maketrans("", "", string.punctuation)


def vqa_rows(predictions: Sequence[Prediction], truths: Sequence[Truth]) -> Rows:
    """Return float64 [N, 1]: accuracy in [0, 1] against the ten people's answers in `references`."""
    return _rows(_vqa_accuracy, predictions, truths)


def coqa_rows(predictions: Sequence[Prediction], truths: Sequence[Truth]) -> Rows:
    """Return float64 [N, 2]: CoQA's F1 and exact match in [0, 1].

    With several people's answers each is left out once, the best of the others counts, and the mean is taken: so a
    person's answer is judged in the same way.
    """
    return _rows(lambda guess, right: [_leave_one_out(one, guess, right) for one in (_f1, _exact)], predictions, truths)


def squad_rows(predictions: Sequence[Prediction], truths: Sequence[Truth]) -> Rows:
    """Return float64 [N, 2]: SQuAD's F1 and exact match in [0, 1], against the best of all answers."""
    return _rows(lambda guess, right: [_best(one, guess, right) for one in (_f1, _exact)], predictions, truths)


def normalise_vqa(answer: str) -> str:
    """Return a VQA answer as the official score compares it: no punctuation or articles, number words as digits."""
    answer = answer.replace("\n", " ").replace("\t", " ").strip()
    joins = _DIGITS_WITH_COMMA.search(answer) is not None
    bare = answer
    for mark in _VQA_MARKS:
        beside_space = mark + " " in answer or " " + mark in answer
        bare = bare.replace(mark, "" if beside_space or joins else " ")
    bare = _PERIOD.sub("", bare, _PERIODS_AT_MOST)
    words = (NUMBERS.get(word, word) for word in bare.lower().split())
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in ARTICLES)


def normalise_answer(answer: str) -> str:
    """Return an answer as CoQA and SQuAD compare it: lower-case, without punctuation and articles."""
    return " ".join(_QA_ARTICLES.sub(" ", answer.lower().translate(_QA_MARKS)).split())


def _rows(
    one: Callable[[str, Sequence[str]], list[float]], predictions: Sequence[Prediction], truths: Sequence[Truth]
) -> Rows:
    """Return float64 [N, K] of one(prediction, references). An empty reference is an answer too: no words."""
    bare = [truth.id for truth in truths if not truth.references]
    if bare:
        raise UserError(f"{len(bare)} of {len(truths)} records have no reference answer, first {', '.join(bare[:5])}")
    return np.array(
        [one(guess, truth.references) for guess, truth in zip(texts(predictions), truths, strict=True)], np.float64
    )


def _vqa_accuracy(guess: str, right: Sequence[str]) -> list[float]:
    """Return the mean over people left out of min(1, others who agree / 3); unanimous answers are taken as written."""
    right = [answer.replace("\n", " ").replace("\t", " ").strip() for answer in right]
    guess = guess.replace("\n", " ").replace("\t", " ").strip()
    if len(set(right)) > 1:
        right, guess = [normalise_vqa(answer) for answer in right], normalise_vqa(guess)
    agree = right.count(guess)
    return [sum(min(1.0, (agree - (answer == guess)) / 3) for answer in right) / len(right)]


def _best(one: Callable[[str, str], float], guess: str, right: Sequence[str]) -> float:
    return max(one(guess, gold) for gold in right)


def _leave_one_out(one: Callable[[str, str], float], guess: str, right: Sequence[str]) -> float:
    scores = [one(guess, gold) for gold in right]
    if len(scores) == 1:
        return scores[0]
    return sum(max(scores[:left] + scores[left + 1 :]) for left in range(len(scores))) / len(scores)


def _exact(guess: str, gold: str) -> float:
    return float(normalise_answer(guess) == normalise_answer(gold))


def _f1(guess: str, gold: str) -> float:
    """Return F1 over words; two answers without any word agree."""
    guessed, right = normalise_answer(guess).split(), normalise_answer(gold).split()
    if not guessed or not right:
        return float(guessed == right)
    same = sum((Counter(guessed) & Counter(right)).values())
    return 2 * same / (len(guessed) + len(right))
