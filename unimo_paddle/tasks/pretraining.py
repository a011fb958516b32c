"""Pretraining on image-text pairs: language, vision and contrast from one batch (paper sections 2 to 4)."""

from __future__ import annotations

from collections.abc import Callable, Collection

import paddle
from paddle import Tensor

from unimo_paddle.data.batch import ContrastPart, LanguagePart, PairBatch, Parts, VisualPart
from unimo_paddle.model.inputs import to_tensors
from unimo_paddle.model.unimo import States, UnimoForPretraining
from unimo_paddle.objectives import contrastive, language, visual
from unimo_paddle.objectives.terms import LossTerm

LANGUAGE = {"bidirectional": "masked_language", "seq2seq": "seq2seq"}  # the batch's objective -> the loss's name
VISUAL = ("region_regression", "region_classification")


def parts_for(losses: Collection[str]) -> Parts:
    """Return the parts of a batch that these losses, by name, are computed from."""
    return Parts(
        bidirectional=LANGUAGE["bidirectional"] in losses,
        seq2seq=LANGUAGE["seq2seq"] in losses,
        visual=not set(VISUAL).isdisjoint(losses),
        contrast="contrastive" in losses,
        in_batch="in_batch" in losses,
    )


class Pretraining:
    """What the trainer works on. batch(step): its parts say which losses there are; an absent one costs nothing."""

    def __init__(
        self, model: UnimoForPretraining, batch: Callable[[int], PairBatch], temperature: float
    ) -> None:
        self.model, self.batch, self.temperature = model, batch, temperature

    def losses(self, batch: PairBatch) -> dict[str, LossTerm]:
        """Run the model once for each part of the batch; return its losses by name."""
        losses: dict[str, LossTerm] = {}
        if batch.language:
            losses[LANGUAGE[batch.objective]] = self.language(batch.language)
        if batch.visual:
            losses.update(self.visual(batch.visual))
        joint = self.model.match_scores(self.model(to_tensors(batch.contrast.joint))) if batch.contrast else None
        apart = self.model(to_tensors(batch.apart)) if batch.apart else None
        if batch.contrast and joint is not None:
            losses["contrastive"] = self.contrast(batch.contrast, joint, apart)
        if batch.belongs is not None and apart:
            scores = self.model.match_all(apart, apart)
            losses["in_batch"] = contrastive.in_batch(scores, paddle.to_tensor(batch.belongs), self.temperature)
        return losses

    def language(self, part: LanguagePart) -> LossTerm:
        """Return the cross-entropy of the hidden words; the sequences' reach says who may read them."""
        states = self.model(to_tensors(part.sequences))
        logits = self.model.language_logits(states, paddle.to_tensor(part.labels.rows))
        return language.cross_entropy(logits, paddle.to_tensor(part.labels.targets))

    def visual(self, part: VisualPart) -> dict[str, LossTerm]:
        """Return both losses of the hidden regions."""
        states = self.model(to_tensors(part.sequences))
        features, logits = self.model.region_outputs(states, paddle.to_tensor(part.labels.rows))
        terms = (
            visual.regression(features, paddle.to_tensor(part.labels.features)),
            visual.classification(logits, paddle.to_tensor(part.labels.class_probs)),
        )
        return dict(zip(VISUAL, terms, strict=True))

    def contrast(self, part: ContrastPart, joint: Tensor, apart: States | None) -> LossTerm:
        """Return the contrastive loss over each pair's candidates: the original, its positives, its hard negatives
        encoded jointly, and what was retrieved for it, encoded apart from it (paper section 2).

        joint: float [B*G], scores of the joint sequences; apart: states of the pairs' own images and captions, which
        retrieved candidates are scored against, None when there are none.
        """
        pairs = len(part.is_real)
        scores = joint.reshape([pairs, -1])
        if part.images and apart:
            found = self.model(to_tensors(part.images))
            images = self.model.match_scores_separate(found, _first_rows(apart, len(found.image) // pairs))
            scores = paddle.concat([scores, images.reshape([pairs, -1])], axis=1)
        if part.texts and apart:
            found = self.model(to_tensors(part.texts))
            texts = self.model.match_scores_separate(_first_rows(apart, len(found.text) // pairs), found)
            scores = paddle.concat([scores, texts.reshape([pairs, -1])], axis=1)
        return contrastive.cmcl(
            scores, paddle.to_tensor(part.is_positive), paddle.to_tensor(part.is_real), self.temperature
        )


def _first_rows(states: States, times: int) -> States:
    """Return [IMG] and [CLS] of each of B sequences `times` times in a row: float [B * times, 1, H] each."""
    width = states.image.shape[2]
    return States(
        *(part[:, :1].expand([-1, times, -1]).reshape([-1, 1, width]) for part in (states.image, states.text))
    )
