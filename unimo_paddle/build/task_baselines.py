"""What a task scores without a model: the bar that a trained one has to clear."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from unimo_paddle.build.task_sources import TaskSources
from unimo_paddle.data.task_encode import class_name
from unimo_paddle.metrics.scored import Prediction
from unimo_paddle.records import Record, Records, Text
from unimo_paddle.task_spec import Answer, Classify, Generate, Regress


def constant_answers(sources: TaskSources, trained: Records, judged: Records) -> tuple[str, list[Prediction]]:
    """Return a name for them, and an answer to each judged record that needs no model.

    The commonest class or answer of the training split, its mean number, for a text from a text the source itself,
    cut to the usual length of a target, for a caption the commonest caption.
    """
    head, count = sources.task.head, len(judged)
    if isinstance(head, Classify):
        return "commonest class", [_commonest(class_name(one.label or 0) for one in trained)] * count
    if isinstance(head, Answer):
        best = _commonest(max(one.answers, key=lambda answer: one.answers[answer]) for one in trained)
        return "commonest answer", [best] * count
    if isinstance(head, Regress):
        return "mean number", [float(np.mean([float(one.label or 0) for one in trained]))] * count
    assert isinstance(head, Generate)
    targets = [_words(sources, one.target) for one in trained]
    if sources.task.needs_regions:
        return "commonest caption", [_commonest(targets)] * count
    usual = int(np.median([len(target.split()) for target in targets]))
    return "copy of the source", [_copied(sources, one, usual) for one in judged]


def _commonest(answers: Iterable[str]) -> str:
    return Counter(answers).most_common(1)[0][0]


def _words(sources: TaskSources, text: Text | None) -> str:
    return text if isinstance(text, str) else sources.tokenizer.decode(text or ()).strip()


def _copied(sources: TaskSources, record: Record, words: int) -> str:
    """Return the first words of the source: of a dialogue the current question's."""
    text = record.turns[-1] if record.turns else record.text
    return " ".join(_words(sources, text).split()[:words])
