"""The plan against the paper's counts, real models, real parts, memory that was really taken, and cases by hand."""

import gc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.engine.full_examples import full_examples
from unimo_paddle.build.pretraining import pair_settings
from unimo_paddle.config import load_run
from unimo_paddle.data.batch import LanguageLabels, LanguagePart, Sequences, VisualLabels, VisualPart, sequences_of
from unimo_paddle.data.examples import make_parts
from unimo_paddle.engine.plan import DataSizes, cards, describe, memory, report, sizes, steps
from unimo_paddle.engine.plan.table import table
from unimo_paddle.model.flops import Cost, RowsRead, part_cost, rows_read
from unimo_paddle.model.model_folder import ModelSizes
from unimo_paddle.model.unimo import Unimo, UnimoForPretraining
from unimo_paddle.tasks.pretraining import Pretraining

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
SMALL = ModelSizes(vocab_size=50, width=96, layers=3, heads=4, max_positions=100, feature_width=64, classes=5)
FLOAT32 = memory.Numbers(dropout=True, attention_dropout=True, half=False, recompute=False)
TINY = [  # a pair of 12 rows, four to a step
    "data.rows=48", "data.multiple=4", "data.max_tokens=8", "data.max_regions=3", "data.positives=0",
    "data.negatives=1", "objectives.in_batch=0", "model.layers=1", "model.width=4", "model.heads=2",
    "model.vocabulary=10", "model.feature_width=6", "model.region_classes=5", "model.max_positions=20"]  # fmt: skip


def tiny(*more):
    return load_run(CONFIGS / "pretrain_tiny.yaml", [*TINY, *more])


def base(*more, size="base"):
    return load_run(CONFIGS / f"pretrain_{size}.yaml", list(more))


@pytest.mark.parametrize(("size", "count", "width"), [("base", "125.63 M", "768"), ("large", "356.42 M", "1024")])
def test_the_published_sizes(size, count, width):
    text = "\n".join(describe(base(size=size)))
    assert count in text and f"{width} wide" in text
    assert "MALLOC_TRIM_THRESHOLD_" in text and "assumed until the data says: 40 regions an image" in text


def test_the_counts_are_those_of_a_real_model():
    shape = ModelSizes(99, 24, 3, 4, 40, 17, 7)
    model = UnimoForPretraining(Unimo(99, 24, 3, 4, 17, max_positions=40), 7)
    assert sizes.encoder_parameters(shape) == sum(int(p.size) for p in model.encoder.parameters())
    assert sizes.all_parameters(shape) == sum(int(p.size) for p in model.parameters())


def test_the_detector_has_a_plan_too():
    text = "\n".join(describe(load_run(CONFIGS / "detector" / "small_world.yaml")))
    assert "efficientnet_lite0" in text and "learning rate" in text


def test_learning_rate_milestones():
    lines = describe(base("optimizer.schedule=release"))
    words = [line.replace(",", "").split() for line in lines if line.startswith("  step ")]
    rates = {int(step): float(rate) for _, step, rate in words}
    assert rates[1] == 0 and rates[10_000] == pytest.approx(5e-5, rel=1e-3)
    assert rates[10_001] == pytest.approx(4.9e-5) and rates[500_000] == pytest.approx(1e-10)


def test_kinds_of_steps_share_by_weight_where_there_is_data():
    assert steps.step_weights(base()) == dict.fromkeys(steps.KINDS, pytest.approx(1 / 3))
    some = base("texts.tokens=null", "images.weight=3")
    assert steps.step_weights(some) == {"image": 0.75, "pair": 0.25}


def test_how_many_examples_a_step_has():
    """229 rows a pair at the longest: 65,536 rows have room for 286, of which 256 are a multiple of 64."""
    run = base()
    assert steps.examples_of(run, "pair", steps.longest(run, "pair")) == 256
    assert steps.examples_of(run, "text", steps.longest(run, "text")) == 131072 // 512
    usual = steps.expected(run, "pair", DataSizes(regions=36.4, caption=13.2))
    assert (usual.regions, usual.tokens) == (37, 14) and steps.examples_of(run, "pair", usual) == 65536 // 52 // 64 * 64
    assert steps.examples_of(base("data.rows=100"), "pair", usual) == 64  # the least, however small the budget


