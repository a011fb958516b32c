"""Each head's loss is the oracle's, example by example and without padding; counts are known before; heads learn."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import paddle
import pytest

from tests.reference import objectives as oracle
from tests.reference import task_objectives as task_oracle
from tests.tasks.task_parts import (
    SHAPES_OF,
    VOCABULARY,
    make_answer,
    make_class,
    make_generate,
    make_match,
    make_model,
    make_number,
    make_task,
)
from tests.tasks.test_pretraining import one_by_one
from unimo_paddle.config.engine import TrainSettings
from unimo_paddle.data.task_batch import TaskBatch
from unimo_paddle.engine.checkpoint import Checkpoints
from unimo_paddle.engine.log import Log
from unimo_paddle.engine.optimizer import Adam
from unimo_paddle.engine.trainer import Trainer
from unimo_paddle.errors import UserError
from unimo_paddle.model.inputs import to_tensors
from unimo_paddle.objectives.adversarial import AdversarialSettings
from unimo_paddle.objectives.circle import CircleSettings
from unimo_paddle.objectives.reward import RewardSettings
from unimo_paddle.tasks.finetuning import Finetuning, FinetuningSettings
from unimo_paddle.tasks.matching import with_hard_negatives

PARTS = {
    "class": make_class(),
    "words alone": make_class(with_images=False),
    "number": make_number(),
    "answer": make_answer(),
    "generate": make_generate(),
    "dialogue": make_generate(dialogue=True),
    "match": make_match(),
}
LOSSES = {
    "class": "cross_entropy", "words alone": "cross_entropy", "number": "squared_error", "answer": "answers",
    "generate": "words", "dialogue": "words", "match": "circle",
}  # fmt: skip


def work_of(name, spread=0.2, parts=None, **settings):
    """Work over one batch, whose model has larger weights than a start has, so that the losses differ."""
    paddle.seed(4)
    head, shape = SHAPES_OF[name]
    model = make_model(shape)
    for parameter in model.parameters():
        parameter.set_value(parameter + spread * paddle.randn(parameter.shape))
    batch = TaskBatch("small", ["a", "b", "c"], parts or (PARTS[name],))
    return Finetuning(model, make_task(head), lambda step: batch, FinetuningSettings(**settings))


def outputs(model, sequences, read):
    """What is read of each sequence without its padding, one at a time."""
    with paddle.no_grad():
        return [read(model(to_tensors(one))).numpy() for one, _, _ in one_by_one(sequences)]


def answers_oracle(work, part):
    found = [row[0].tolist() for row in outputs(work.model, part.sequences, work.model.answers)]
    if "cross_entropy" in work.weights:
        return oracle.cross_entropy(found, oracle.smoothed(part.targets, len(found[0]), 0.0))
    if "answers" in work.weights:
        return task_oracle.soft_answers(found, part.targets)
    return sum((x[0] - t) ** 2 for x, t in zip(found, part.targets, strict=True))


def words_oracle(work, part):
    """Of each sequence alone, its whole [T, V] of logits; smoothing 0.1."""
    width, total = part.sequences.token_ids.shape[1], 0.0
    for place, (one, _, first) in enumerate(one_by_one(part.sequences)):
        own = (part.labels.rows >= first) & (part.labels.rows < first + width)
        dialogue = {}
        if part.sequences.roles is not None:
            words = one.token_ids.shape[1]
            dialogue = {name: getattr(part.sequences, name)[place : place + 1, :words] for name in ("roles", "turns")}
        states = work.model(to_tensors(replace(one, **dialogue)))
        rows = paddle.to_tensor(part.labels.rows[own] - first)
        logits = work.model.language_logits(states, rows).numpy().tolist()
        total += oracle.cross_entropy(logits, oracle.smoothed(part.labels.targets[own], VOCABULARY, 0.1))
    return total


def match_oracle(work, part):
    (made,) = work.objective.parts(part)
    scores = [
        float(row[0]) for one in made.pairs.parts for row in outputs(work.model, one, work.model.match_scores)
    ]  # fmt: skip
    rows = np.array(scores)[made.pairs.back].reshape(len(part.pairs), -1)
    return task_oracle.circle(rows, 0.2, 1.0)


@pytest.mark.parametrize("name", PARTS)
def test_each_loss_is_the_oracles(name):
    work, part = work_of(name), PARTS[name]
    judge = {"words": words_oracle, "circle": match_oracle}.get(LOSSES[name], answers_oracle)
    (made,) = work.batch(0).parts
    ((loss, term),) = work.losses(made).items()
    assert loss == LOSSES[name]
    assert float(term.sum) == pytest.approx(judge(work, part), rel=1e-4)
    assert work.counts(made) == {loss: float(term.count)}
    assert work.weights == {loss: 1.0}
    expected = len(part.labels.rows) if loss == "words" else 2 if loss == "circle" else 3
    assert float(term.count) == expected
    assert work.passes(made) >= 1


def test_pairs_are_laid_out_caption_by_caption():
    part = PARTS["match"]
    (made,) = work_of("match").batch(0).parts
    assert (made.columns, len(made.pairs)) == (5, 10)
    lengths = np.concatenate([(~one.is_pad).sum(axis=1) for one in made.pairs.parts])[made.pairs.back]
    flat = part.pairs.reshape(-1, 2)
    assert lengths.tolist() == [len(part.images[i].features) + len(part.texts[t].ids) for i, t in flat]


def test_hard_negatives_are_the_pools_best():
    part = make_match(pool=3)
    work = work_of("match", spread=0.5)
    work.model.train()
    pairs = with_hard_negatives(work.model, part, 2)
    assert work.model.training
    assert pairs.shape == (2, 1 + 4 + 4, 2)
    assert np.array_equal(pairs[:, [0, 1, 2, 5, 6]], part.pairs)

    def score(image, text):
        """Slow: one image and one text, each alone."""
        from unimo_paddle.data.batch import pad
        from unimo_paddle.data.patterns import bidirectional

        seen = pad([part.images[image]], [], [bidirectional(len(part.images[image].features), 0)])
        said = pad([], [part.texts[text]], [bidirectional(0, len(part.texts[text].ids))])
        work.model.eval()
        return float(work.model.match_scores_separate(work.model(to_tensors(seen)), work.model(to_tensors(said))))

    for b in range(2):
        image, text = part.pairs[b, 0]
        by_image = sorted(part.image_pool[b], key=lambda one, text=text: -score(one, text))[:2]
        by_text = sorted(part.text_pool[b], key=lambda one, image=image: -score(image, one))[:2]
        assert pairs[b, 3:5].tolist() == [[one, text] for one in by_image]
        assert pairs[b, 7:9].tolist() == [[image, one] for one in by_text]


def test_hard_negatives_join_the_step_and_need_a_pool():
    work = work_of("match", parts=(make_match(pool=3),), hard_negatives=1)
    (made,) = work.batch(0).parts
    assert made.columns == 1 + 2 * 3
    assert float(work.losses(made)["circle"].count) == 2
    with pytest.raises(ValueError, match="pools hold 3 candidates each; 4 hard negatives"):
        work_of("match", parts=(make_match(pool=3),), hard_negatives=4).batch(0)


def test_the_circle_has_its_settings():
    part = PARTS["match"]
    for settings in (CircleSettings(), CircleSettings(margin=0.5, scale=2.0)):
        work = work_of("match", circle=settings)
        (made,) = work.batch(0).parts
        (term,) = work.losses(made).values()
        scores = match_scores(work, part)
        assert float(term.sum) == pytest.approx(task_oracle.circle(scores, settings.margin, settings.scale), rel=1e-4)


def match_scores(work, part):
    (made,) = work.objective.parts(part)
    scores = [float(row[0]) for one in made.pairs.parts for row in outputs(work.model, one, work.model.match_scores)]
    return np.array(scores)[made.pairs.back].reshape(len(part.pairs), -1)


@pytest.mark.parametrize(
    "name, settings, message",
    [
        ("number", {"adversarial": AdversarialSettings()}, "classes, answers and generated texts"),
        ("match", {"adversarial": AdversarialSettings()}, "classes, answers and generated texts"),
        ("class", {"reward": RewardSettings()}, "a reward is for generated texts, but small has none"),
        ("generate", {"reward": RewardSettings(), "adversarial": AdversarialSettings()}, "not learnt from perturbed"),
    ],
)
def test_settings_that_are_not_for_the_task_are_refused(name, settings, message):
    with pytest.raises(UserError, match=message):
        work_of(name, **settings)


def test_a_task_without_images_has_none_to_perturb():
    head, shape = SHAPES_OF["words alone"]
    with pytest.raises(UserError, match=r"adversarial.on is both, but small reads no image: set it to text"):
        Finetuning(
            make_model(shape), make_task(head, ("text",)), lambda step: None,
            FinetuningSettings(adversarial=AdversarialSettings()),
        )  # fmt: skip


def train(directory: Path, work: Finetuning, steps: int, rate: float = 0.01) -> list[dict[str, float]]:
    """Train through the engine; return each step's losses."""
    directory.mkdir()
    trainer = Trainer(
        work=work,
        optimizer=Adam(work.model, weight_decay=0.0),
        rate=lambda step: rate,
        checkpoints=Checkpoints(directory / "checkpoints", keep_last=1),
        log=Log(directory, log_every=1000, steps=steps),
        weights=work.weights,
        settings=TrainSettings(steps=steps, save_every=1000, seed=3),
        directory=directory,
    )
    work.model.train()
    return [dict(trainer.train_step(step).losses) for step in range(steps)]


