"""Every text of a split against every image of it: by joint encoding, or each encoded once and apart.

I: images, T: texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import Tensor

from unimo_paddle.data.batch import pad
from unimo_paddle.data.encode import ImageRow, TextRow
from unimo_paddle.data.patterns import bidirectional
from unimo_paddle.engine.evaluate import Place, score_all
from unimo_paddle.model.inputs import to_tensors
from unimo_paddle.model.unimo import UnimoForPretraining

Scores = NDArray[np.float32]
Row = TypeVar("Row")


class PairScorer:
    """Scores of one model for one set of images and texts. batch: sequences of one forward pass."""

    def __init__(
        self, model: UnimoForPretraining, images: Sequence[ImageRow], texts: Sequence[TextRow], batch: int
    ) -> None:
        self.model, self.images, self.texts, self.batch = model, images, texts, batch

    def joint(self) -> Scores:
        """Return float32 [T, I]: image and text read each other, I * T forward passes."""
        return score_all(self._score, [len(text.ids) for text in self.texts], len(self.images), self.batch)

    def separate(self) -> Scores:
        """Return float32 [T, I]: image and text do not read each other, I + T forward passes."""
        with paddle.no_grad():
            images = paddle.concat([self._pool_images(part) for part in self._parts(self.images)])
            texts = paddle.concat([self._pool_texts(part) for part in self._parts(self.texts)])
            scores: Scores = self.model.match_head.all_pairs(images, texts).astype("float32").numpy()
        return scores.T

    def _score(self, places: Sequence[Place]) -> Scores:
        images, texts = [self.images[image] for image, _ in places], [self.texts[text] for _, text in places]
        patterns = [bidirectional(len(i.features), len(t.ids)) for i, t in zip(images, texts, strict=True)]
        with paddle.no_grad():
            scores = self.model.match_scores(self.model(to_tensors(pad(images, texts, patterns))))
        found: Scores = scores.astype("float32").numpy()
        return found

    def _pool_images(self, images: Sequence[ImageRow]) -> Tensor:
        patterns = [bidirectional(len(image.features), 0) for image in images]
        return self.model.poolers.pool_image(self.model(to_tensors(pad(images, [], patterns))).image)

    def _pool_texts(self, texts: Sequence[TextRow]) -> Tensor:
        patterns = [bidirectional(0, len(text.ids)) for text in texts]
        return self.model.poolers.pool_text(self.model(to_tensors(pad([], texts, patterns))).text)

    def _parts(self, rows: Sequence[Row]) -> list[Sequence[Row]]:
        return [rows[start : start + self.batch] for start in range(0, len(rows), self.batch)]
