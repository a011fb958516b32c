"""The plan against the paper's counts, a counted model, and memory that was really taken."""

import gc
from pathlib import Path

import numpy as np
import pytest

from unimo_paddle.config import load_run
from unimo_paddle.data.batch import Sequences
from unimo_paddle.engine.plan import (
    Shape,
    activation_bytes,
    describe,
    encoder_parameters,
    head_parameters,
    sequences_per_pair,
    step_activations,
)
from unimo_paddle.model.inputs import to_tensors
from unimo_paddle.model.unimo import Unimo, UnimoForPretraining

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@pytest.mark.parametrize(("size", "count", "width"), [("base", "125.63 M", "768"), ("large", "356.42 M", "1024")])
def test_the_published_sizes(size, count, width):
    text = "\n".join(describe(load_run(CONFIGS / f"pretrain_{size}.yaml")))
    assert count in text and f"{width} wide" in text
    assert "128,000,000 pairs in all: epochs unknown" in text
    assert "MALLOC_TRIM_THRESHOLD_" in text


def test_what_data_will_say_is_named_as_assumed():
    lines = describe(load_run(CONFIGS / "pretrain_tiny.yaml", [
        "model.vocabulary=900", "train.steps=500", "data.batch=32"]), pairs=2000)
    assert "assumed until the data says: model.feature_width 2,048, model.region_classes 1,601" in lines
    assert any("16,000 pairs in all: 8.0 epochs of 2,000 pairs" in line for line in lines)


def test_the_detector_has_a_plan_too():
    text = "\n".join(describe(load_run(CONFIGS / "detector" / "small_world.yaml")))
    assert "efficientnet_lite0" in text and "learning rate" in text


def test_learning_rate_milestones():
    lines = describe(load_run(CONFIGS / "pretrain_base.yaml", ["optimizer.schedule=release"]))
    words = [line.replace(",", "").split() for line in lines if line.startswith("  step ")]
    rates = {int(step): float(rate) for _, step, rate in words}
    assert rates[1] == 0 and rates[10_000] == pytest.approx(5e-5, rel=1e-3)
    assert rates[10_001] == pytest.approx(4.9e-5) and rates[500_000] == pytest.approx(1e-10)


def test_the_counts_are_those_of_a_real_model():
    shape = Shape(vocabulary=99, width=24, layers=3, heads=4, feature_width=17, classes=7, max_positions=40)
    model = UnimoForPretraining(Unimo(99, 24, 3, 4, 17, max_positions=40), 7)
    assert encoder_parameters(shape) == sum(int(p.size) for p in model.encoder.parameters())
    heads = [p for name, p in model.named_parameters() if not name.startswith("encoder.")]
    assert sum(head_parameters(shape).values()) == sum(int(p.size) for p in heads)


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_activations_are_what_a_forward_pass_keeps(dropout):
    """Paddle's own count of allocated bytes, before and after a forward pass."""
    from paddle.base.core import host_memory_stat_current_value

    shape = Shape(vocabulary=50, width=96, layers=3, heads=4, feature_width=64, classes=5, max_positions=100)
    model = Unimo(50, 96, 3, 4, 64, 100, dropout, dropout)
    sequences = to_tensors(random_sequences(batch=8, regions=20, tokens=60))
    gc.collect()
    before = host_memory_stat_current_value("Allocated", 0)
    states = model(sequences)
    loss = states.text.sum() + states.image.sum()
    gc.collect()
    kept = host_memory_stat_current_value("Allocated", 0) - before
    assert float(loss) == float(loss)
    assert kept == pytest.approx(activation_bytes(shape, 8, 80, 0, dropout > 0), rel=0.15)


def random_sequences(batch, regions, tokens):
    rng = np.random.default_rng(0)
    places = (batch, regions + tokens)
    return Sequences(
        features=rng.normal(size=(batch, regions, 64)).astype("float32"),
        locations=rng.random((batch, regions, 5)).astype("float32"),
        token_ids=rng.integers(0, 50, (batch, tokens)),
        positions=np.tile(np.arange(2, tokens + 2), (batch, 1)),
        reach=np.zeros(places, "int32"), group=np.zeros(places, "int32"), is_pad=np.zeros(places, bool),
    )


