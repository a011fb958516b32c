"""The task's losses against the slow oracles, example by example and without padding."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest

from tests.data.view import View, view
from tests.reference import objectives as oracle
from tests.tasks.small_batch import (
    CLASSES,
    FEATURES,
    FOUND,
    NEGATIVES,
    POSITIVES,
    SHAPES,
    make_batch,
    make_image,
    make_language,
    make_text,
    make_visual,
)
from unimo_paddle.config import load_run
from unimo_paddle.data.batch import Batch, Candidates, Chunks, ContrastPart, Sequences, pad, pad_in_chunks
from unimo_paddle.data.patterns import separate
from unimo_paddle.engine.plan.steps import encodings
from unimo_paddle.model.inputs import Inputs, Read, to_tensors
from unimo_paddle.model.unimo import States, Unimo, UnimoForPretraining
from unimo_paddle.objectives.terms import LossTerm
from unimo_paddle.tasks.pretraining import LANGUAGE, VISUAL, Pretraining, parts_for

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "pretrain_base.yaml"
VOCABULARY, WIDTH, TEMPERATURE = 30, 16, 0.5
ALL = {*LANGUAGE.values(), *VISUAL, "contrastive", "in_batch"}


@pytest.fixture
def model() -> UnimoForPretraining:
    paddle.seed(4)
    encoder = Unimo(VOCABULARY, WIDTH, 2, 2, FEATURES, max_positions=40, dropout=0.0, attention_dropout=0.0)
    made = UnimoForPretraining(encoder, CLASSES)
    for parameter in made.parameters():  # larger weights than a start has, so that the losses differ
        parameter.set_value(parameter + 0.2 * paddle.randn(parameter.shape))
    return made


def losses(model: Any, batch: Batch, temperature: float = TEMPERATURE) -> dict[str, LossTerm]:
    """The losses of all parts; their counts are those that were known before."""
    work = Pretraining(model, make_batch, temperature)
    found = {name: term for part in batch.parts for name, term in work.losses(part).items()}
    counts = {name: count for part in batch.parts for name, count in work.counts(part).items()}
    assert counts == {name: float(term.count) for name, term in found.items()}
    return found


def one_by_one(sequences: Sequences) -> Iterator[tuple[Sequences, int, int]]:
    """Each row of a batch without its padding, and the places of its first image row and first word in the batch."""
    regions, words = sequences.features.shape[1], sequences.token_ids.shape[1]
    for row, is_pad in enumerate(sequences.is_pad):
        r, t = ~is_pad[:regions], ~is_pad[regions:]
        one, shown = slice(row, row + 1), row if sequences.image_of is None else int(sequences.image_of[row])
        image = slice(shown, shown + 1)
        yield (
            Sequences(
                sequences.features[image][:, r], sequences.locations[image][:, r], sequences.token_ids[one][:, t],
                sequences.positions[one][:, t], sequences.reach[one][:, ~is_pad], sequences.group[one][:, ~is_pad],
                is_pad[None, ~is_pad],
            ),
            row * regions,
            row * words,
        )  # fmt: skip


def language_oracle(model: UnimoForPretraining, batch: View) -> float:
    sequences, labels = batch.language.sequences, batch.language.labels
    total, words = 0.0, sequences.token_ids.shape[1]
    for one, _, first in one_by_one(sequences):
        own = (labels.rows >= first) & (labels.rows < first + words)
        rows, targets = labels.rows[own] - first, labels.targets[own]
        logits = model.language_logits(model(to_tensors(one)), paddle.to_tensor(rows)).numpy()
        total += oracle.cross_entropy(logits.tolist(), oracle.smoothed(targets, VOCABULARY, 0.0))
    return total / len(labels.rows)


def visual_oracle(model: UnimoForPretraining, batch: View) -> tuple[float, float]:
    squared = crossed = 0.0
    labels, regions = batch.visual.labels, batch.visual.sequences.features.shape[1]
    for one, first, _ in one_by_one(batch.visual.sequences):
        own = (labels.rows >= first) & (labels.rows < first + regions)
        found, logits = model.region_outputs(model(to_tensors(one)), paddle.to_tensor(labels.rows[own] - first))
        squared += oracle.regression(found.numpy().tolist(), labels.features[own].tolist())
        crossed += oracle.cross_entropy(logits.numpy().tolist(), labels.class_probs[own].tolist())
    return squared / len(labels.rows), crossed / len(labels.rows)


def contrast_oracle(model: UnimoForPretraining, batch: View) -> float:
    """A candidate at a time: what is retrieved never shares a sequence with the pair it is scored against."""
    part = batch.contrast
    joint = [float(model.match_scores(states)) for states in states_of(model, part.joint)]
    own = [model(to_tensors(one)) for one, _, _ in one_by_one(batch.apart)] if batch.apart else []
    images, texts = states_of(model, part.images), states_of(model, part.texts)
    total = 0.0
    for b, is_real in enumerate(part.is_real):
        i, t, g = (slice(b * len(some) // 3, (b + 1) * len(some) // 3) for some in (images, texts, joint))
        scores = joint[g] + [float(model.match_scores_separate(found, own[b])) for found in images[i]]
        scores += [float(model.match_scores_separate(own[b], told)) for told in texts[t]]
        positives, negatives = (
            [score for score, of, real in zip(scores, part.is_positive[b], is_real, strict=True) if real and of == kind]
            for kind in (True, False)
        )
        total += oracle.contrast(positives, negatives, TEMPERATURE)
    return total / 3


def states_of(model: UnimoForPretraining, chunks: Chunks | None) -> list[States]:
    """The states of each sequence, in the order that they had before they were sorted by length."""
    if not chunks:
        return []
    states = [model(to_tensors(one)) for part in chunks.parts for one, _, _ in one_by_one(part)]
    return [states[row] for row in chunks.back]


def in_batch_oracle(model: UnimoForPretraining, batch: View) -> float:
    states = [model(to_tensors(one)) for one, _, _ in one_by_one(batch.apart)]
    scores = np.array([[float(model.match_scores_separate(image, text)) for text in states] for image in states])
    is_real = np.ones_like(batch.belongs)
    total, count = oracle.cmcl(scores, batch.belongs, is_real, TEMPERATURE)
    back, count_back = oracle.cmcl(scores.T, batch.belongs.T, is_real, TEMPERATURE)
    return (total + back) / (count + count_back)


@pytest.mark.parametrize("retrieved", [FOUND, (2, 0), (0, 3), (0, 0)])
@pytest.mark.parametrize("objective", ["bidirectional", "seq2seq"])
def test_each_loss_is_the_oracles(model: UnimoForPretraining, objective: str, retrieved: tuple[int, int]) -> None:
    whole = make_batch(objective, found=retrieved)
    batch = view(whole)
    found = {name: float(term.mean()) for name, term in losses(model, whole).items()}
    regression, classification = visual_oracle(model, batch)
    wanted = {
        LANGUAGE[objective]: language_oracle(model, batch),
        "region_regression": regression,
        "region_classification": classification,
        "contrastive": contrast_oracle(model, batch),
        "in_batch": in_batch_oracle(model, batch),
    }
    assert found == pytest.approx(wanted, rel=1e-4)
    assert sum(found.values()) == pytest.approx(sum(wanted.values()), rel=1e-4)


@pytest.mark.parametrize("objective", ["bidirectional", "seq2seq"])
def test_texts_and_images_alone(model: UnimoForPretraining, objective: str) -> None:
    """Text alone has no image rows, an image alone no tokens; both against the oracle."""
    rng = np.random.default_rng(2)
    texts, images = [make_text(rng, words) for _, words in SHAPES], [make_image(rng, regions) for regions, _ in SHAPES]
    language, visual = make_language([], texts, objective), make_visual(images, [])
    assert language.sequences.features.shape[1] == visual.sequences.token_ids.shape[1] == 0
    found = losses(model, Batch("text", ["a"], (language,))) | losses(model, Batch("image", ["a"], (visual,)))
    seen = View([], language, visual, None, None, None)
    wanted = dict(zip(VISUAL, visual_oracle(model, seen), strict=True)) | {
        LANGUAGE[objective]: language_oracle(model, seen)
    }
    assert {name: float(term.mean()) for name, term in found.items()} == pytest.approx(wanted, rel=1e-4)


def test_an_image_of_several_texts_is_read_as_its_copies_are(model: UnimoForPretraining) -> None:
    part = view(make_batch("bidirectional", parts_for({"contrastive"}))).contrast
    assert part
    (once,) = part.joint.parts
    assert once.image_of is not None and len(once.features) == 3
    features, locations = (array[once.image_of] for array in (once.features, once.locations))
    copied = replace(once, features=features, locations=locations, image_of=None)
    one, other = (model.match_scores(model(to_tensors(sequences))).numpy() for sequences in (once, copied))
    assert np.ptp(one) > 0.1
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_chunks_of_like_length_give_the_losses_of_one(
    model: UnimoForPretraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = losses(model, make_batch("bidirectional", parts_for({"contrastive"})))["contrastive"]
    monkeypatch.setattr("unimo_paddle.data.batch.LEAST_CHUNK", 3)
    cut = make_batch("bidirectional", parts_for({"contrastive"}))
    candidates = view(cut).contrast
    assert candidates and (len(candidates.joint.parts), len(candidates.texts.parts)) == (4, 3)
    assert float(losses(model, cut)["contrastive"].sum) == pytest.approx(float(whole.sum), rel=1e-5)
    rows = [sum(one.is_pad.size for one in view(b).contrast.joint.parts) for b in (
        cut, make_batch("bidirectional", parts_for({"contrastive"})))]  # fmt: skip
    assert rows[0] == rows[1] < 12 * (1 + 7 + 9)


@pytest.mark.parametrize(
    ("wanted", "forwards", "names"),
    [
        (ALL, 6, ALL - {"seq2seq"}),  # the pairs apart are encoded once, for two losses
        (ALL - {"contrastive"}, 3, ALL - {"seq2seq", "contrastive"}),
        ({"seq2seq"}, 0, set()),  # not this step's turn
        ({"masked_language"}, 1, {"masked_language"}),
        ({"region_classification"}, 1, set(VISUAL)),  # both come from one forward
        ({"contrastive", "seq2seq"}, 4, {"contrastive"}),
    ],
)
def test_an_objective_without_weight_costs_no_forward(
    model: UnimoForPretraining, wanted: set[str], forwards: int, names: set[str]
) -> None:
    calls: list[int] = []
    model.encoder.register_forward_pre_hook(lambda layer, inputs: calls.append(1))
    batch = make_batch("bidirectional", parts_for(wanted))
    assert set(losses(model, batch)) == names
    assert len(calls) == forwards


@pytest.mark.parametrize("retrieved", [FOUND, (2, 0), (0, 0)])
@pytest.mark.parametrize(
    "wanted",
    [ALL, ALL - {"in_batch"}, ALL - {"contrastive"}, {"in_batch"}, {"region_regression", "seq2seq"}, {*VISUAL}],
    ids=lambda wanted: ",".join(sorted(wanted)),
)
def test_the_plan_counts_what_a_step_encodes(
    model: UnimoForPretraining, wanted: set[str], retrieved: tuple[int, int]
) -> None:
    run = load_run(
        CONFIG,
        [f"data.positives={POSITIVES}", f"data.negatives={NEGATIVES}", "images.regions=null", "texts.tokens=null"]
        + [f"data.retrieved_images={retrieved[0]}", f"data.retrieved_texts={retrieved[1]}"]
        + [f"objectives.{name}={float(name in wanted)}" for name in ALL],
    )
    encoded: list[int] = []
    model.encoder.register_forward_pre_hook(lambda layer, inputs: encoded.append(len(inputs[0].is_pad)))
    losses(model, make_batch("seq2seq", parts_for(wanted), retrieved))
    assert sum(encoded) == sum(encodings(run).values()) * len(SHAPES)


@pytest.mark.parametrize(
    ("names", "silent"),
    [
        (ALL, ()),
        ({"masked_language"}, ("region_", "poolers", "match_head")),
        (set(VISUAL), ("language_head", "poolers", "match_head")),
        ({"contrastive"}, ("language_head", "region_")),
        ({"in_batch"}, ("language_head", "region_")),
    ],
    ids=["all", "language", "visual", "contrastive", "in batch"],
)
def test_the_gradient_reaches_what_an_objective_teaches(
    model: UnimoForPretraining, names: set[str], silent: tuple[str, ...]
) -> None:
    terms = losses(model, make_batch("bidirectional", parts_for(names)))
    paddle.add_n([term.mean() for term in terms.values()]).backward()
    for name, parameter in model.named_parameters():
        taught = parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)
        # A match score's bias moves all candidates alike, and a key's bias all scores of a row: neither is learnt.
        if name == "match_head.score.bias" or name.endswith("key.bias"):
            continue
        assert taught == (not name.startswith(silent)), name


class Scripted:
    """Stands in for a model: joint scores are given; a pooled vector is one number, and what was retrieved for a pair
    scores the product with the pair's own, which is 1."""

    def __init__(self, joint: list[float], images: list[float], texts: list[float]) -> None:
        self.scores = [paddle.to_tensor(some, stop_gradient=False) for some in (joint, images, texts)]
        self.poolers, self.match_head = self, lambda one, other: (one * other).squeeze(1)

    def __call__(self, inputs: Inputs, read: Read) -> States:
        size, regions, tokens = len(inputs.is_pad), inputs.features.shape[1], inputs.token_ids.shape[1]
        return States(paddle.zeros([size, regions, 1]), paddle.zeros([size, tokens, 1]))

    def match_scores(self, states: States) -> paddle.Tensor:
        return self.scores[0]

    def pool_image(self, image: paddle.Tensor) -> paddle.Tensor:
        return self._pooled(image, self.scores[1])

    def pool_text(self, text: paddle.Tensor) -> paddle.Tensor:
        return self._pooled(text, self.scores[2])

    def _pooled(self, states: paddle.Tensor, found: paddle.Tensor) -> paddle.Tensor:
        """Of what was retrieved there are four rows, of the pairs themselves two."""
        return paddle.ones([2, 1]) if states.shape[0] == 2 else found.unsqueeze(1)


