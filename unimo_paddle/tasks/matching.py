"""Retrieval: true pairs above those with a wrong image or caption, all read jointly (release, section 6)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import Tensor

from unimo_paddle.data.batch import Chunks, pad_in_chunks
from unimo_paddle.data.encode import Ints
from unimo_paddle.data.task_batch import MatchPart, joint
from unimo_paddle.model.flops import Cost
from unimo_paddle.model.inputs import first_rows, to_tensors
from unimo_paddle.model.task_flops import match_cost
from unimo_paddle.model.task_model import UnimoForTask
from unimo_paddle.model.unimo import States, encoder_sizes
from unimo_paddle.objectives.circle import CircleSettings, circle
from unimo_paddle.objectives.terms import LossTerm

CIRCLE = "circle"


@dataclass(frozen=True)
class JointPart:
    """B captions with their pairs, to be read jointly. pairs: B * columns; columns: 1 + 2k, as in MatchPart."""

    pairs: Chunks
    columns: int


class Matching:
    """hard: wrong images and wrong captions each that are added to the sampled ones: those of the part's pools that the
    model, as it is now, thinks most alike when it reads image and text apart.  cast: what they are looked for under,
    the run's precision."""

    def __init__(
        self,
        model: UnimoForTask,
        settings: CircleSettings,
        hard: int,
        cast: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.model, self.settings, self.hard, self.cast = model, settings, hard, cast
        self.weights = {CIRCLE: 1.0}
        self._sizes = encoder_sizes(model.encoder)

    def parts(self, part: MatchPart) -> tuple[JointPart, ...]:
        """Return the one pass over a part. It is made when the batch is: which pairs it has, and so what it costs, is
        known only when hard negatives are found."""
        pairs = part.pairs
        if self.hard:
            with self.cast():
                pairs = with_hard_negatives(self.model, part, self.hard)
        return (JointPart(joint(part.images, part.texts, pairs), pairs.shape[1]),)

    def counts(self, part: JointPart) -> dict[str, float]:
        return {CIRCLE: len(part.pairs) // part.columns}

    def cost(self, part: JointPart) -> Cost:
        return match_cost(part.pairs, self._sizes)

    def passes(self, part: JointPart) -> int:
        return len(part.pairs.parts)

    def losses(self, part: JointPart) -> dict[str, LossTerm]:
        scores = by_chunk(self.model, part.pairs, self.model.match_scores)
        return {CIRCLE: circle(scores.reshape([-1, part.columns]), self.settings)}


def by_chunk(model: UnimoForTask, chunks: Chunks, read: Callable[[States], Tensor]) -> Tensor:
    """Return what is read of the first states of each sequence, float [N, ..], in the order before sorting."""
    found = [read(model(to_tensors(one), first_rows(one))) for one in chunks.parts]
    return paddle.gather(paddle.concat(found), paddle.to_tensor(chunks.back))


def with_hard_negatives(model: UnimoForTask, part: MatchPart, count: int) -> Ints:
    """Return the part's pairs with `count` images and `count` captions of its pools more.

    They are int64 [B, 1 + 2(k + count), 2], ordered as MatchPart's.  Raises ValueError when the pools hold fewer.
    """
    if part.image_pool.shape[1] < count:
        raise ValueError(f"pools hold {part.image_pool.shape[1]} candidates each; {count} hard negatives are wanted")
    true, sampled = part.pairs[:, :1], part.pairs[:, 1:]
    images, texts = true[:, :, 0], true[:, :, 1]
    scores = scores_apart(model, part)
    hard_images = _best(part.image_pool, scores[part.image_pool, texts], count)
    hard_texts = _best(part.text_pool, scores[images, part.text_pool], count)
    k = sampled.shape[1] // 2
    with_images = np.stack([hard_images, np.broadcast_to(texts, hard_images.shape)], axis=2)
    with_texts = np.stack([np.broadcast_to(images, hard_texts.shape), hard_texts], axis=2)
    return np.concatenate([true, sampled[:, :k], with_images, sampled[:, k:], with_texts], axis=1)


@paddle.no_grad()
def scores_apart(model: UnimoForTask, part: MatchPart) -> NDArray[np.float32]:
    """Return the score of each image of the part with each text, read apart and without dropout, float32 [I, T]."""
    was_training = model.training
    model.eval()
    images = by_chunk(model, pad_in_chunks(part.images, []), lambda states: model.poolers.pool_image(states.image))
    texts = by_chunk(model, pad_in_chunks([], part.texts), lambda states: model.poolers.pool_text(states.text))
    found: NDArray[np.float32] = model.match_head.all_pairs(images, texts).astype("float32").numpy()
    if was_training:
        model.train()
    return found


def _best(pool: Ints, scores: NDArray[np.float32], count: int) -> Ints:
    """Return the candidates of each row with the highest scores, int64 [B, count]; pool: int64 [B, p]."""
    best = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    found: Ints = np.take_along_axis(pool, best, axis=1)
    return found
