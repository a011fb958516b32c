"""Adversarial training of a prediction: K passes over each part, clean and perturbed (release, section 7)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import paddle
from paddle import Tensor, nn

from unimo_paddle.data.batch import Sequences
from unimo_paddle.data.encode import Bools
from unimo_paddle.data.task_batch import AnswerPart, ClassPart, GeneratePart
from unimo_paddle.model.flops import Cost
from unimo_paddle.model.inputs import Inputs, to_tensors
from unimo_paddle.objectives.adversarial import (
    AdversarialSettings,
    first_delta,
    next_delta,
    sigmoid_kl,
    softmax_kl,
)
from unimo_paddle.objectives.terms import LossTerm
from unimo_paddle.tasks.objective import ANSWERS, Prediction

TEXT = "text"


@dataclass(frozen=True)
class AdversarialPass:
    """Pass number `index`, from 0, over a part."""

    part: ClassPart | AnswerPart | GeneratePart
    index: int


class Adversarial:
    """Each pass is one forward and backward of up to three branches: clean, text perturbed, image perturbed.

    Losses divided by their counts give the release's sum over K passes: each cross-entropy is counted in every pass,
    which divides it by K; so is the distance with kl_over_steps="mean", while with "sum" it is counted once.
    Passes of a part must be run in turn: deltas are kept from one to the next.
    """

    def __init__(self, prediction: Prediction, settings: AdversarialSettings) -> None:
        self.prediction, self.settings = prediction, settings
        self.weights = {prediction.name: 1.0} if settings.clean else {}
        self.weights.update({perturbed_name(side): 1.0 for side in settings.sides})
        if settings.has_kl:
            self.weights.update({kl_name(side): settings.kl_weight for side in settings.sides})
        self._kl = sigmoid_kl if prediction.name == ANSWERS else softmax_kl
        self._deltas: dict[str, Tensor] = {}

    def parts(self, part: ClassPart | AnswerPart | GeneratePart) -> tuple[AdversarialPass, ...]:
        return tuple(AdversarialPass(part, index) for index in range(self.settings.steps))

    def counts(self, one: AdversarialPass) -> dict[str, float]:
        count = self.prediction.count(one.part)
        return {name: count * (self._kl_share(one) if name.endswith("_kl") else 1) for name in self.weights}

    def cost(self, one: AdversarialPass) -> Cost:
        """Return the cost of all branches; the gradient that moves the deltas is one more product for each product."""
        branch, sides = self.prediction.cost(one.part), len(self.settings.sides)
        branches = self.passes(one)
        moving = 0 if self._is_last(one) else sides * branch.flops / 3
        return Cost(branch.tokens * branches, branch.rows * branches, branch.flops * branches + moving)

    def passes(self, one: AdversarialPass) -> int:
        return len(self.settings.sides) + self.settings.clean

    def losses(self, one: AdversarialPass) -> dict[str, LossTerm]:
        part, inputs = one.part, to_tensors(one.part.sequences)
        valid = {side: self._valid(side, part) for side in self.settings.sides}
        if one.index == 0:
            self._deltas = {side: self._start(side, rows, inputs) for side, rows in valid.items()}
        terms, clean = {}, None
        if self.settings.clean:
            clean = self.prediction.outputs(inputs, part)
            terms[self.prediction.name] = self.prediction.loss(clean, part)
        for side in self.settings.sides:
            delta = self._deltas[side].detach()
            delta.stop_gradient = False
            outputs = self.prediction.outputs(replace(inputs, **{f"{side}_delta": delta}), part)
            term = terms[perturbed_name(side)] = self.prediction.loss(outputs, part)
            if self.settings.has_kl and clean is not None:
                apart = self._kl(clean, outputs)
                terms[kl_name(side)] = LossTerm(apart.sum, apart.count * self._kl_share(one))
            if not self._is_last(one):
                gradient = gradient_alone(term.sum, delta, self.prediction.model)
                share = 1 / (self.prediction.count(part) * self.settings.steps)
                self._deltas[side] = next_delta(delta, gradient, valid[side], self.settings, share)
        return terms

    def _valid(self, side: str, part: ClassPart | AnswerPart | GeneratePart) -> Tensor:
        rows = self.prediction.perturbed_words(part) if side == TEXT else real_image_rows(part.sequences)
        return paddle.to_tensor(rows)

    def _start(self, side: str, valid: Tensor, inputs: Inputs) -> Tensor:
        width = self.prediction.sizes.width if side == TEXT else inputs.features.shape[2]
        return first_delta(valid, width, self.settings.init)

    def _kl_share(self, one: AdversarialPass) -> int:
        return 1 if self.settings.kl_over_steps == "mean" or one.index == 0 else 0

    def _is_last(self, one: AdversarialPass) -> bool:
        return one.index + 1 == self.settings.steps


def perturbed_name(side: str) -> str:
    return f"{side}_adversarial"


def kl_name(side: str) -> str:
    return f"{side}_kl"


def real_image_rows(sequences: Sequences) -> Bools:
    """Return which rows of the images are no padding, bool [I, R]."""
    is_pad = sequences.is_pad[:, : sequences.features.shape[1]]
    if sequences.image_of is None:
        return ~is_pad
    real: Bools = np.zeros(sequences.features.shape[:2], np.bool_)
    real[sequences.image_of] = ~is_pad
    return real


def gradient_alone(loss: Tensor, delta: Tensor, model: nn.Layer) -> Tensor:
    """Return the gradient of loss by delta, shaped like it; the model's own gradients stay as they are.

    paddle.grad leaves them alone, but layers that are computed again in the backward pass add to those of their
    parameters, as long as these want any. The scales of norms must want theirs: on a CPU, Paddle 3.3's gradient of a
    LayerNorm by its input leaves the scale out when the scale's own gradient is not asked for.
    """
    scales = [layer.weight for layer in model.sublayers() if isinstance(layer, nn.LayerNorm)]
    kept = [None if scale.grad is None else scale.grad.clone() for scale in scales]
    needed = {id(scale) for scale in scales}
    silenced = [one for one in model.parameters() if not one.stop_gradient and id(one) not in needed]
    for parameter in silenced:
        parameter.stop_gradient = True
    try:
        gradient = paddle.grad(loss, [delta, *scales], retain_graph=True, allow_unused=True)[0]
    finally:
        for parameter in silenced:
            parameter.stop_gradient = False
    for scale, own in zip(scales, kept, strict=True):
        scale.clear_gradient(False)
        if own is not None:
            scale.grad = own
    return gradient
