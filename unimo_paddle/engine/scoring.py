"""Texts of a split against images of it: read jointly, or each encoded once and apart, or the second to choose for the
first.

I: images, T: texts, P: pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import Tensor

from unimo_paddle.console import progress
from unimo_paddle.data.batch import pad
from unimo_paddle.data.encode import ImageRow, TextRow
from unimo_paddle.data.patterns import bidirectional
from unimo_paddle.distributed import sum_array
from unimo_paddle.model.heads import MatchHead, Poolers
from unimo_paddle.model.inputs import Inputs, first_rows, to_tensors
from unimo_paddle.model.unimo import States

Scores = NDArray[np.float32]
Places = NDArray[np.int64]  # [P, 2]: a text's number and an image's
Row = TypeVar("Row")
LENGTH_BUCKET = 4           # texts whose lengths differ by less may share a batch


class Matcher(Protocol):
    """A model that matches images and texts."""

    poolers: Poolers
    match_head: MatchHead

    def __call__(self, seqs: Inputs, read: Any = None) -> States: ...

    def match_scores(self, states: States) -> Tensor: ...


class PairScorer:
    """Scores of one model for one set of images and texts. batch: sequences of one forward pass.

    share: this process's number, of how many that score together; all of them return the same.
    """

    def __init__(
        self,
        model: Matcher,
        images: Sequence[ImageRow],
        texts: Sequence[TextRow],
        batch: int,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        self.model, self.images, self.texts, self.batch, self.share = model, images, texts, batch, share

    def joint(self) -> Scores:
        """Return float32 [T, I]: image and text read each other, I * T sequences."""
        return self.exact()

    def exact(self, texts: Sequence[int] | None = None, images: Sequence[int] | None = None) -> Scores:
        """Return float32 [.., ..]: the joint scores of these texts with these images, left out: of all."""
        rows = np.arange(len(self.texts)) if texts is None else np.asarray(texts)
        columns = np.arange(len(self.images)) if images is None else np.asarray(images)
        places = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)
        return self._joint_of(places).reshape(len(rows), len(columns))

    def separate(self) -> Scores:
        """Return float32 [T, I]: image and text do not read each other, I + T sequences."""
        images, texts = self._vectors()
        with paddle.no_grad():
            scores: Scores = self.model.match_head.all_pairs(images, texts).astype("float32").numpy()
        return scores.T

    def shortlisted(self, count: int) -> Scores:
        """Return float32 [T, I]: joint scores of those pairs in which either is among the other's `count` best when
        they are encoded apart; below them all others, in the order of their separate scores."""
        images, texts = self._vectors()
        weight = self.model.match_head.score.weight[:, 0]
        with paddle.no_grad():
            weighted = (images * weight).astype("float32").numpy()
            words = texts.astype("float32").numpy()
        found = np.unique(np.concatenate([
            nearest(words, weighted, count), nearest(weighted, words, count)[:, ::-1]
        ]), axis=0)  # fmt: skip
        scores = self.separate()
        scores -= scores.max()
        exact = self._joint_of(found)
        scores += exact.min() - 1
        scores[found[:, 0], found[:, 1]] = exact
        return scores

    def _joint_of(self, places: Places) -> Scores:
        """Return float32 [P]: of each pair."""
        scores = np.zeros(len(places), np.float32)
        lengths = np.array([len(text.ids) for text in self.texts])
        mine = list(batches(places, lengths, self.batch))[self.share[0] :: self.share[1]]
        for some in progress(mine, len(mine), "reading images and texts jointly", "batch"):
            scores[some] = self._score(places[some])
        return sum_array(scores) if self.share[1] > 1 else scores

    def _score(self, places: Places) -> Scores:
        shown, image_of = np.unique(places[:, 1], return_inverse=True)
        texts = [self.texts[text] for text in places[:, 0]]
        patterns = [
            bidirectional(len(self.images[image].features), len(text.ids))
            for image, text in zip(places[:, 1], texts, strict=True)
        ]
        sequences = pad([self.images[image] for image in shown], texts, patterns, image_of)
        with paddle.no_grad():
            states = self.model(to_tensors(sequences), first_rows(sequences))
            found: Scores = self.model.match_scores(states).astype("float32").numpy()
        return found

    def _vectors(self) -> tuple[Tensor, Tensor]:
        """Return the pooled images, float [I, H], and texts, float [T, H], each encoded alone."""
        poolers = self.model.poolers
        with paddle.no_grad():
            images = self._pooled(self.images, lambda some: (some, []), lambda states: poolers.pool_image(states.image))
            texts = self._pooled(self.texts, lambda some: ([], some), lambda states: poolers.pool_text(states.text))
        return images, texts

    def _pooled(
        self, rows: Sequence[Row], beside: Callable[[list[Row]], tuple[Any, Any]], read: Callable[[States], Tensor]
    ) -> Tensor:
        """Return float [N, H], in the rows' order; they are read like with like."""
        sizes = np.array([len(row.features if isinstance(row, ImageRow) else row.ids) for row in rows])  # type: ignore[attr-defined]
        order = np.argsort(sizes, kind="stable")
        found = []
        for start in range(0, len(rows), self.batch):
            images, texts = beside([rows[place] for place in order[start : start + self.batch]])
            patterns = [bidirectional(len(image.features), 0) for image in images]
            patterns += [bidirectional(0, len(text.ids)) for text in texts]
            sequences = pad(images, texts, patterns)
            found.append(read(self.model(to_tensors(sequences), first_rows(sequences))))
        return paddle.gather(paddle.concat(found), paddle.to_tensor(np.argsort(order)))


def batches(places: Places, lengths: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    """Yield the pairs' numbers, `size` at a time: texts of like length together, so that little is padding, and within
    them the pairs of one image, so that few images are held. lengths: int64 [T], of the texts in tokens."""
    order = np.lexsort((places[:, 0], places[:, 1], lengths[places[:, 0]] // LENGTH_BUCKET))
    for start in range(0, len(order), size):
        yield order[start : start + size]


def nearest(queries: Scores, candidates: Scores, count: int) -> Places:
    """Return int64 [Q * count, 2]: each query with those candidates whose product with it is largest, exactly.

    queries: float32 [Q, H]; candidates: float32 [C, H]; count is cut to C.
    """
    import faiss

    index = faiss.IndexFlatIP(candidates.shape[1])
    index.add(np.ascontiguousarray(candidates))
    count = min(count, len(candidates))
    _, found = index.search(np.ascontiguousarray(queries), count)
    return np.stack([np.repeat(np.arange(len(queries)), count), found.reshape(-1)], axis=1)