def test_the_contrast_by_hand() -> None:
    """Two pairs of a caption, a positive, a negative, two images and two texts retrieved; the second has one image.

    exp(d / 0.5) of pair 1: 1, 2 | 3 | 4, 1 | 5, 1: -ln((1 + 2 + 4 + 1 + 5 + 1) / 17); of pair 2:
    2, 2 | 6 | 9, - | 8, 1: -ln(22 / 28).
    """
    rng = np.random.default_rng(0)
    images, texts = [make_image(rng, 1) for _ in range(4)], [make_text(rng, 1) for _ in range(6)]
    part = Candidates(
        joint=pad_in_chunks(images[:2], texts, np.repeat([0, 1], 3)),
        images=pad_in_chunks(images, []),
        texts=pad_in_chunks([], texts[:4]),
        is_positive=np.array([[True, True, False, True, True, True, True]] * 2),
        is_real=np.array([[True] * 7, [True, True, True, True, False, True, True]]),
    )
    apart = pad(images[:2], texts[:2], [separate(2, 3)] * 2)
    powers = ([1, 2, 3, 2, 2, 6], [4, 1, 9, 99], [5, 1, 8, 1])
    model: Any = Scripted(*([math.log(power) / 2 for power in some] for some in powers))
    term = losses(model, Batch("pair", ["a", "b"], (ContrastPart(part, apart, None),)), 0.5)["contrastive"]
    assert float(term.sum) == pytest.approx(-math.log(14 / 17) - math.log(22 / 28), rel=1e-5)
    assert float(term.count) == 2
    term.sum.backward()
    # softmax over all minus softmax over the positives, over tau; a candidate that is not real learns nothing
    of_images, of_texts = (
        [2 * (power / 17 - power / 14) for power in first] + [2 * (power / 28 - power / 22) for power in second]
        for first, second in (([4, 1], [9, 0]), ([5, 1], [8, 1]))
    )
    np.testing.assert_allclose(model.scores[1].grad.numpy(), of_images, atol=1e-6)
    np.testing.assert_allclose(model.scores[2].grad.numpy(), of_texts, atol=1e-6)


