"""A prompt that is read from left to right, as transformers' decoders read it, by our model: for comparisons only."""

import numpy as np
import paddle

from unimo_paddle.data.batch import Sequences, pad
from unimo_paddle.data.encode import TextRow
from unimo_paddle.data.patterns import Pattern
from unimo_paddle.model.cache import CachedDecoder
from unimo_paddle.model.inputs import Inputs, to_read, to_tensors
from unimo_paddle.model.unimo import UnimoForPretraining


def from_left(prompts: np.ndarray) -> Sequences:
    """Return a batch of texts of which each token reads those before it. prompts: int64 [B, T]."""
    length = prompts.shape[1]
    positions, words = np.arange(2, length + 2), np.ones(length, np.bool_)
    reach = np.arange(length, dtype=np.int32)
    rows = [TextRow(prompt, positions, words) for prompt in prompts]
    return pad([], rows, [Pattern(reach, np.zeros_like(reach))] * len(prompts))


class Continuing:
    """A Stepper whose texts go on counting positions where their prompt stopped. prompts: int64 [B, T], without the
    start token."""

    def __init__(self, decoder: CachedDecoder, prompts: np.ndarray) -> None:
        self._length = prompts.shape[1]
        self._decoder = decoder.start(to_tensors(from_left(prompts)))

    @property
    def inputs(self) -> int:
        return self._decoder.inputs

    def step(self, tokens: np.ndarray, position: int) -> np.ndarray:
        return self._decoder.step(tokens, position + self._length)

    def keep(self, parents: np.ndarray) -> None:
        self._decoder.keep(parents)


class Uncached:
    """The same without a cache: all of each text through the whole model for each token, logits of the last alone."""

    def __init__(self, model: UnimoForPretraining, prompts: np.ndarray) -> None:
        self._model, self._texts, self.inputs = model, prompts, len(prompts)

    def step(self, tokens: np.ndarray, position: int) -> np.ndarray:
        self._texts = np.concatenate((self._texts, tokens[:, None]), axis=1)
        batch, length = self._texts.shape
        sequences = from_left(self._texts)
        inputs: Inputs = to_tensors(sequences)
        with paddle.no_grad():
            states = self._model(inputs, to_read(sequences, text=np.arange(1, batch + 1) * length - 1))
            return self._model.language_logits(states).numpy()

    def keep(self, parents: np.ndarray) -> None:
        self._texts = self._texts[parents]