def test_epochs_and_days_by_hand():
    run = base("images.regions=null", "train.steps=100000", "optimizer.warmup_steps=10")
    known = DataSizes(pairs=1_000_000, tokens=131072 * 50_000, regions=40, caption=15)
    text, pair = report.usual_steps(run, known)
    assert (text.share, text.examples, pair.examples) == (0.5, 256, 1152)
    lines = describe(run, known)
    assert next(line for line in lines if line.startswith("  text")).split()[-1] == "1.00"
    assert next(line for line in lines if line.startswith("  pair")).split()[-1] == "57.60"
    days = (text.cost.flops + pair.cost.flops) / 2 * 100_000 / (8 * 125e12 * 0.3 * 86400)
    assert any(line.split()[:2] == ["8", f"{days:,.3g}"] for line in lines)


def test_a_usual_step_costs_what_its_parts_cost():
    """A text of 8 tokens, 2 labelled: in the one layer 8 rows of key and value, 4 H^2, 2 of the rest, 20 H^2, and of
    attention, 4 S H; the head 2 H (H + V) a label."""
    run = tiny("texts.tokens=somewhere", "texts.rows=32", "texts.max_tokens=8", "data.weight=0", "objectives.seq2seq=0",
               "masking.span_rate=0.25")  # fmt: skip
    one = report.usual_steps(run, DataSizes())[0]
    forward = 4 * (8 * 4 * 16 + 2 * (20 * 16 + 4 * 8 * 4) + 2 * 2 * 4 * (4 + 10))
    assert one.cost == Cost(32, 32, 3.0 * forward) and (one.share, one.examples, one.rows) == (1.0, 4, 8)


@pytest.mark.parametrize("objective", ["bidirectional", "seq2seq"])
def test_planned_parts_have_the_shapes_of_real_ones(objective):
    run = tiny("data.retrieved_images=2", "data.retrieved_texts=3", "data.positives=1", "objectives.in_batch=1",
               "data.max_tokens=16", "data.rows=80")  # fmt: skip
    lengths = steps.longest(run, "pair")
    planned = steps.parts_of(run, sizes.sizes_of(run), "pair", 4, lengths, objective)
    real = list(make_parts(full_examples(run, 4), pair_settings(run), 9, objective, np.eye(4, dtype=bool)))
    assert [type(part) for part in planned] == [type(part) for part in real]
    assert [shapes(part) for part in planned[1:]] == [shapes(part) for part in real[1:]]
    # How many fragments are cut out is up to chance; each adds two tokens.
    assert np.abs(np.array(shapes(planned[0])[0][2]) - shapes(real[0])[0][2]).max() <= 2 * (objective == "seq2seq")
    assert len(planned[0].labels.rows) == pytest.approx(len(real[0].labels.rows), abs=4)
    assert planned[2].belongs.shape == real[2].belongs.shape
    shape = sizes.sizes_of(run)
    assert part_cost(planned[2], shape) == part_cost(real[2], shape)


def shapes(part):
    return [(one.features.shape, one.token_ids.shape, one.is_pad.shape) for one in sequences_of(part)]


def test_only_the_last_chunk_of_what_is_retrieved_is_padded_to_the_longest():
    """64 images make four chunks of 16, the most there are; 20 are too few for two."""
    many, few = (steps._retrieved(SMALL, count, 11, 41, 0) for count in (64, 20))
    assert [one.is_pad.shape for one in many.parts] == [(48, 11), (16, 41)] and len(many) == 64
    assert [one.is_pad.shape for one in few.parts] == [(20, 41)]
    texts = steps._retrieved(SMALL, 33, 15, 128, 1)
    assert [one.token_ids.shape for one in texts.parts] == [(16, 15), (17, 128)]


@pytest.mark.parametrize(("off", "times"), [((), 10), (("in_batch",), 10), (("masked_language",), 10),
                                            (("masked_language", "seq2seq"), 9),
                                            (("region_regression", "region_classification", "contrastive"), 2)])
def test_only_what_has_a_weight_is_encoded(off, times):
    """tests/tasks/test_pretraining.py holds the same numbers against the task itself."""
    alone = ("images.regions=null",) if "region_regression" in off else ("texts.tokens=null",) if len(off) == 2 else ()
    run = base("objectives.in_batch=1", *alone, *(f"objectives.{name}=0" for name in off))
    assert sum(steps.encodings(run).values()) == times
    assert any(f"a pair is encoded {times} times" in line for line in describe(run))
    way = (steps.objectives_of(run) or [""])[0]
    planned = steps.parts_of(run, sizes.sizes_of(run), "pair", 64, steps.longest(run, "pair"), way)
    assert sum(len(one.is_pad) for part in planned for one in sequences_of(part)) == 64 * times


