"""Fine-tuning on any task: what the trainer works on (release, sections 6 and 7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from unimo_paddle.data.task_batch import TaskBatch
from unimo_paddle.errors import UserError
from unimo_paddle.model.flops import Cost
from unimo_paddle.model.task_model import UnimoForTask
from unimo_paddle.objectives.adversarial import AdversarialSettings
from unimo_paddle.objectives.circle import CircleSettings
from unimo_paddle.objectives.reward import RewardSettings
from unimo_paddle.objectives.terms import LossTerm
from unimo_paddle.task_spec import Answer, Classify, Generate, Match, Regress, Task
from unimo_paddle.tasks.adversarial import Adversarial
from unimo_paddle.tasks.matching import Matching
from unimo_paddle.tasks.objective import (
    ANSWERS,
    CROSS_ENTROPY,
    SQUARED_ERROR,
    AnswerPrediction,
    Objective,
    Prediction,
    WordPrediction,
)
from unimo_paddle.tasks.self_critical import Judge, SelfCritical

_ANSWER_LOSSES = {Classify: CROSS_ENTROPY, Regress: SQUARED_ERROR, Answer: ANSWERS}


@dataclass(frozen=True)
class FinetuningSettings:
    """smoothing: of the words to be generated.  circle: of retrieval; hard_negatives: images, and captions, mined for
    each of its pairs.  adversarial, reward: how else than from plain inputs and targets is learnt; None: not."""

    smoothing: float = 0.1
    circle: CircleSettings = field(default_factory=CircleSettings)
    hard_negatives: int = 0
    adversarial: AdversarialSettings | None = None
    reward: RewardSettings | None = None


class Finetuning:
    """An engine.passes.Work. weights: of all its losses, for the trainer.

    batch: of the stream, a pure function of the step.  judge: of what a reward is for, with settings.reward.  cast:
    the run's precision, under which hard negatives are looked for.

    Hard negatives depend on the weights too, as they are before the step: a resumed run has the same.  Adversarial
    training and rewards are not for processes that share gradients (stage 2 and 3): deltas take backward passes, and
    generation forward passes, of their own.

    Raises UserError that lists the settings which are not for the task.
    """

    def __init__(
        self,
        model: UnimoForTask,
        task: Task,
        batch: Callable[[int], TaskBatch],
        settings: FinetuningSettings | None = None,
        judge: Judge | None = None,
        cast: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        settings = settings or FinetuningSettings()
        _check(task, settings)
        self.model, self.task, self._batch = model, task, batch
        self.objective = _objective(model, task, settings, judge, cast)
        self.weights: Mapping[str, float] = self.objective.weights

    def batch(self, step: int) -> TaskBatch:
        """Return the step's batch, its parts as the objective runs them."""
        batch = self._batch(step)
        return replace(batch, parts=tuple(made for part in batch.parts for made in self.objective.parts(part)))

    def counts(self, part: Any) -> Mapping[str, float]:
        """Return how many labels each loss of the part sums over."""
        return self.objective.counts(part)

    def cost(self, part: Any) -> Cost:
        """Return the rows and FLOPs of one part."""
        return self.objective.cost(part)

    def passes(self, part: Any) -> int:
        """Return how often one part runs the encoder."""
        return self.objective.passes(part)

    def losses(self, part: Any) -> Mapping[str, LossTerm]:
        """Run the model on one part of a batch; return its losses by name."""
        return self.objective.losses(part)


def _check(task: Task, settings: FinetuningSettings) -> None:
    adversarial, reward, faults = settings.adversarial, settings.reward, []
    if adversarial and not isinstance(task.head, (Classify, Answer, Generate)):
        faults.append(f"adversarial training is for classes, answers and generated texts, but {task.name} has none")
    elif adversarial and "image" in adversarial.sides and not task.needs_regions:
        faults.append(f"adversarial.on is {adversarial.on}, but {task.name} reads no image: set it to text")
    if reward and not isinstance(task.head, Generate):
        faults.append(f"a reward is for generated texts, but {task.name} has none: set reward.samples to 0")
    if reward and adversarial:
        faults.append("a reward is not learnt from perturbed inputs: set adversarial.steps or reward.samples to 0")
    if faults:
        raise UserError("; ".join(faults))


def _objective(
    model: UnimoForTask,
    task: Task,
    settings: FinetuningSettings,
    judge: Judge | None,
    cast: Callable[[], AbstractContextManager[None]],
) -> Objective:
    if isinstance(task.head, Match):
        return Matching(model, settings.circle, settings.hard_negatives, cast)
    if settings.reward:
        assert judge is not None, "a reward needs a judge"
        return SelfCritical(model, judge, settings.reward)
    prediction: Prediction
    if isinstance(task.head, Generate):
        prediction = WordPrediction(model, settings.smoothing)
    else:
        prediction = AnswerPrediction(model, _ANSWER_LOSSES[type(task.head)])
    return Adversarial(prediction, settings.adversarial) if settings.adversarial else prediction
