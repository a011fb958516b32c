"""Retrieval over a split of records: every text against every image, or against a shortlist."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.data.encode import ImageRow, TextRow
from unimo_paddle.data.task_encode import TaskEncoder
from unimo_paddle.data.task_match import Partners
from unimo_paddle.data.task_stream import read_image, survey
from unimo_paddle.distributed import rank, world_size
from unimo_paddle.engine.scoring import PairScorer
from unimo_paddle.engine.together import say_once
from unimo_paddle.metrics.retrieval import Ranked, chance, first_right, scored_recall
from unimo_paddle.metrics.scored import Scored
from unimo_paddle.model.task_model import UnimoForTask
from unimo_paddle.records import Records
from unimo_paddle.regions import RegionStore

KS = (1, 5, 10)
PER_CENT = 100.0
CHECKED = 50  # queries of either kind that a shortlist is compared with exact scores on


@dataclass(frozen=True)
class RetrievalSplit:
    """A split as a retrieval problem."""

    records: Records
    store: RegionStore
    encoder: TaskEncoder

    def encoded(self) -> tuple[list[ImageRow], list[TextRow], Partners]:
        """Return I images, T texts, and which text is true of which image.

        Raises UserError for what a task that reads images and texts cannot read.
        """
        survey(self.records, self.store, self.encoder, with_answer=False)
        partners = Partners(self.records, negatives=0, pool=0)
        most = self.encoder.limits.max_regions
        images = [read_image(self.store, name, most) for name in partners.names]
        texts = [self.encoder.text(record, self.records.place(row)) for row, record in enumerate(self.records)]
        return images, texts, partners


    def truths(self) -> NDArray[np.bool_]:
        """Return which text is true of which image, bool [T, I]."""
        return Partners(self.records, negatives=0, pool=0).truths()


def chances(matching: RetrievalSplit) -> dict[str, Scored]:
    """Return the recalls, in per cent, of a random order."""
    is_right, found = matching.truths(), dict[str, Scored]()
    for name, right in (("image", is_right), ("text", is_right.T)):
        counts, candidates = right.sum(axis=1), right.shape[1]
        for k in KS:
            value = PER_CENT * float(np.mean([chance(int(count), candidates, k) for count in counts]))
            found[f"{name}_R@{k}"] = Scored(value, value, value, len(right))
    return found


def judge_retrieval(
    model: UnimoForTask, matching: RetrievalSplit, batch: int, shortlist: int
) -> dict[str, Scored]:
    """Return recall at 1, 5 and 10, in per cent, of images for a text and of texts for an image, and the mean of both
    at 1. shortlist: 0: every pair is read jointly."""
    images, texts, partners = matching.encoded()
    scorer = PairScorer(model, images, texts, batch, (rank(), world_size()))
    if not shortlist:
        return recalls(scorer.joint(), partners)
    scores = scorer.shortlisted(shortlist)
    for line in compared(scorer, scores, partners.truths(), shortlist):
        say_once(line)
    return recalls(scores, partners)


def recalls(scores: NDArray[np.float32], partners: Partners) -> dict[str, Scored]:
    """Return the recalls of scores [T, I]; intervals draw images, each with all its texts."""
    is_right = partners.truths()
    ways = {
        "image": Ranked(first_right(scores, is_right), partners.image_of),
        "text": Ranked(first_right(scores.T, is_right.T), np.arange(scores.shape[1])),
    }
    found = {f"{name}_R@{k}": scored_recall([way], k) for name, way in ways.items() for k in KS}
    return found | {"mean_R@1": scored_recall(list(ways.values()), 1)}


def compared(
    scorer: PairScorer, scores: NDArray[np.float32], is_right: NDArray[np.bool_], shortlist: int
) -> list[str]:
    """Return what the shortlist costs, measured on some queries whose candidates are all read jointly too."""
    rows = np.linspace(0, scores.shape[0] - 1, min(CHECKED, scores.shape[0])).astype(int)
    columns = np.linspace(0, scores.shape[1] - 1, min(CHECKED, scores.shape[1])).astype(int)
    by_text, by_image = scorer.exact(texts=rows.tolist()), scorer.exact(images=columns.tolist())
    lines = []
    for name, exact, short, right in (
        ("image", by_text, scores[rows], is_right[rows]),
        ("text", by_image.T, scores[:, columns].T, is_right[:, columns].T),
    ):
        shares = [100 * float((first_right(one, right) <= 1).mean()) for one in (exact, short)]
        lines.append(
            f"{name} R@1 of {len(right)} queries: {shares[0]:.2f} when all candidates are read jointly, "
            f"{shares[1]:.2f} when {shortlist} are"
        )
    return lines