def test_retrieved_images_and_texts_by_hand():
    """A pair alone costs 12 positions a sequence; an image alone 4, a text alone 8, the pair apart 12 once more."""
    small = [
        "data.max_tokens=8", "data.max_regions=3", "data.positives=0", "data.negatives=1", "model.dropout=0",
        "model.attention_dropout=0", "objectives.in_batch=0", "model.layers=1", "model.width=4", "model.heads=2"]
    shape = Shape(vocabulary=10, width=4, layers=1, heads=2, feature_width=6, classes=5, max_positions=20)
    nothing, found = (load_run(CONFIGS / "pretrain_tiny.yaml", [*small, *more]) for more in (
        [], ["data.retrieved_images=2", "data.retrieved_texts=3"]))
    assert (sequences_per_pair(nothing), sequences_per_pair(found)) == (4, 10)
    more = step_activations(found, shape, 2) - step_activations(nothing, shape, 2)
    # of each position: 16 * 4 floats, 2 of softmax for each that it reads, 2 of mask, 6 + 3 * 4 of embeddings
    assert more == 2 * 4 * sum(times * rows * (64 + 4 * rows + 18) for times, rows in ((1, 12), (2, 4), (3, 8)))
    lines = "\n".join(describe(found))
    assert "; 1 for image and caption apart, against what is retrieved; 2 for retrieved images alone; " in lines
    assert f"at most {56 * (5 * 12 + 2 * 4 + 3 * 8):,} positions" in lines


def test_a_step_by_hand():
    run = load_run(CONFIGS / "pretrain_tiny.yaml", [
        "data.batch=2", "data.positives=1", "data.negatives=2", "data.max_tokens=8", "data.max_regions=3",
        "model.dropout=0", "model.attention_dropout=0", "model.layers=1", "model.width=4", "model.heads=2",
        "masking.span_rate=0.15", "masking.fragment_rate=0.25", "objectives.in_batch=0"])
    shape = Shape(vocabulary=10, width=4, layers=1, heads=2, feature_width=6, classes=5, max_positions=20)
    assert sequences_per_pair(run) == 6
    # 12 positions: 16 * 4 floats, 2 * 12 of softmax; 2 * 12 of mask, 6 + 3 * 4 of embeddings. 2 * 8 * 0.25 labelled.
    by_hand = 2 * 6 * 12 * 4 * (64 + 24 + 24 + 18) + 2 * 4 * 10 * 4
    assert step_activations(run, shape, 2) == by_hand


@pytest.mark.parametrize(("off", "times"), [((), 10), (("in_batch",), 10), (("masked_language",), 10),
                                            (("masked_language", "seq2seq"), 9),
                                            (("region_regression", "region_classification", "contrastive"), 2)])
def test_only_what_has_a_weight_is_encoded(off, times):
    """tests/tasks/test_pretraining.py holds the same numbers against the task itself."""
    run = load_run(CONFIGS / "pretrain_base.yaml", ["objectives.in_batch=1", *(f"objectives.{name}=0" for name in off)])
    assert (run.data.positives, run.data.negatives) == (1, 3)
    assert (run.data.retrieved_images, run.data.retrieved_texts) == (1, 1)
    assert sequences_per_pair(run) == times
    assert any(f"a pair is encoded {times} times" in line for line in describe(run))


def test_fragments_without_weight_label_nothing():
    base, shape = CONFIGS / "pretrain_base.yaml", Shape(100, 4, 1, 2, 6, 5, 130)
    both, spans = (step_activations(load_run(base, more), shape, 1) for more in ([], ["objectives.seq2seq=0"]))
    assert both - spans == 2 * (32 - 19) * 100 * 4  # a quarter and 15 % of 128 tokens, two rows of logits each