@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize(("regions", "tokens"), [(20, 60), (0, 80), (40, 0)])
def test_kept_bytes_are_what_a_forward_pass_keeps(dropout, regions, tokens):
    """Paddle's own count of allocated bytes, before and after a forward pass of which some rows are read."""
    from paddle.base.core import host_memory_stat_current_value

    from unimo_paddle.model.inputs import to_read, to_tensors

    model = Unimo(50, 96, 3, 4, 64, 100, dropout, dropout)
    numbers = replace(FLOAT32, dropout=dropout > 0, attention_dropout=dropout > 0)
    batch = random_sequences(8, regions, tokens)
    rows = np.arange(0, 8 * (tokens or regions), 6)
    part = LanguagePart("bidirectional", batch, LanguageLabels(rows, rows)) if tokens else VisualPart(
        batch, VisualLabels(rows, rows, rows))  # fmt: skip
    gc.collect()
    before = host_memory_stat_current_value("Allocated", 0)
    states = model(to_tensors(batch), to_read(batch, **{"text" if tokens else "image": rows}))
    loss = states.text.sum() + states.image.sum()
    del states
    gc.collect()
    kept = host_memory_stat_current_value("Allocated", 0) - before
    assert float(loss) == float(loss)
    assert kept == pytest.approx(memory.encoder_bytes(batch, rows_read(part, batch), SMALL, numbers).kept, rel=0.03)


def random_sequences(batch, regions, tokens):
    rng = np.random.default_rng(0)
    places = (batch, regions + tokens)
    return Sequences(
        features=rng.normal(size=(batch, regions, 64 if regions else 0)).astype("float32"),
        locations=rng.random((batch, regions, 5)).astype("float32"),
        token_ids=rng.integers(0, 50, (batch, tokens)),
        positions=np.tile(np.arange(2, tokens + 2), (batch, 1)),
        reach=np.zeros(places, "int32"), group=np.zeros(places, "int32"), is_pad=np.zeros(places, bool),
    )  # fmt: skip


def test_kept_bytes_of_a_contrast():
    """Joint candidates, the pair apart, retrieved images and texts, all kept at once."""
    from paddle.base.core import host_memory_stat_current_value

    run = tiny("model.width=64", "model.layers=4", "model.vocabulary=2000", "data.max_tokens=32", "data.rows=288",
               "data.retrieved_images=1", "data.retrieved_texts=1", "data.multiple=8",
               "model.max_positions=60")  # fmt: skip
    work = Pretraining(UnimoForPretraining(Unimo(2000, 64, 4, 2, 6, 60), 5), lambda step: None, 1.0)
    contrast = list(make_parts(full_examples(run, 8), pair_settings(run), 9, "seq2seq", None))[-1]
    gc.collect()
    before = host_memory_stat_current_value("Allocated", 0)
    terms = work.losses(contrast)
    gc.collect()
    kept = host_memory_stat_current_value("Allocated", 0) - before
    assert terms and kept == pytest.approx(memory.part_bytes(contrast, sizes.sizes_of(run), FLOAT32).kept, rel=0.03)


def test_layers_by_hand():
    """2 texts of 8: 16 rows, 2 heads. 14 H + 2 H floats and 2 H bytes a row; 8 read: two softmaxes and a byte each.
    On the way back three planes of 16 less 5 H are more than 5 H. Of the last layer 5 rows are read, up to 3 of a text:
    2 x 3 ask."""
    batch, read = random_sequences(2, 0, 8), RowsRead(3, 5)
    shape = replace(SMALL, width=4, layers=3, heads=2)
    row, softmax = 4 * (16 * 4 + 2), 2 * 8 * 9
    first = 4 * (4 + 1) + 4 * 4  # the first input with its dropout, the sum under the norm of words
    last = 2 * 4 * 4 * (16 + 6) + 5 * 4 * (13 * 4 + 2) + 6 * softmax
    made = memory.encoder_bytes(batch, read, shape, FLOAT32)
    # Passing: three planes of 6 x 16; the mask, 16 x 16; those of 16 x 16 less 5 H when the last layer is gone.
    passing = max(4 * 6 * 48, 4 * 16 * 16, 16 * 28 * 4 - last)
    assert made == memory.Kept(16 * (2 * (row + softmax) + first) + last, passing)
    twice = memory.encoder_bytes(batch, read, shape, replace(FLOAT32, recompute=True))
    assert twice.kept == 16 * (3 * 4 * 4 + first) + (16 + 6) * 2 * 8 * 4
    assert twice.passing == 16 * (row + softmax + 28 * 4)
    half = memory.encoder_bytes(batch, read, shape, replace(FLOAT32, half=True))
    row, softmax, first = 4 * (14 * 2 + 2 * 4 + 2), 2 * 8 * 7, 4 * (2 + 1) + 4 * 4
    last = 2 * 4 * 2 * (16 + 6) + 5 * 4 * (11 * 2 + 2 * 4 + 2) + 6 * softmax
    assert half.kept == 16 * (2 * (row + softmax) + first) + last


