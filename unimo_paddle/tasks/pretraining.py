"""Pretraining on texts, images and pairs of them: language, vision and contrast (paper sections 2 to 4)."""

from __future__ import annotations

from collections.abc import Callable, Collection

import paddle
from paddle import Tensor

from unimo_paddle.data.batch import (
    Batch,
    Candidates,
    Chunks,
    ContrastPart,
    LanguagePart,
    Part,
    Parts,
    Sequences,
    VisualPart,
    sequences_of,
)
from unimo_paddle.distributed import gather_rows
from unimo_paddle.model.flops import Cost, part_cost
from unimo_paddle.model.inputs import first_rows, to_read, to_tensors
from unimo_paddle.model.unimo import States, UnimoForPretraining, sizes_of
from unimo_paddle.objectives import contrastive, language, visual
from unimo_paddle.objectives.terms import LossTerm

LANGUAGE = {"bidirectional": "masked_language", "seq2seq": "seq2seq"}  # how words are hidden -> the loss's name
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

    def __init__(self, model: UnimoForPretraining, batch: Callable[[int], Batch], temperature: float) -> None:
        self.model, self.batch, self.temperature = model, batch, temperature

    def counts(self, part: Part) -> dict[str, int]:
        """Return how many labels each loss of the part sums over: the count of its LossTerm, before any forward."""
        if isinstance(part, LanguagePart):
            return {LANGUAGE[part.objective]: len(part.labels.rows)}
        if isinstance(part, VisualPart):
            return dict.fromkeys(VISUAL, len(part.labels.rows))
        counts = {}
        if part.candidates:
            counts["contrastive"] = int((part.candidates.is_positive & part.candidates.is_real).any(axis=1).sum())
        if part.belongs is not None:
            counts["in_batch"] = 2 * len(part.belongs)
        return counts

    def cost(self, part: Part) -> Cost:
        """Return the rows and FLOPs of one part."""
        return part_cost(part, sizes_of(self.model))

    def passes(self, part: Part) -> int:
        """Return how often one part runs the encoder."""
        return len(sequences_of(part))

    def losses(self, part: Part) -> dict[str, LossTerm]:
        """Run the model on one part of a batch; return its losses by name."""
        if isinstance(part, LanguagePart):
            return {LANGUAGE[part.objective]: self.language(part)}
        return self.visual(part) if isinstance(part, VisualPart) else self.contrasts(part)

    def language(self, part: LanguagePart) -> LossTerm:
        """Return the cross-entropy of the hidden words; the sequences' reach says who may read them."""
        states = self.model(to_tensors(part.sequences), to_read(part.sequences, text=part.labels.rows))
        return language.cross_entropy(self.model.language_logits(states), paddle.to_tensor(part.labels.targets))

    def visual(self, part: VisualPart) -> dict[str, LossTerm]:
        """Return both losses of the hidden regions."""
        states = self.model(to_tensors(part.sequences), to_read(part.sequences, image=part.labels.rows))
        features, logits = self.model.region_outputs(states)
        terms = (
            visual.regression(features, paddle.to_tensor(part.labels.features)),
            visual.classification(logits, paddle.to_tensor(part.labels.class_probs)),
        )
        return dict(zip(VISUAL, terms, strict=True))

    def contrasts(self, part: ContrastPart) -> dict[str, LossTerm]:
        """Return the contrast with each pair's own candidates and that with the other pairs, as far as asked for."""
        losses = {}
        apart = self._first_states(part.apart) if part.apart else None
        if part.candidates:
            losses["contrastive"] = self.contrast(part.candidates, apart)
        if part.belongs is not None and apart:
            losses["in_batch"] = self.in_batch(apart, paddle.to_tensor(part.belongs))
        return losses

    def contrast(self, part: Candidates, apart: States | None) -> LossTerm:
        """Return the contrastive loss over each pair's candidates: the original, its positives, its hard negatives
        encoded jointly, and what was retrieved for it, encoded apart from it (paper section 2).

        apart: first states of the pairs' own images and captions, which retrieved candidates are scored against, None
        when there are none.
        """
        pairs = len(part.is_real)
        scores = [self._by_chunk(part.joint, self.model.match_scores).reshape([pairs, -1])]
        if apart and (part.images or part.texts):
            poolers = self.model.poolers
            image, text = poolers.pool_image(apart.image), poolers.pool_text(apart.text)
            if part.images:
                found = self._by_chunk(part.images, lambda states: poolers.pool_image(states.image))
                scores.append(self._scores_of_found(found, text))
            if part.texts:
                found = self._by_chunk(part.texts, lambda states: poolers.pool_text(states.text))
                scores.append(self._scores_of_found(found, image))
        return contrastive.cmcl(
            paddle.concat(scores, axis=1),
            paddle.to_tensor(part.is_positive),
            paddle.to_tensor(part.is_real),
            self.temperature,
        )

    def _by_chunk(self, chunks: Chunks, read: Callable[[States], Tensor]) -> Tensor:
        """Return what is read of each sequence, float [N, ..], in the order that they had before they were sorted."""
        found = [read(self._first_states(part)) for part in chunks.parts]
        return paddle.gather(paddle.concat(found), paddle.to_tensor(chunks.back))

    def _first_states(self, sequences: Sequences) -> States:
        """Return the states of [IMG] and [CLS], all that the poolers read: float [B, 1, H] each."""
        return self.model(to_tensors(sequences), first_rows(sequences))

    def _scores_of_found(self, found: Tensor, own: Tensor) -> Tensor:
        """Return the scores of what was retrieved for each pair with the pair's other side, float [B, k].

        found: float [B*k, H]; own: float [B, H]; the score of an image and a text is that of the text and the image.
        """
        repeated = paddle.repeat_interleave(own, found.shape[0] // own.shape[0], axis=0)
        return self.model.match_head(found, repeated).reshape([own.shape[0], -1])

    def in_batch(self, apart: States, belongs: Tensor) -> LossTerm:
        """Return the contrast of this rank's B pairs with all W pairs of the step: images against captions, and back.

        Vectors travel between ranks, with their gradients, states do not.  belongs: bool [B, W].
        """
        images, texts = self.model.poolers.pool_image(apart.image), self.model.poolers.pool_text(apart.text)
        of_images = self.model.match_head.all_pairs(images, gather_rows(texts))
        of_texts = self.model.match_head.all_pairs(gather_rows(images), texts).T
        return contrastive.in_batch(of_images, of_texts, belongs, self.temperature)

