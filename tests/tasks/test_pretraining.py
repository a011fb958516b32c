"""The task's losses against the slow oracles, example by example and without padding."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import paddle
import pytest

from tests.reference import objectives as oracle
from unimo_paddle.config import load_run
from unimo_paddle.data import masking
from unimo_paddle.data.batch import PairBatch, Sequences, language_labels, pad, visual_labels
from unimo_paddle.data.encode import ImageRow, TextRow
from unimo_paddle.data.patterns import bidirectional, image_prefix, separate
from unimo_paddle.engine.plan import sequences_per_pair
from unimo_paddle.model.inputs import to_tensors
from unimo_paddle.model.unimo import Unimo, UnimoForPretraining
from unimo_paddle.tasks.pretraining import LANGUAGE, VISUAL, Pretraining

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "pretrain_base.yaml"
VOCABULARY, WIDTH, FEATURES, CLASSES, MASK = 30, 16, 6, 5, 29
SHAPES = [(4, 9), (7, 5), (3, 12)]  # regions and words of each pair
POSITIVES, NEGATIVES, TEMPERATURE = 1, 2, 0.5
ALL = {*LANGUAGE.values(), *VISUAL, "contrastive", "in_batch"}


def make_image(rng: np.random.Generator, regions: int) -> ImageRow:
    corners = np.sort(rng.uniform(0, 100, (regions + 1, 2, 2)), axis=1).reshape(-1, 4)
    locations = np.concatenate([corners / 100, rng.uniform(0, 1, (regions + 1, 1))], axis=1)
    probs = rng.dirichlet(np.ones(CLASSES), regions + 1)
    features = rng.normal(size=(regions + 1, FEATURES))
    return ImageRow(*(array.astype(np.float32) for array in (features, locations, probs, corners)))


def make_text(rng: np.random.Generator, words: int) -> TextRow:
    ids = np.concatenate([[0], rng.integers(4, MASK, words), [2]])
    starts = np.concatenate([[True], rng.random(words) < 0.7, [True]])
    return TextRow(ids, np.arange(2, words + 4), starts)


def make_batch(objective: str) -> PairBatch:
    """Three pairs of different lengths; the last lacks its last negative."""
    rng = np.random.default_rng(5)
    images = [make_image(rng, regions) for regions, _ in SHAPES]
    texts = [make_text(rng, words) for _, words in SHAPES]
    both = [bidirectional(len(i.features), len(t.ids)) for i, t in zip(images, texts, strict=True)]
    if objective == "seq2seq":
        cut = [masking.cut_fragments(text, rng, 0.4) for text in texts]
        reads = [image_prefix(len(i.features), c.n_source, c.n_target) for i, c in zip(images, cut, strict=True)]
        hidden: list[masking.HiddenText] = list(cut)
    else:
        hidden, reads = [masking.mask_spans(text, rng, MASK, 0.4) for text in texts], both
    language = pad(images, [one.text for one in hidden], reads)
    regions = [masking.mask_regions(image, rng, 0.4, 0.3) for image in images]
    visual = pad([one.image for one in regions], texts, both)
    group = 1 + POSITIVES + NEGATIVES
    joint = [(image, make_text(rng, words)) for image in images for words in range(4, 4 + group)]
    contrast = [bidirectional(len(image.features), len(text.ids)) for image, text in joint]
    apart = [separate(len(image.features), len(text.ids)) for image, text in zip(images, texts, strict=True)]
    belongs = np.eye(3, dtype=bool)
    belongs[0, 2] = belongs[2, 0] = True
    is_real = np.ones((3, group), bool)
    is_real[2, -1] = False
    return PairBatch(
        ids=["a", "b", "c"],
        language=language,
        language_labels=language_labels(hidden, language.token_ids.shape[1]),
        visual=visual,
        visual_labels=visual_labels(regions, images, visual.features.shape[1]),
        contrast=pad([image for image, _ in joint], [text for _, text in joint], contrast),
        is_positive=np.tile(np.arange(group) <= POSITIVES, (3, 1)),
        is_real=is_real,
        apart=pad(images, texts, apart),
        belongs=belongs,
        objective=objective,
    )


@pytest.fixture
def model() -> UnimoForPretraining:
    paddle.seed(4)
    encoder = Unimo(VOCABULARY, WIDTH, 2, 2, FEATURES, max_positions=40, dropout=0.0, attention_dropout=0.0)
    made = UnimoForPretraining(encoder, CLASSES)
    for parameter in made.parameters():  # larger weights than a start has, so that the losses differ
        parameter.set_value(parameter + 0.2 * paddle.randn(parameter.shape))
    return made


def one_by_one(sequences: Sequences) -> Iterator[tuple[Sequences, int, int]]:
    """Each row of a batch without its padding, and the places of its first image row and first word in the batch."""
    regions, words = sequences.features.shape[1], sequences.token_ids.shape[1]
    for row, is_pad in enumerate(sequences.is_pad):
        r, t = ~is_pad[:regions], ~is_pad[regions:]
        one = slice(row, row + 1)
        yield (
            Sequences(
                sequences.features[one][:, r], sequences.locations[one][:, r], sequences.token_ids[one][:, t],
                sequences.positions[one][:, t], sequences.reach[one][:, ~is_pad], sequences.group[one][:, ~is_pad],
                is_pad[None, ~is_pad],
            ),
            row * regions,
            row * words,
        )  # fmt: skip


def language_oracle(model: UnimoForPretraining, batch: PairBatch) -> float:
    total, words = 0.0, batch.language.token_ids.shape[1]
    for one, _, first in one_by_one(batch.language):
        own = (batch.language_labels.rows >= first) & (batch.language_labels.rows < first + words)
        rows, targets = batch.language_labels.rows[own] - first, batch.language_labels.targets[own]
        logits = model.language_logits(model(to_tensors(one)), paddle.to_tensor(rows)).numpy()
        total += oracle.cross_entropy(logits.tolist(), oracle.smoothed(targets, VOCABULARY, 0.0))
    return total / len(batch.language_labels.rows)


def visual_oracle(model: UnimoForPretraining, batch: PairBatch) -> tuple[float, float]:
    squared = crossed = 0.0
    labels, regions = batch.visual_labels, batch.visual.features.shape[1]
    for one, first, _ in one_by_one(batch.visual):
        own = (labels.rows >= first) & (labels.rows < first + regions)
        found, logits = model.region_outputs(model(to_tensors(one)), paddle.to_tensor(labels.rows[own] - first))
        squared += oracle.regression(found.numpy().tolist(), labels.features[own].tolist())
        crossed += oracle.cross_entropy(logits.numpy().tolist(), labels.class_probs[own].tolist())
    return squared / len(labels.rows), crossed / len(labels.rows)


def contrast_oracle(model: UnimoForPretraining, batch: PairBatch) -> float:
    scores = [float(model.match_scores(model(to_tensors(one)))) for one, _, _ in one_by_one(batch.contrast)]
    total, count = oracle.cmcl(np.reshape(scores, batch.is_real.shape), batch.is_positive, batch.is_real, TEMPERATURE)
    return total / count


def in_batch_oracle(model: UnimoForPretraining, batch: PairBatch) -> float:
    states = [model(to_tensors(one)) for one, _, _ in one_by_one(batch.apart)]
    scores = np.array([[float(model.match_scores_separate(image, text)) for text in states] for image in states])
    is_real = np.ones_like(batch.belongs)
    total, count = oracle.cmcl(scores, batch.belongs, is_real, TEMPERATURE)
    back, count_back = oracle.cmcl(scores.T, batch.belongs.T, is_real, TEMPERATURE)
    return (total + back) / (count + count_back)


@pytest.mark.parametrize("objective", ["bidirectional", "seq2seq"])
def test_each_loss_is_the_oracles(model: UnimoForPretraining, objective: str) -> None:
    batch = make_batch(objective)
    work = Pretraining(model, make_batch, TEMPERATURE, ALL)
    found = {name: float(term.mean()) for name, term in work.losses(batch).items()}
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


@pytest.mark.parametrize(
    ("wanted", "forwards", "names"),
    [
        (ALL, 4, ALL - {"seq2seq"}),
        ({"seq2seq"}, 0, set()),  # not this step's turn
        ({"masked_language"}, 1, {"masked_language"}),
        ({"region_classification"}, 1, set(VISUAL)),  # both come from one forward
        ({"contrastive", "seq2seq"}, 1, {"contrastive"}),
    ],
)
def test_an_objective_without_weight_costs_no_forward(
    model: UnimoForPretraining, wanted: set[str], forwards: int, names: set[str]
) -> None:
    calls: list[int] = []
    model.encoder.register_forward_pre_hook(lambda layer, inputs: calls.append(1))
    losses = Pretraining(model, make_batch, TEMPERATURE, wanted).losses(make_batch("bidirectional"))
    assert (len(calls), set(losses)) == (forwards, names)


@pytest.mark.parametrize(
    "wanted",
    [ALL, ALL - {"in_batch"}, ALL - {"contrastive"}, {"in_batch"}, {"region_regression", "seq2seq"}, {*VISUAL}],
    ids=lambda wanted: ",".join(sorted(wanted)),
)
def test_the_plan_counts_what_a_step_encodes(model: UnimoForPretraining, wanted: set[str]) -> None:
    run = load_run(
        CONFIG,
        [f"data.positives={POSITIVES}", f"data.negatives={NEGATIVES}"]
        + [f"objectives.{name}={float(name in wanted)}" for name in ALL],
    )
    encoded: list[int] = []
    model.encoder.register_forward_pre_hook(lambda layer, inputs: encoded.append(len(inputs[0].is_pad)))
    Pretraining(model, make_batch, TEMPERATURE, wanted).losses(make_batch("seq2seq"))
    assert sum(encoded) == sequences_per_pair(run) * len(SHAPES)


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
    terms = Pretraining(model, make_batch, TEMPERATURE, names).losses(make_batch("bidirectional"))
    paddle.add_n([term.mean() for term in terms.values()]).backward()
    for name, parameter in model.named_parameters():
        taught = parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)
        # A match score's bias moves all candidates alike, and a key's bias all scores of a row: neither is learnt.
        if name == "match_head.score.bias" or name.endswith("key.bias"):
            continue
        assert taught == (not name.startswith(silent)), name