@pytest.mark.parametrize("name", PARTS)
def test_a_small_set_is_learnt_by_heart(tmp_path, name):
    losses = train(tmp_path / "run", work_of(name, spread=0.05), 60, rate=0.005)
    first, last = losses[0][LOSSES[name]], losses[-1][LOSSES[name]]
    # what remains: soft scores' own entropy, smoothing's, and exp(0) of a circle whose weights are all 0
    floors = {"answers": entropy_of_answers(), "words": smoothed_floor(), "circle": math.log(3)}
    floor = floors.get(LOSSES[name], 0.0)
    assert last - floor < 0.4 * (first - floor), (first, last, floor)


def entropy_of_answers():
    targets = PARTS["answer"].targets
    kept = targets[(targets > 0) & (targets < 1)].astype(float)
    return -sum(t * math.log(t) + (1 - t) * math.log(1 - t) for t in kept) / len(targets)


def smoothed_floor():
    """The cross-entropy of a prediction that equals the smoothed target."""
    low, high = 0.1 / VOCABULARY, 0.9 + 0.1 / VOCABULARY
    return -high * math.log(high) - (VOCABULARY - 1) * low * math.log(low)


@pytest.mark.parametrize("name", ["class", "generate", "answer"])
def test_micro_batches_add_up_to_the_whole(tmp_path, name):
    """Two equal parts have the mean of one, and the same update."""
    one, two = work_of(name), work_of(name, parts=(PARTS[name], PARTS[name]))
    (alone,), (both,) = train(tmp_path / "one", one, 1), train(tmp_path / "two", two, 1)
    assert both == pytest.approx(alone, rel=1e-5)
    for a, b in zip(one.model.parameters(), two.model.parameters(), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=2e-4)
