"""The wiring: every setting arrives, sizes come from the data, a whole matrix of scores is that of its single pairs."""

from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import paddle
import pytest

from tests.mini_world import CONFIGS
from unimo_paddle import build
from unimo_paddle.config import PretrainRun, load_run
from unimo_paddle.corpus import CorpusWriter, Image, Pair
from unimo_paddle.data.batch import pad
from unimo_paddle.data.encode import encode_image, encode_text
from unimo_paddle.data.patterns import bidirectional, separate
from unimo_paddle.data.stream import PairSettings
from unimo_paddle.data.tokenizer import Tokenizer, load_tokenizer, train_tokenizer
from unimo_paddle.engine.checkpoint import model_arrays
from unimo_paddle.errors import UserError
from unimo_paddle.model.inputs import to_tensors
from unimo_paddle.model.model_folder import read_model, write_model
from unimo_paddle.regions import Regions, RegionStore, RegionStoreWriter, StoreMeta

CAPTIONS = ["a red cat", "two dogs", "a very long caption of a dog and a cat on a bus", "a bus"]
FEATURES, CLASSES = 6, ("__background__", "cat", "dog")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four captioned images, the regions of the first three, a tokenizer."""
    path = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    train_tokenizer(CAPTIONS * 3, 280, lowercase=True).save(path / "tokenizer")
    with CorpusWriter(path / "corpus", "a", "1") as writer:
        for i, caption in enumerate(CAPTIONS):
            writer.add("test", Image(f"i{i}", path / f"{i}.jpg", 60, 40))
            writer.add("test", Pair(f"p{i}", f"i{i}", caption))
    with RegionStoreWriter(path / "regions", StoreMeta("test", FEATURES, CLASSES, 3, "0"), 10) as store:
        for i in range(3):
            n = 2 + 2 * i
            corners = np.sort(rng.uniform(0, 40, (n, 2, 2)), axis=1).reshape(n, 4)
            probs = rng.dirichlet(np.ones(3), n)
            arrays = (array.astype(np.float32) for array in (rng.normal(size=(n, FEATURES)), corners, probs))
            store.append(f"i{i}", Regions(*arrays, 60, 40))
    return path


def make_run(folder: Path, *overrides: str) -> PretrainRun:
    run = load_run(CONFIGS / "pretrain_tiny.yaml", [
        f"data.corpus={folder}/corpus", f"data.regions={folder}/regions", f"data.tokenizer={folder}/tokenizer",
        "model.layers=1", "model.width=16", "model.heads=2", "model.max_positions=64",
        "evaluation.answers=null", "evaluation.captions_per_image=5", *overrides,
    ])  # fmt: skip
    assert isinstance(run, PretrainRun)
    return run


@pytest.fixture(scope="module")
def weights(folder: Path) -> Path:
    """A folder of random weights, larger than a start has them."""
    paddle.seed(7)
    model = build.build_model(make_run(folder), tokenizer_of(folder), RegionStore(folder / "regions"))
    for parameter in model.parameters():
        parameter.set_value(parameter + 0.3 * paddle.randn(parameter.shape))
    (folder / "weights").mkdir()
    write_model(folder / "weights", build.sizes_of(model), model_arrays(model))
    return folder / "weights"


def tokenizer_of(folder: Path) -> Tokenizer:
    return load_tokenizer(folder / "tokenizer")


def test_every_number_of_the_stream_comes_from_its_setting(folder: Path) -> None:
    given = {
        "data.batch": 5, "data.max_tokens": 17, "data.max_regions": 9, "data.positives": 2, "data.negatives": 3,
        "masking.span_rate": 0.11, "masking.fragment_rate": 0.22, "masking.region_rate": 0.33,
        "masking.region_overlap": 0.44, "data.shuffle_captions": True,
    }  # fmt: skip
    run = make_run(folder, *(f"{key}={value}" for key, value in given.items()))
    assert build.pair_settings(run) == PairSettings(*given.values())
    assert len(fields(PairSettings)) == len(given)


def test_without_the_contrast_no_rewrites_are_drawn_or_wanted(folder: Path) -> None:
    settings = build.pair_settings(make_run(folder, "objectives.contrastive=0", "data.negatives=3"))
    assert (settings.positives, settings.negatives) == (0, 0)


def test_the_model_takes_its_sizes_from_run_tokenizer_and_store(folder: Path) -> None:
    tokenizer = tokenizer_of(folder)
    model = build.build_model(make_run(folder), tokenizer, RegionStore(folder / "regions"))
    assert asdict(build.sizes_of(model)) == {
        "vocab_size": tokenizer.vocab_size, "width": 16, "layers": 1, "heads": 2, "max_positions": 64,
        "feature_width": FEATURES, "classes": len(CLASSES),
    }  # fmt: skip
    assert model.language_head.bias.shape == [tokenizer.vocab_size]


def test_sizes_that_contradict_the_data_are_told_together(folder: Path) -> None:
    run = make_run(folder, "model.vocabulary=50265", "model.feature_width=2048", "model.region_classes=1601")
    message = r"vocabulary is 50265, but .*tokenizer has \d+; .* is 2048, but .*regions has 6; .* is 1601, .* has 3: "
    with pytest.raises(UserError, match=message):
        build.build_model(run, tokenizer_of(folder), RegionStore(folder / "regions"))
    given = make_run(folder, "model.feature_width=6", "model.region_classes=3")
    build.build_model(given, tokenizer_of(folder), RegionStore(folder / "regions"))


def test_a_loaded_model_has_the_weights_and_no_dropout(folder: Path, weights: Path) -> None:
    model = build.load_model(make_run(folder), weights, tokenizer_of(folder), RegionStore(folder / "regions"))
    _, wanted = read_model(weights)
    found = model_arrays(model)
    assert found.keys() == wanted.keys()
    assert all(np.array_equal(found[name], wanted[name]) for name in wanted)
    assert not any(layer.training for layer in model.sublayers(include_self=True))


def slow_scores(run: PretrainRun, weights: Path, images: list[str], is_joint: bool) -> list[list[float]]:
    """One image and one text at a time, never padded."""
    tokenizer, store = load_tokenizer(run.data.tokenizer), RegionStore(run.data.regions)
    model = build.load_model(run, weights, tokenizer, store)
    rows = []
    for tokens in tokenizer.encode_batch(CAPTIONS):
        text = encode_text(tokens, tokenizer.cls, tokenizer.sep, run.data.max_tokens)
        row = []
        for image_id in images:
            image = encode_image(store.read(image_id), image_id, run.data.max_regions)
            pattern = (bidirectional if is_joint else separate)(len(image.features), len(text.ids))
            row.append(float(model.match_scores(model(to_tensors(pad([image], [text], [pattern]))))))
        rows.append(row)
    return rows


@pytest.mark.parametrize("encoding", ["joint", "separate"])
@pytest.mark.parametrize("batch", [1, 5, 64])
def test_scores_are_those_of_single_pairs(folder: Path, weights: Path, encoding: str, batch: int) -> None:
    run = make_run(folder, f"evaluation.batch={batch}", "data.max_tokens=8", "data.max_regions=3",
                   f"evaluation.encoding={encoding}")  # fmt: skip
    images = ["i2", "i0", "i1"]
    scores = build.retrieval_scores(run, weights, images, CAPTIONS)
    assert scores.dtype == np.float32 and scores.std() > 0.01
    np.testing.assert_allclose(scores, slow_scores(run, weights, images, encoding == "joint"), atol=2e-5)


def test_images_without_regions_are_named(folder: Path, weights: Path) -> None:
    with pytest.raises(UserError, match=r"lacks the regions of 1 of 4 images, e.g. i3; extract them: tools/extract.py"
                       r".* named in .*skipped.txt: mend them first"):  # fmt: skip
        build.evaluate(make_run(folder), weights, None)


def test_evaluation_of_equal_scores_is_no_better_than_guessing(
    folder: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "retrieval_scores", lambda *told: np.zeros((4, 4), np.float32))
    found = build.evaluate(make_run(folder), weights, None)
    assert (found["image_to_text_R@1"], found["image_to_text_R@1_chance"]) == (0.0, 0.25)
    monkeypatch.setattr(build, "retrieval_scores", lambda *told: np.eye(4, dtype=np.float32))
    assert build.evaluate(make_run(folder), weights, None)["text_to_image_R@1"] == 1.0


def test_an_engine_is_wired_with_the_runs_numbers(folder: Path, tmp_path: Path) -> None:
    run = make_run(folder, "optimizer.peak_lr=0.25", "optimizer.warmup_steps=4", "train.steps=12", "train.save_every=5")

    class Nothing:
        model = paddle.nn.Linear(2, 2)

    made = build.trainer(Nothing(), run.optimizer, run.train, {"x": 1.0}, tmp_path, {"note.json": [1]})
    assert [made.rate(step) for step in (0, 1, 4, 11)] == pytest.approx([0, 0.25 / 4, 0.25, 0.25 / 8])
    assert (made.steps, made.save_every, made.seed, made.weights) == (12, 5, run.train.seed, {"x": 1.0})
    assert made.checkpoints.directory == tmp_path / "checkpoints" and made.checkpoints.beside == {"note.json": [1]}