def test_logits_and_regions_by_hand():
    run = tiny("data.rows=96")
    shape, lengths = sizes.sizes_of(run), steps.longest(run, "pair")
    words, regions, _ = steps.parts_of(run, shape, "pair", 8, lengths, "bidirectional")
    labelled = 19  # 0.3 of 64 tokens
    assert memory.head_bytes(words, shape, FLOAT32).kept == 4 * labelled * (10 + 5 * 4)
    hidden = 7  # 0.3 of 24 regions
    assert memory.head_bytes(regions, shape, FLOAT32) == memory.Kept(4 * hidden * (6 + 15), 4 * hidden * (12 + 5))


@pytest.mark.parametrize(("precision", "parallel", "wanted"), [
    ([], [], (4, 4, 8)),
    ([], ["parallel.sharding=4"], (4, 4, 2)),
    (["precision.level=O1"], [], (6, 4, 8)),
    (["precision.level=O2"], ["parallel.sharding=4"], (2, 6, 2 + 4)),
    ([], ["parallel.sharding=8", "parallel.stage=2"], (4, 4 * (0.4 + 0.125), 1)),
    (["precision.level=O2"], ["parallel.sharding=8", "parallel.stage=2"], (2, 6 * (0.4 + 0.125), 1 + 4)),
    (["precision.level=O1"], ["parallel.sharding=4", "parallel.stage=3"], (6 * (0.4 + 0.2), 4 * (0.4 + 0.25), 2))])
def test_bytes_of_a_parameter_on_each_of_eight_devices(precision, parallel, wanted):
    """Of 800 parameters 640 are in four layers: 0.4 of all outside them and in one layer together."""
    run = tiny(*precision, *parallel)
    state = memory.state_bytes(800, 640, 4, run.precision, run.parallel, 8)
    assert (state.weights, state.gradients, state.adam) == pytest.approx(tuple(800 * one for one in wanted))
    assert state.total == pytest.approx(sum(800 * one for one in wanted))


def test_the_layers_are_most_of_a_base_model():
    """7,087,872 each: 4 products of 768 x 768 and 2 of 768 x 3,072 with their biases, two norms."""
    assert sizes.layered_parameters(sizes.sizes_of(base())) == 12 * 7_087_872


def test_more_micro_batches_and_recompute_take_less():
    run = base()
    peaks = [cards.largest_part(run, DataSizes(), share).bytes.peak for share in (8, 16, 32)]
    assert peaks[0] > 1.9 * peaks[1] > 3.5 * peaks[2]
    assert cards.largest_part(run, DataSizes(), 8, recompute=True).bytes.peak < peaks[0] / 4


def test_the_least_accumulate_is_the_least():
    run, known = base(), DataSizes()
    least = cards.least_accumulate(run, known, 8, "V100 16 GB")
    assert least and least > 1 and run.data.multiple % (8 * least) == 0
    assert cards.fits(run, known, 8, least, "V100 16 GB") and not cards.fits(run, known, 8, least // 2, "V100 16 GB")
    large = base(size="large")
    assert cards.least_accumulate(large, known, 8, "V100 16 GB") is None
    twice = cards.least_accumulate(large, known, 8, "V100 16 GB", recompute=True)
    assert report._least(large, known, 8, "V100 16 GB") == f"{twice}, recompute"
    assert report._least(base("data.rows=100000000"), known, 1, "V100 16 GB") == "none"


@pytest.mark.parametrize("kind", steps.KINDS)
def test_the_largest_rows_fit_and_more_do_not(kind):
    run, known, section = base(), DataSizes(), report.SETTING[kind]
    rows = cards.largest_rows(run, known, 1, "V100 32 GB", kind, recompute=False)
    room = (cards.CARDS["V100 32 GB"] << 20) - cards.device_state(run, 1).total - cards.RESERVE
    less, more = (base(f"{section}.rows={int(64 * rows * share)}") for share in (0.9, 1.15))
    taken = [cards.largest_part(one, known, 64, kind=kind).bytes.peak * (1 + cards.FRAGMENTS) for one in (less, more)]
    assert taken[0] < room < taken[1]


def test_checkpoints_take_twelve_bytes_a_parameter():
    run = tiny("train.keep_last=2")
    count = sizes.all_parameters(sizes.sizes_of(run))
    assert memory.checkpoint_bytes(count) == 12 * count
    assert any("2 kept and one being written" in line for line in describe(run))


def test_a_table_is_as_wide_as_its_cells():
    lines = table(("", "a"), [("long name", "1"), ("b", "22")])
    assert lines == ["              a", "  long name   1", "  b          22"]
