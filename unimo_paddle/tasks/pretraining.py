"""Pretraining on image-text pairs: language, vision and contrast from one batch (paper sections 2 to 4)."""

from __future__ import annotations

from collections.abc import Callable, Collection

import paddle

from unimo_paddle.data.batch import LanguageLabels, PairBatch, Sequences, VisualLabels
from unimo_paddle.model.inputs import to_tensors
from unimo_paddle.model.unimo import UnimoForPretraining
from unimo_paddle.objectives import contrastive, language, visual
from unimo_paddle.objectives.terms import LossTerm

LANGUAGE = {"bidirectional": "masked_language", "seq2seq": "seq2seq"}  # the batch's objective -> the loss's name
VISUAL = ("region_regression", "region_classification")


class Pretraining:
    """What the trainer works on. wanted: names of the losses with a weight; the others cost no forward pass."""

    def __init__(
        self,
        model: UnimoForPretraining,
        batch: Callable[[int], PairBatch],
        temperature: float,
        wanted: Collection[str],
    ) -> None:
        self.model, self.batch, self.temperature, self.wanted = model, batch, temperature, frozenset(wanted)

    def losses(self, batch: PairBatch) -> dict[str, LossTerm]:
        """Run the model once for each objective that the batch serves; return its losses by name."""
        losses: dict[str, LossTerm] = {}
        name = LANGUAGE[batch.objective]
        if name in self.wanted:
            losses[name] = self.language(batch.language, batch.language_labels)
        if self.wanted.intersection(VISUAL):
            losses.update(self.visual(batch.visual, batch.visual_labels))
        if "contrastive" in self.wanted:
            losses["contrastive"] = self.contrast(batch)
        if "in_batch" in self.wanted:
            losses["in_batch"] = self.in_batch(batch)
        return losses

    def language(self, sequences: Sequences, labels: LanguageLabels) -> LossTerm:
        """Return the cross-entropy of the hidden words; the sequences' reach says who may read them."""
        logits = self.model.language_logits(self.model(to_tensors(sequences)), paddle.to_tensor(labels.rows))
        return language.cross_entropy(logits, paddle.to_tensor(labels.targets))

    def visual(self, sequences: Sequences, labels: VisualLabels) -> dict[str, LossTerm]:
        """Return both losses of the hidden regions."""
        features, logits = self.model.region_outputs(self.model(to_tensors(sequences)), paddle.to_tensor(labels.rows))
        terms = (
            visual.regression(features, paddle.to_tensor(labels.features)),
            visual.classification(logits, paddle.to_tensor(labels.class_probs)),
        )
        return dict(zip(VISUAL, terms, strict=True))

    def contrast(self, batch: PairBatch) -> LossTerm:
        """Return the contrastive loss over each pair's group: the original, its positives, its hard negatives."""
        scores = self.model.match_scores(self.model(to_tensors(batch.contrast)))
        is_real = paddle.to_tensor(batch.is_real)
        return contrastive.cmcl(
            scores.reshape(is_real.shape), paddle.to_tensor(batch.is_positive), is_real, self.temperature
        )

    def in_batch(self, batch: PairBatch) -> LossTerm:
        """Return the contrastive loss between all images and all captions of the batch, encoded apart."""
        states = self.model(to_tensors(batch.apart))
        scores = self.model.match_all(states, states)
        return contrastive.in_batch(scores, paddle.to_tensor(batch.belongs), self.temperature)