def test_retrieved_rows_learn_and_fillers_do_not(model: UnimoForPretraining, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gradient of each retrieved sequence's own embedding: none for what only fills up."""
    embedded: list[paddle.Tensor] = []
    embed = model.encoder.embed

    def keep(*inputs: Any) -> paddle.Tensor:
        embedded.append(embed(*inputs))
        embedded[-1].retain_grads()
        return embedded[-1]

    monkeypatch.setattr(model.encoder, "embed", keep)
    batch = make_batch("bidirectional", parts_for({"contrastive"}))
    losses(model, batch)["contrastive"].mean().backward()
    apart, joint, images, texts = (tensor.grad.abs().sum(axis=[1, 2]).numpy() > 0 for tensor in embedded)
    is_real, group = view(batch).contrast.is_real, 1 + POSITIVES + NEGATIVES
    candidates = view(batch).contrast
    assert np.array_equal(joint[candidates.joint.back], is_real[:, :group].reshape(-1)) and apart.all()
    assert np.array_equal(images[candidates.images.back], is_real[:, group : group + FOUND[0]].reshape(-1))
    assert np.array_equal(texts[candidates.texts.back], is_real[:, group + FOUND[0] :].reshape(-1))


def test_image_and_caption_apart_do_not_read_each_other(model: UnimoForPretraining) -> None:
    batch = view(make_batch("bidirectional", parts_for({"contrastive"})))
    assert batch.apart
    words = replace(batch.apart, token_ids=np.where(batch.apart.token_ids > 3, 5, batch.apart.token_ids))
    one, other = (model(to_tensors(apart)) for apart in (batch.apart, words))
    np.testing.assert_array_equal(one.image.numpy(), other.image.numpy())
    assert np.abs(one.text.numpy() - other.text.numpy()).max() > 0.01
