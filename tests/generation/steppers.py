"""Steppers without a model: next logits from a function of source and text."""

import numpy as np

from unimo_paddle.generation import FIRST_POSITION

VOCAB, START, PAD, END = 14, 0, 1, 2


def told(seed, spread=2.0, vocab=VOCAB):
    """A function of source and text: random logits, always the same ones."""

    def logits(source, text):
        rng = np.random.default_rng((seed, source, len(text), *text))
        return rng.normal(0, spread, vocab).astype(np.float32)

    return logits


class Told:
    """A Stepper that remembers the texts, checks what it is asked, and counts the rows it was asked about."""

    def __init__(self, logits, inputs):
        self.logits, self.inputs = logits, inputs
        self.rows, self.asked = [(source, ()) for source in range(inputs)], []

    def step(self, tokens, position):
        assert tokens.dtype == np.int64 and len(tokens) == len(self.rows)
        assert {FIRST_POSITION + len(text) for _, text in self.rows} == {position}
        assert (tokens == START).all() or position > FIRST_POSITION
        self.rows = [(source, (*text, int(token))) for (source, text), token in zip(self.rows, tokens, strict=True)]
        self.asked.append(len(self.rows))
        return np.stack([self.logits(source, text[1:]) for source, text in self.rows])

    def keep(self, parents):
        self.rows = [self.rows[parent] for parent in parents]
        assert [source for source, _ in self.rows] == sorted(source for source, _ in self.rows)
