"""Settings that are right come out typed; settings that are wrong are all named, with their places."""

from pathlib import Path

import pytest

from unimo_paddle.config import SIZES, DetectorRun, FinetuneRun, PretrainRun, load_run
from unimo_paddle.errors import UserError

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
RUNS = sorted(path for path in CONFIGS.rglob("*.yaml") if path.parent.name != "study" and path.stem != "corpus")
RUNS.remove(CONFIGS / "finetune" / "small_world.yaml")  # what others inherit from
TINY = CONFIGS / "pretrain_tiny.yaml"
NEEDED = """\
kind: pretrain
data:
  corpus: work/corpus
  regions: work/regions
  tokenizer: work/tokenizer
train:
  steps: 100
output:
  directory: runs/x
"""


@pytest.fixture
def write(tmp_path):
    def write(text, name="run.yaml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


def faults_of(path, *overrides):
    with pytest.raises(UserError) as error:
        load_run(path, overrides)
    return str(error.value)


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_every_config_that_we_ship_loads(path):
    assert isinstance(load_run(path), (PretrainRun, DetectorRun, FinetuneRun))


def test_sizes_come_from_the_table_and_single_numbers_win(write):
    path = write(NEEDED)
    assert SIZES["base"] == (12, 768, 12) and SIZES["large"] == (24, 1024, 16)
    assert load_run(path).model.width == SIZES["tiny"].width
    large = load_run(path, ["model.size=large", "model.layers=6"]).model
    assert (large.layers, large.width, large.heads) == (6, 1024, 16)


def test_overrides_take_the_type_of_the_setting(write):
    run = load_run(write(NEEDED), [
        "optimizer.peak_lr=1e-4", "train.steps=1e3", "data.shuffle_captions=yes", "optimizer.betas=0.8, 0.95",
        "model.vocabulary=900", "data.split=2", "optimizer.clip_norm=2", "data.corpus=/a=b", "model.weights=null"])
    assert run.optimizer.peak_lr == 1e-4 and run.optimizer.betas == (0.8, 0.95)
    assert run.train.steps == 1000 and isinstance(run.train.steps, int)
    assert run.data.shuffle_captions is True and run.data.split == "2" and run.data.corpus == Path("/a=b")
    assert run.model.vocabulary == 900 and run.model.weights is None
    assert isinstance(run.optimizer.clip_norm, float)


def test_yaml_writes_floats_in_its_own_way(write):
    run = load_run(write(NEEDED + "optimizer: {peak_lr: 1e-4, weight_decay: 0, betas: [0.9, 0.999]}\n"))
    assert run.optimizer.peak_lr == 1e-4  # a string to YAML 1.1
    assert run.optimizer.weight_decay == 0.0 and run.optimizer.betas == (0.9, 0.999)


def test_all_faults_at_once_each_with_its_place(write):
    wrong = "model: {dropout: 1, heads: true}\noptim: {warmup_step: 3}\n"
    path = write(NEEDED.replace("steps: 100", "steps: 1.5") + wrong)
    text = faults_of(path, "train.seed=-1", "optimizer.betas=0.9", "optimizer.schedule=cosine", "nonsense", "data=x")
    for part in (
        "9 settings are wrong",
        f"{path}:7: train.steps is 1.5; a whole number is wanted",
        f"{path}:10: model.dropout is 1; must be less than 1",
        f"{path}:10: model.heads is True; a whole number is wanted",
        f"{path}:11: optim.warmup_step is not a setting; did you mean optimizer.warmup_steps?",
        "-o train.seed=-1: train.seed is -1; must be at least 0",
        "-o optimizer.betas=0.9: optimizer.betas is 0.9; 2 values are wanted",
        "optimizer.schedule is cosine; must be one of linear, release",
        "-o nonsense: write it as key=value",
        "-o data=x: data is a group of settings; write for example data.corpus",
    ):
        assert part in text, part


def test_missing_settings_are_explained(write):
    path = write("kind: pretrain\n")
    text = faults_of(path)
    assert f"{path}: data.regions is missing (region store" in text
    assert "train.steps is missing (optimizer steps in all)" in text
    assert text.count("is missing") == 5


@pytest.mark.parametrize(("overrides", "fault"), [
    (["model.heads=7"], "model.width is 128, which 7 heads cannot share equally"),
    (["optimizer.warmup_steps=100"], "optimizer.warmup_steps is 100, which leaves nothing of the 100 steps"),
    (["data.max_tokens=600"], "data.max_tokens is 600, but the position table has room for 512"),
    (["data.negatives=0"], "data.negatives is 0, which leaves the contrastive loss nothing"),
    (["train.accumulate=3"], "train.accumulate is 3, which does not divide data.multiple, 8"),
    (["data.weight=0"], "data.weight is 0, and neither texts nor images have data"),
    (["texts.tokens=t", "texts.max_tokens=600"], "texts.max_tokens is 600, but the position table has room for 512"),
    (["texts.tokens=t", "texts.rows=4000"], "texts.rows is 4000, but 8 rows (data.multiple) of 512 tokens need 4096"),
    (["texts.tokens=t", "objectives.masked_language=0", "objectives.seq2seq=0"], "texts.tokens is given, but no objec"),
    (["images.regions=r", "objectives.region_regression=0", "objectives.region_classification=0"],
     "images.regions is given, but no objective hides regions"),
    (["data.multiple=1", "objectives.in_batch=1"], "data.multiple is 1, which may leave the contrast within the batch"),
    ([f"objectives.{name}=0" for name in ("masked_language", "seq2seq", "region_regression", "region_classification",
                                          "contrastive")], "all other weights are 0"),
    (["parallel.stage=2"], "parallel.stage is 2, but nobody shares"),
    (["parallel.stage=3", "parallel.sharding=2", "precision.level=O2"], "parallel.stage is 3, which does not share"),
    (["parallel.stage=3", "parallel.sharding=2", "watch.probe_every=5"], "watch.probe_every is 5, but a probe is one"),
])
def test_settings_that_do_not_fit_together(write, overrides, fault):
    assert fault in faults_of(write(NEEDED), *overrides)


@pytest.mark.parametrize(("key", "advice"), [
    ("trian.steps", "did you mean train.steps?"),
    ("peak_lr", "did you mean optimizer.peak_lr?"),
    ("dat.rows", "did you mean data.rows?"),
    ("qqqq", "there are data.corpus, "),
])
def test_the_nearest_name_is_offered(write, key, advice):
    assert advice in faults_of(write(NEEDED), f"{key}=1")


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "true", "x", ""])
def test_a_learning_rate_is_a_finite_number(write, value):
    assert "optimizer.peak_lr is " in faults_of(write(NEEDED), f"optimizer.peak_lr={value}")


