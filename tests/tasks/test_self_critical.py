"""Rewards: which texts are compared, how the loss follows, and that texts with a reward become likelier."""

import numpy as np
import paddle
import pytest

from tests.tasks.task_parts import CLS, PAD, SEP, SHAPES_OF, make_generate, make_model, make_task
from tests.tasks.test_finetuning import train
from unimo_paddle.data.task_batch import TaskBatch
from unimo_paddle.generation import Ids
from unimo_paddle.model.inputs import to_read, to_tensors
from unimo_paddle.objectives.reward import RewardSettings
from unimo_paddle.tasks.finetuning import Finetuning, FinetuningSettings
from unimo_paddle.tasks.self_critical import Judge

MOST = 5


def decode(ids):
    return " ".join(f"w{one}" for one in ids)


def share_of_w7(texts, references):
    """A reward for saying w7."""
    assert len(texts) == len(references)
    return np.array([sum(word == "w7" for word in text.split()) / MOST for text in texts])


def work_of(samples=2, score=share_of_w7, temperature=1.0):
    paddle.seed(4)
    head, shape = SHAPES_OF["generate"]
    model = make_model(shape)
    batch = TaskBatch("small", ["a", "b", "c"], (make_generate(),))
    judge = Judge(Ids(CLS, SEP, PAD), MOST, decode, score)
    settings = FinetuningSettings(reward=RewardSettings(samples, temperature))
    return Finetuning(model, make_task(head), lambda step: batch, settings, judge)


def test_samples_are_judged_against_their_own_inputs_greedy_text():
    asked = []

    def score(texts, references):
        asked.append((list(texts), list(references)))
        return np.arange(len(texts), dtype=float)

    work, part = work_of(2, score), make_generate()
    sampled = work.objective.sample(part, seed=1)
    (greedy, own), (drawn, repeated) = asked
    assert own == list(part.references)
    assert repeated == [one for one in part.references for _ in range(2)]
    assert (len(greedy), len(drawn)) == (3, 6)
    # rewards 0..5 less 0, 0, 1, 1, 2, 2
    assert sampled.advantages.tolist() == [0, 1, 1, 2, 2, 3]
    assert np.array_equal(np.unique(sampled.sample_of), np.arange(6))
    for place, text in enumerate(drawn):
        own = sampled.labels.targets[sampled.sample_of == place].tolist()
        assert text == decode(own[:-1] if own[-1] == SEP else own)
        assert own[-1] == SEP or len(own) == MOST


def test_the_loss_is_that_of_the_texts_one_by_one():
    work, part = work_of(temperature=0.7), make_generate()
    paddle.seed(9)
    term = work.losses(part)["reward"]
    paddle.seed(9)
    sampled = work.objective.sample(part, int(paddle.randint(0, 2**31 - 1, [1], "int64")))
    read = to_read(sampled.sequences, text=sampled.labels.rows)
    logits = work.model.language_logits(work.model(to_tensors(sampled.sequences), read)).numpy().astype(float) / 0.7
    log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    of_tokens = log_probs[np.arange(len(logits)), sampled.labels.targets]
    expected = -sum(
        advantage * of_tokens[sampled.sample_of == n].sum() for n, advantage in enumerate(sampled.advantages)
    )
    assert float(term.sum) == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert work.counts(part) == {"reward": float(term.count)} == {"reward": 6.0}
    assert work.cost(part).rows == 2 * make_generate().sequences.is_pad.size


def test_what_is_rewarded_becomes_likelier(tmp_path):
    work = work_of(samples=8)
    part = make_generate()

    def expected_reward():
        drawn = [work.objective.sample(part, seed) for seed in range(4)]
        return np.mean([np.mean(one.labels.targets == 7) for one in drawn])

    before = expected_reward()
    train(tmp_path / "run", work, 30, rate=0.02)
    assert work.model.training
    assert expected_reward() > before + 0.3


def test_a_step_is_the_same_again(tmp_path):
    assert train(tmp_path / "one", work_of(), 2) == train(tmp_path / "two", work_of(), 2)
