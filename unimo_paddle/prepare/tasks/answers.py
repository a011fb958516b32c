"""Which answers VQA's classifier chooses from, and how much each is worth: the usual rule, 3,129 answers on VQA v2.

An answer is in when it is what most people said (`multiple_choice_answer`), normalised as the official score does it,
to at least nine questions of train and dev. The rule is that of the bottom-up-attention models
(hengyuan-hu/bottom-up-attention-vqa, tools/compute_softscore.py).
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from unimo_paddle.metrics.answers import normalise_vqa

LEAST = 9     # questions
_WORTH = 3    # tenths that one of ten people adds: min(1, 0.3 n)

normalised = functools.lru_cache(1 << 20)(normalise_vqa)   # millions of answers, few different ones


def vocabulary(most_said: Iterable[str]) -> tuple[str, ...]:
    """Return the answers to choose from, sorted, of what most people said to each question of train and dev."""
    counts = Counter(normalised(answer) for answer in most_said)
    return tuple(sorted(answer for answer, count in counts.items() if count >= LEAST and answer))


def soft_scores(answers: Sequence[str], known: Collection[str]) -> dict[str, float]:
    """Return answer -> score in (0, 1] of those of ten people's answers that are known, the most frequent first."""
    counts = Counter(normalised(answer) for answer in answers)
    return {answer: min(10, _WORTH * count) / 10 for answer, count in counts.most_common() if answer in known}

