"""From records to losses: every head over the real stream, a step that failed is kept whole, captions by CIDEr-D."""

from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest

from tests.data import small_task
from tests.data.small_task import ANSWERS, HEADS, LABELS
from tests.tasks.test_finetuning import train
from unimo_paddle.data.task_stream import StreamSettings, TaskStream
from unimo_paddle.engine.flat import read_tree, write_tree
from unimo_paddle.engine.passes import weighted_sum
from unimo_paddle.generation import Ids
from unimo_paddle.metrics.cider import CiderD
from unimo_paddle.model.task_model import ANSWER, GENERATE, MATCH, HeadShape, UnimoForTask
from unimo_paddle.model.unimo import Unimo
from unimo_paddle.objectives.adversarial import AdversarialSettings
from unimo_paddle.objectives.reward import RewardSettings
from unimo_paddle.task_spec import Answer, Generate, Head, Match, Regress
from unimo_paddle.tasks.finetuning import Finetuning, FinetuningSettings
from unimo_paddle.tasks.self_critical import Judge

COUNT = 41


def shape_of(head: Head) -> HeadShape:
    if isinstance(head, Generate):
        return HeadShape(GENERATE, dialogue=head.dialogue)
    if isinstance(head, Match):
        return HeadShape(MATCH)
    outputs = 1 if isinstance(head, Regress) else len(ANSWERS if isinstance(head, Answer) else LABELS)
    return HeadShape(ANSWER, outputs, head.pooled)


class World:
    def __init__(self, path: Path) -> None:
        self.words, self.store, self.path = small_task.tokenizer(), small_task.store(path / "store"), path

    def work(self, name: str, judge: Judge | None = None, accumulate: int = 1, **settings: Any) -> Finetuning:
        head, reads = HEADS[name]
        made = [small_task.record(name, n) for n in range(COUNT)]
        records = small_task.write(self.path / f"{name}.jsonl", made)
        stream = TaskStream(
            records, self.store if "image" in reads else None, small_task.encoder(name, self.words),
            StreamSettings(8, accumulate, 3, 4), seed=0, rank=0, world=1,
        )  # fmt: skip
        paddle.seed(1)
        encoder = Unimo(self.words.vocab_size, 16, 2, 2, self.store.meta.feature_width, 64, 0.1, 0.1)
        model = UnimoForTask(encoder, shape_of(head))
        return Finetuning(model, small_task.task(name), stream.batch, FinetuningSettings(**settings), judge)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("tasks"))


@pytest.mark.parametrize("name", HEADS)
def test_every_head_learns_from_its_stream(tmp_path, world, name):
    settings = {"hard_negatives": 2} if name == "match" else {}
    work = world.work(name, accumulate=2, **settings)
    losses = train(tmp_path / "run", work, 30, rate=0.003)
    (loss,) = work.weights
    first, last = (np.mean([one[loss] for one in some]) for some in (losses[:5], losses[-5:]))
    assert last < first


@pytest.mark.parametrize("name", ["image", "caption", "answer", "match"])
def test_a_failed_step_can_be_kept_and_run_again(tmp_path, world, name):
    """The parts as the objective makes them are trees of arrays; what is read back has the same losses."""
    settings = {} if name == "match" else {"adversarial": AdversarialSettings(steps=2)}
    work = world.work(name, **settings)
    work.model.eval()
    batch = work.batch(0)
    write_tree(tmp_path, batch)
    again = read_tree(tmp_path)
    for one, two in zip(batch.parts, again.parts, strict=True):
        paddle.seed(2)
        before = {loss: float(term.sum) for loss, term in work.losses(one).items() if one is batch.parts[0]}
        paddle.seed(2)
        after = {loss: float(term.sum) for loss, term in work.losses(two).items() if one is batch.parts[0]}
        assert before == after
        assert work.counts(one) == work.counts(two)
        assert work.cost(one) == work.cost(two)


def test_captions_are_rewarded_by_cider(world):
    ids = Ids(world.words.cls, world.words.sep, world.words.pad)
    references = [[small_task.sentence(n)] for n in range(COUNT)]
    judge = Judge(ids, 6, world.words.decode, CiderD(references).scores)
    work = world.work("caption", judge, reward=RewardSettings(samples=3))
    (part,) = work.batch(0).parts
    (term,) = work.losses(part).values()
    assert float(term.count) == 24
    weighted_sum({"reward": term}, work.weights, {"reward": 24.0}).backward()
    assert all(np.isfinite(p.grad.numpy()).all() for p in work.model.parameters() if p.grad is not None)
