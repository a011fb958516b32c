"""Section 7 of the release: by hand on a linear model, and against a slow oracle on the real one."""

import math
from dataclasses import replace

import numpy as np
import paddle
import pytest

from tests.tasks.task_parts import (
    SHAPES_OF,
    WIDTH,
    make_answer,
    make_class,
    make_generate,
    make_model,
    make_task,
)
from tests.tasks.test_finetuning import train
from unimo_paddle.data.task_batch import TaskBatch
from unimo_paddle.engine.passes import weighted_sum
from unimo_paddle.model.inputs import to_tensors
from unimo_paddle.objectives.adversarial import AdversarialSettings
from unimo_paddle.objectives.terms import LossTerm
from unimo_paddle.objectives.understanding import squared_error
from unimo_paddle.tasks import adversarial
from unimo_paddle.tasks.adversarial import Adversarial, gradient_alone, real_image_rows
from unimo_paddle.tasks.finetuning import Finetuning, FinetuningSettings
from unimo_paddle.tasks.objective import Prediction

PARTS = {"class": make_class(), "answer": make_answer(), "generate": make_generate()}


class Linear(Prediction):
    """y = w * the sum of an image's numbers, to be 0."""

    def __init__(self):
        self.model = paddle.nn.Linear(1, 1, bias_attr=False)
        self.model.weight.set_value(paddle.ones([1, 1]))
        self.name = "squared_error"

    def count(self, part):
        return len(part.sequences.features)

    def outputs(self, inputs, part):
        features = inputs.features if inputs.image_delta is None else inputs.features + inputs.image_delta
        return self.model(features.sum(axis=[1, 2]).unsqueeze(1)).squeeze(1)

    def loss(self, outputs, part):
        return squared_error(outputs, paddle.zeros_like(outputs))

    def cost(self, part):
        raise AssertionError("nobody asks")

    def perturbed_words(self, part):
        raise AssertionError("it reads no words")


def one_image(features):
    part = make_class()
    sequences = replace(
        part.sequences,
        features=np.array([[features]], np.float32),
        is_pad=np.zeros((1, 1 + part.sequences.token_ids.shape[1]), bool),
    )
    return replace(part, sequences=sequences)


def run(objective, part):
    """All passes of a part as the trainer runs them: counts first, a backward for each; returns sum and counts."""
    passes = objective.parts(part)
    counts: dict[str, float] = {}
    for one in passes:
        for name, count in objective.counts(one).items():
            counts[name] = counts.get(name, 0.0) + count
    sums: dict[str, float] = {}
    total = 0.0
    for one in passes:
        terms = objective.losses(one)
        told = objective.counts(one)
        assert told == {name: float(term.count) for name, term in terms.items()}
        loss = weighted_sum(terms, objective.weights, counts)
        loss.backward()
        total += float(loss)
        for name, term in terms.items():
            sums[name] = sums.get(name, 0.0) + float(term.sum)
    return total, {name: sums[name] / counts[name] for name in sums}


@pytest.mark.parametrize("project, shrunk", [("delta", 0.5 / 0.5991), ("gradient", 0.5 / 5.2326)])
def test_a_linear_model_by_hand(monkeypatch, project, shrunk):
    """K 2, features 1 and 2, first delta 0.3 and 0.4: y 3.7; the gradient 7.4, 7.4 is 10.465 long, 5.2326 divided by K.

    An ascent of 0.1 goes 0.0707 either way: 0.3707 and 0.4707, 0.5991 long; max_norm 0.5.
    """
    start = paddle.to_tensor([[[0.3, 0.4]]])
    monkeypatch.setattr(adversarial, "first_delta", lambda valid, width, init: start)
    settings = AdversarialSettings(steps=2, lr=0.1, max_norm=0.5, on="image", clean=False, project=project)
    objective = Adversarial(Linear(), settings)
    total, shown = run(objective, one_image([1.0, 2.0]))
    second = 3 + (0.3 + 0.4 + 2 * 0.1 / math.sqrt(2)) * shrunk
    assert total == pytest.approx((3.7**2 + second**2) / 2, rel=1e-4)
    assert shown == {"image_adversarial": pytest.approx(total)}
    # by w: 2 y * the sum seen, the mean of both passes
    gradient = float(objective.prediction.model.weight.grad)
    assert gradient == pytest.approx((2 * 3.7**2 + 2 * second**2) / 2, rel=1e-4)


def test_clean_inputs_count_in_every_pass(monkeypatch):
    monkeypatch.setattr(adversarial, "first_delta", lambda valid, width, init: paddle.to_tensor([[[0.5, 0.5]]]))
    settings = AdversarialSettings(steps=3, lr=0.0, max_norm=0, on="image")
    total, shown = run(Adversarial(Linear(), settings), one_image([1.0, 2.0]))
    assert shown == {"squared_error": pytest.approx(9.0), "image_adversarial": pytest.approx(16.0)}
    assert total == pytest.approx(25.0)


