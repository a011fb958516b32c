"""What a task's model says: a class, a number, an answer of the vocabulary or a text, with what else was near."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray

from unimo_paddle.data.batch import Sequences
from unimo_paddle.data.tokenizer import Tokenizer
from unimo_paddle.generation import Hypothesis, Ids, Trie, generate
from unimo_paddle.model.cache import CachedDecoder
from unimo_paddle.model.inputs import first_rows, to_tensors
from unimo_paddle.model.task_model import UnimoForTask
from unimo_paddle.task_spec import Answer, Decoding, Generate, Match, Regress, Task

SHOWN = 5  # of what was near


@dataclass(frozen=True)
class Said:
    """One answer. answer: the class's name, the number or the text.  ranked: what it was chosen from, the best first,
    with the probability of a class, the score from 0 to 1 of an answer, or the log-probability over the length penalty
    of a text; empty for a number."""

    answer: str | float
    ranked: tuple[tuple[str, float], ...] = ()


class Answering:
    """Answers batches with a model in evaluation mode.

    labels: of classes or answers; of a closed task the only texts that may be said.  decoding: of texts; seed: of
    nucleus sampling.
    """

    def __init__(
        self,
        model: UnimoForTask,
        task: Task,
        tokenizer: Tokenizer,
        labels: Sequence[str],
        decoding: Decoding | None = None,
        seed: int = 0,
    ) -> None:
        assert not isinstance(task.head, Match), "images and texts are scored, not answered (engine/scoring.py)"
        self.model, self.task, self.tokenizer, self.labels, self.seed = model, task, tokenizer, labels, seed
        if isinstance(task.head, Generate):
            assert decoding is not None, task.name
            self._ids = generation_ids(tokenizer, task.head)
            self._decoder = CachedDecoder(model.encoder, model.language_head)
            self._trie = trie_of(tokenizer, labels) if task.head.closed else None
            # Every answer of a closed task must fit, with its end.
            self._decoding = replace(decoding, most=self._trie.longest + 1) if self._trie else decoding

    def __call__(self, sequences: Sequences) -> list[Said]:
        """Answer each sequence of a batch, in its order."""
        assert not self.model.training, "answers come from a model without dropout"
        return self._texts(sequences) if isinstance(self.task.head, Generate) else self._answers(sequences)

    def _answers(self, sequences: Sequences) -> list[Said]:
        with paddle.no_grad():
            states = self.model(to_tensors(sequences), first_rows(sequences))
            found: NDArray[Any] = self.model.answers(states).astype("float64").numpy()
        if isinstance(self.task.head, Regress):
            return [Said(float(number)) for number in found[:, 0]]
        shares = 1 / (1 + np.exp(-found)) if isinstance(self.task.head, Answer) else _softmax(found)
        return [self._ranked(row) for row in shares]

    def _ranked(self, shares: NDArray[np.float64]) -> Said:
        best = np.argsort(-shares, kind="stable")[:SHOWN]
        ranked = tuple((self.labels[place], float(shares[place])) for place in best)
        return Said(ranked[0][0], ranked)

    def _texts(self, sequences: Sequences) -> list[Said]:
        stepper = self._decoder.start(to_tensors(sequences))
        found = generate(stepper, self._decoding, self._ids, self._trie, self.seed)
        return [self._said(hypotheses) for hypotheses in found]

    def _said(self, hypotheses: Sequence[Hypothesis]) -> Said:
        ranked = tuple((" ".join(self.tokenizer.decode(one.ids).split()), one.score) for one in hypotheses)
        return Said(ranked[0][0], ranked[:SHOWN])


def generation_ids(tokenizer: Tokenizer, head: Generate) -> Ids:
    """Return the special ids of a task that generates; what is neither text nor the end is never said."""
    end = tokenizer.mask if head.end == "mask" else tokenizer.sep
    banned = np.flatnonzero(~tokenizer.is_text)
    return Ids(
        start=tokenizer.cls,
        end=end,
        pad=tokenizer.pad,
        word_start=tokenizer.opens_word,
        banned=tuple(token for token in banned.tolist() if token != end),
    )


def trie_of(tokenizer: Tokenizer, texts: Sequence[str]) -> Trie:
    """Return the tree of texts that alone may be said."""
    return Trie.from_token_lists([one.ids.tolist() for one in tokenizer.encode_batch(texts)])


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
