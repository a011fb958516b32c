"""What is learnt from a part of a task's step. Finetuning gives the trainer's questions on to one of these."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol

import paddle
from paddle import Tensor

from unimo_paddle.data.batch import Sequences
from unimo_paddle.data.encode import Bools
from unimo_paddle.data.task_batch import AnswerPart, ClassPart, GeneratePart, NumberPart
from unimo_paddle.model.flops import Cost
from unimo_paddle.model.inputs import Inputs, first_rows, to_read, to_tensors
from unimo_paddle.model.task_flops import answer_cost, words_cost
from unimo_paddle.model.task_model import UnimoForTask
from unimo_paddle.model.unimo import encoder_sizes
from unimo_paddle.objectives import language, understanding
from unimo_paddle.objectives.terms import LossTerm

CROSS_ENTROPY, SQUARED_ERROR, ANSWERS, WORDS = "cross_entropy", "squared_error", "answers", "words"


class Objective(Protocol):
    """weights: of all losses by name.  parts: what the trainer runs for one part of the data, a forward and a backward
    pass each; counts, cost, passes, losses: of one of them, as engine.passes.Work has them."""

    @property
    def weights(self) -> Mapping[str, float]: ...

    def parts(self, part: Any) -> tuple[Any, ...]: ...

    def counts(self, part: Any) -> Mapping[str, float]: ...

    def cost(self, part: Any) -> Cost: ...

    def passes(self, part: Any) -> int: ...

    def losses(self, part: Any) -> Mapping[str, LossTerm]: ...


class Prediction(ABC):
    """One forward, one loss: the prediction of an answer or of words; others are built on it.

    model: what predicts.  name: of the loss.
    """

    def __init__(self, model: UnimoForTask, name: str) -> None:
        self.model, self.name = model, name
        self.sizes = encoder_sizes(model.encoder)
        self.weights = {name: 1.0}

    def parts(self, part: Any) -> tuple[Any, ...]:
        return (part,)

    def counts(self, part: Any) -> dict[str, float]:
        return {self.name: self.count(part)}

    def passes(self, part: Any) -> int:
        return 1

    def losses(self, part: Any) -> dict[str, LossTerm]:
        return {self.name: self.loss(self.outputs(to_tensors(part.sequences), part), part)}

    @abstractmethod
    def count(self, part: Any) -> int:
        """Return how many labels a part has."""

    @abstractmethod
    def cost(self, part: Any) -> Cost:
        """Return the rows and FLOPs of a part."""

    @abstractmethod
    def outputs(self, inputs: Inputs, part: Any) -> Tensor:
        """Return what is predicted, float [N, C], of these inputs in the place of the part's own."""

    @abstractmethod
    def loss(self, outputs: Tensor, part: Any) -> LossTerm:
        """Return the loss of what outputs() gave for a part, summed over its labels."""

    @abstractmethod
    def perturbed_words(self, part: Any) -> Bools:
        """Return which text rows adversarial training may change, bool [B, T]."""


class AnswerPrediction(Prediction):
    """Classes (cross_entropy), a number (squared_error) or scores of a vocabulary's answers (answers)."""

    def count(self, part: ClassPart | NumberPart | AnswerPart) -> int:
        return len(part.targets)

    def cost(self, part: ClassPart | NumberPart | AnswerPart) -> Cost:
        return answer_cost(part.sequences, self.model.answer, self.sizes)

    def outputs(self, inputs: Inputs, part: ClassPart | NumberPart | AnswerPart) -> Tensor:
        return self.model.answers(self.model(inputs, first_rows(part.sequences)))

    def loss(self, outputs: Tensor, part: ClassPart | NumberPart | AnswerPart) -> LossTerm:
        targets = paddle.to_tensor(part.targets)
        if self.name == SQUARED_ERROR:
            return understanding.squared_error(outputs.squeeze(1), targets)
        return (language.cross_entropy if self.name == CROSS_ENTROPY else understanding.soft_answers)(outputs, targets)

    def perturbed_words(self, part: ClassPart | NumberPart | AnswerPart) -> Bools:
        return ~_text_columns(part.sequences, part.sequences.is_pad)


class WordPrediction(Prediction):
    """The words of a target. smoothing: share of the probability that is spread over the vocabulary."""

    def __init__(self, model: UnimoForTask, smoothing: float) -> None:
        super().__init__(model, WORDS)
        self.smoothing = smoothing

    def count(self, part: GeneratePart) -> int:
        return len(part.labels.rows)

    def cost(self, part: GeneratePart) -> Cost:
        return words_cost(part.sequences, part.labels.rows, self.sizes)

    def outputs(self, inputs: Inputs, part: GeneratePart) -> Tensor:
        return self.model.language_logits(self.model(inputs, to_read(part.sequences, text=part.labels.rows)))

    def loss(self, outputs: Tensor, part: GeneratePart) -> LossTerm:
        return language.cross_entropy(outputs, paddle.to_tensor(part.labels.targets), self.smoothing)

    def perturbed_words(self, part: GeneratePart) -> Bools:
        """The target's alone, not a source's or tags' (release, section 7)."""
        reach = _text_columns(part.sequences, part.sequences.reach)
        found: Bools = (reach > 0) & ~_text_columns(part.sequences, part.sequences.is_pad)
        return found


def _text_columns(sequences: Sequences, columns: Any) -> Any:
    """Cut the text's part, [B, T], out of [B, R + T]."""
    return columns[:, sequences.features.shape[1] :]