def work_of(name, settings, operators="plain", recompute=False):
    paddle.seed(4)
    head, shape = SHAPES_OF[name]
    model = make_model(shape, operators=operators, recompute=recompute)
    for parameter in model.parameters():
        parameter.set_value(parameter + 0.2 * paddle.randn(parameter.shape))
    batch = TaskBatch("small", ["a", "b", "c"], (PARTS[name],))
    return Finetuning(model, make_task(head), lambda step: batch, FinetuningSettings(adversarial=settings))


def release_oracle(work, part, settings, deltas):
    """Section 7 as it is written: one sum over K steps, means by example, norms example by example in numpy.

    Returns the total, whose gradient the model then has. deltas: first ones by side, numpy.
    """
    prediction, steps = work.objective.prediction, settings.steps
    inputs, total = to_tensors(part.sequences), paddle.zeros([])
    valid = {"text": prediction.perturbed_words(part), "image": real_image_rows(part.sequences)}
    for _ in range(steps):
        clean = prediction.outputs(inputs, part)
        if settings.clean:
            total = total + prediction.loss(clean, part).mean() / steps
        for side in settings.sides:
            delta = paddle.to_tensor(deltas[side])
            delta.stop_gradient = False
            outputs = prediction.outputs(replace(inputs, **{f"{side}_delta": delta}), part)
            total = total + prediction.loss(outputs, part).mean() / steps
            if settings.has_kl:
                apart = kl_of(clean, outputs, prediction.name)
                total = total + settings.kl_weight * apart / (steps if settings.kl_over_steps == "mean" else 1)
            gradient = slope(prediction, part, side, deltas[side]) / steps
            deltas[side] = ascent(deltas[side], gradient, valid[side], settings)
    total.backward()
    return float(total)


def slope(prediction, part, side, delta):
    """The gradient of the mean loss by a side's delta, by a forward and a backward of its own."""
    given = paddle.to_tensor(delta)
    given.stop_gradient = False
    inputs = replace(to_tensors(part.sequences), **{f"{side}_delta": given})
    prediction.loss(prediction.outputs(inputs, part), part).mean().backward()
    prediction.model.clear_gradients(set_to_zero=False)
    return given.grad.numpy()


def kl_of(clean, perturbed, name):
    """The mean over rows, by Paddle's own log-softmax; of answers each as two classes."""
    if name == "answers":
        rows = [paddle.stack([one, paddle.zeros_like(one)], axis=2) for one in (clean, perturbed)]
        p, q = (paddle.nn.functional.log_softmax(one, axis=2) for one in rows)
        return (p.exp() * (p - q) + q.exp() * (q - p)).sum() / clean.shape[0]
    p, q = (paddle.nn.functional.log_softmax(one, axis=1) for one in (clean, perturbed))
    return ((p.exp() * (p - q)).sum(axis=1) + (q.exp() * (q - p)).sum(axis=1)).mean()


def ascent(delta, gradient, valid, settings):
    moved = delta.copy()
    for b in range(len(delta)):
        own = gradient[b] * valid[b][:, None]
        norm = max(float(np.linalg.norm(own)), 1e-8)
        moved[b] += settings.lr * own / norm
        length = norm if settings.project == "gradient" else float(np.linalg.norm(moved[b]))
        if settings.max_norm and length > settings.max_norm:
            moved[b] *= settings.max_norm / length
    return moved


VARIANTS = {
    "corrected": {},
    "release": {"project": "gradient", "kl_over_steps": "sum"},
    "free": {"max_norm": 0.0, "kl_weight": 2.0},
    "not clean": {"clean": False},
    "words alone": {"on": "text", "clean": False},
    "images alone": {"on": "image"},
}


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_equals_the_release_as_written(monkeypatch, name, variant):
    settings = AdversarialSettings(**{"steps": 3, "lr": 0.3, "max_norm": 0.5, "init": 0.6, **VARIANTS[variant]})
    if variant == "release":
        settings = replace(settings, max_norm=0.01)  # a gradient's length, and it does shrink by it
    work, part = work_of(name, settings), PARTS[name]
    drawn = []
    first = adversarial.first_delta
    monkeypatch.setattr(adversarial, "first_delta", lambda *of: drawn.append(first(*of)) or drawn[-1])
    total, _ = run(work.objective, part)
    mine = {key: p.grad.numpy() for key, p in work.model.named_parameters() if p.grad is not None}
    deltas = dict(zip(settings.sides, (one.numpy() for one in drawn), strict=True))
    twin = work_of(name, settings)
    assert total == pytest.approx(release_oracle(twin, part, settings, deltas), rel=2e-4)
    theirs = {key: p.grad.numpy() for key, p in twin.model.named_parameters() if p.grad is not None}
    assert mine.keys() == theirs.keys()
    scale = max(np.abs(one).max() for one in theirs.values())
    for key, gradient in mine.items():
        np.testing.assert_allclose(gradient, theirs[key], atol=1e-3 * scale, err_msg=key)