@pytest.mark.parametrize("value", ["nan", "inf", "1.5", "true", "x"])
def test_steps_are_a_whole_number(write, value):
    assert "a whole number is wanted" in faults_of(write(NEEDED), f"train.steps={value}")


def test_text_that_looks_like_something_else_wants_quotes(write):
    assert "data.split is 3; text is wanted" in faults_of(write(NEEDED.replace("data:", "data:\n  split: 3")))


def test_the_kind_chooses_the_run(write):
    run = load_run(write("kind: detector\ndata: {images: i, train: t}\ntrain: {steps: 5}\noutput: {directory: d}\n"))
    assert isinstance(run, DetectorRun) and run.data.validation is None
    assert "kind is cat; it must be one of pretrain, detector" in faults_of(write("kind: cat\n"))
    assert "kind is None" in faults_of(write("model: {size: base}\n"))
    text = faults_of(write("kind: detector\ndata: {images: i, train: t}\ntrain: {steps: 5}\noutput: {directory: d}\n"
                           "detector: {short_side: 400}\nextraction: {min_regions: 200}\n"))
    assert "detector.short_side is 400, more than" in text and "extraction.min_regions is 200, more than" in text
    text = faults_of(write("kind: detector\ndata: {images: i, train: t}\ntrain: {steps: 5}\noutput: {directory: d}\n"
                           "detector: {backbone: resnet50_c4}\n"))
    assert "detector.feature_width is 256, but the features of resnet50_c4 have 2048 numbers; write that" in text


def test_the_nearer_file_wins_over_its_base(write):
    write(NEEDED + "optimizer: {peak_lr: 0.1, warmup_steps: 7}\nmodel: {size: base}\n", "common/a.yaml")
    write("base: common/a.yaml\noptimizer:\n  peak_lr: 0.2\ndata:\n", "b.yaml")
    run = load_run(write("base: ../b.yaml\noptimizer: {epsilon: 1e-8}\n", "deep/c.yaml"), ["train.steps=55"])
    assert (run.optimizer.peak_lr, run.optimizer.warmup_steps, run.optimizer.epsilon) == (0.2, 7, 1e-8)
    assert run.model.layers == 12 and run.train.steps == 55
    assert run.data.corpus == Path("work/corpus")  # an empty section inherits


def test_a_run_with_overrides_has_its_own_folder(tmp_path):
    plain = load_run(TINY).output.directory
    other = load_run(TINY, ["optimizer.peak_lr=1e-4"]).output.directory
    assert other == plain.with_name(plain.name + "-optimizer.peak_lr=1e-4")
    assert load_run(TINY, ["train.log_every=7"]).output.directory == plain  # may change on the way
    assert load_run(TINY, ["optimizer.peak_lr=1e-4", f"output.directory={tmp_path}"]).output.directory == tmp_path
    long = load_run(TINY, [f"data.corpus=/{'deep/' * 60}"]).output.directory.name
    assert len(long) < 150
    assert "/" not in long