@pytest.mark.usefixtures("native")
@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("operators", ["plain", "native"])
@pytest.mark.parametrize("name", PARTS)
def test_the_deltas_gradient_leaves_the_models_alone(name, operators, recompute):
    """Layers that are computed again would add theirs to what the weights have already."""
    work, part = work_of(name, AdversarialSettings(), operators, recompute), PARTS[name]
    work.model.train()
    prediction = work.objective.prediction
    slopes = {side: slope(prediction, part, side, np.zeros(width, np.float32)) for side, width in widths(part).items()}
    plain = prediction.loss(prediction.outputs(to_tensors(part.sequences), part), part).mean()
    plain.backward()
    before = {key: p.grad.numpy() for key, p in work.model.named_parameters() if p.grad is not None}
    for side, expected in slopes.items():
        delta = paddle.zeros(expected.shape)
        delta.stop_gradient = False
        inputs = replace(to_tensors(part.sequences), **{f"{side}_delta": delta})
        loss = prediction.loss(prediction.outputs(inputs, part), part).mean()
        found = gradient_alone(loss, delta, work.model).numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
        after = {key: p.grad.numpy() for key, p in work.model.named_parameters() if p.grad is not None}
        assert before.keys() == after.keys()
        assert all(np.array_equal(before[key], after[key]) for key in before)
        loss.backward()  # the graph is whole still, and the weights learn from it as much as without a delta
        for key, p in work.model.named_parameters():
            if p.grad is not None:
                scale = np.abs(before[key]).max()
                np.testing.assert_allclose(p.grad.numpy(), 2 * before[key], rtol=1e-3, atol=1e-3 * scale + 1e-7)
        work.model.clear_gradients(set_to_zero=False)
        prediction.loss(prediction.outputs(to_tensors(part.sequences), part), part).mean().backward()
    assert not any(p.stop_gradient for p in work.model.parameters())


def widths(part):
    """The shapes of both deltas."""
    return {"text": (*part.sequences.token_ids.shape, WIDTH), "image": part.sequences.features.shape}


def test_only_targets_of_generated_texts_are_perturbed():
    part = PARTS["generate"]
    work = work_of("generate", AdversarialSettings())
    found = work.objective.prediction.perturbed_words(part)
    regions = part.sequences.features.shape[1]
    real = ~part.sequences.is_pad[:, regions:]
    for row, source in enumerate(part.source_rows):
        assert not found[row, :source].any()
        assert np.array_equal(found[row, source:], real[row, source:])
    everything = work_of("class", AdversarialSettings()).objective.prediction.perturbed_words(PARTS["class"])
    assert np.array_equal(everything, ~PARTS["class"].sequences.is_pad[:, regions:])


def test_rows_of_shared_images():
    sequences = PARTS["class"].sequences
    regions = sequences.features.shape[1]
    shared = replace(sequences, image_of=np.array([1, 0, 2]))
    assert np.array_equal(real_image_rows(shared), ~sequences.is_pad[[1, 0, 2], :regions])


def test_deltas_begin_anew_with_each_part_and_grow(monkeypatch):
    work = work_of("class", AdversarialSettings(steps=3, lr=0.1, max_norm=0))
    seen = []
    outputs = work.objective.prediction.outputs
    monkeypatch.setattr(
        work.objective.prediction, "outputs",
        lambda inputs, part: seen.append(inputs.image_delta) or outputs(inputs, part),
    )  # fmt: skip
    for one in work.batch(0).parts * 2:
        work.losses(one)
    lengths = [float(one.norm()) for one in seen if one is not None]
    assert len(lengths) == 6
    assert lengths[0] < lengths[1] < lengths[2]
    assert lengths[3] < lengths[2]


@pytest.mark.parametrize("name", PARTS)
def test_it_learns_and_a_step_is_the_same_again(tmp_path, name):
    settings = AdversarialSettings(steps=2)
    losses = train(tmp_path / "run", work_of(name, settings), 12)
    main = next(iter(losses[0]))
    for loss in work_of(name, settings).weights:
        if not loss.endswith("_kl"):
            assert losses[-1][loss] < losses[0][loss], (main, loss)
    assert train(tmp_path / "again", work_of(name, settings), 2) == losses[:2]


def test_a_term_is_counted_once_where_it_is_summed():
    work = work_of("class", AdversarialSettings(steps=2, kl_over_steps="sum"))
    first, second = work.batch(0).parts
    assert (work.counts(first)["text_kl"], work.counts(second)["text_kl"]) == (3, 0)
    assert isinstance(work.losses(first)["text_kl"], LossTerm)
