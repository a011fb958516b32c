"""The wiring: every setting arrives, sizes come from the data, a whole matrix of scores is that of its single pairs."""

import json
import shutil
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import paddle
import pytest

from tests.data import small_corpus
from tests.mini_world import CONFIGS
from unimo_paddle import build
from unimo_paddle.build import evaluation, models, pretraining
from unimo_paddle.build.training import rate_of, trainer
from unimo_paddle.config import PretrainRun, load_run
from unimo_paddle.corpus import CorpusWriter, Image, Pair
from unimo_paddle.data.batch import Parts, pad
from unimo_paddle.data.encode import encode_image, encode_text
from unimo_paddle.data.examples import PairSettings
from unimo_paddle.data.patterns import bidirectional, separate
from unimo_paddle.data.tokenizer import Tokenizer, load_tokenizer, train_tokenizer
from unimo_paddle.engine.checkpoint import model_arrays
from unimo_paddle.errors import UserError
from unimo_paddle.model.inputs import to_tensors
from unimo_paddle.model.model_folder import read_model, write_model
from unimo_paddle.model.unimo import sizes_of
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
    model = models.build_model(make_run(folder), tokenizer_of(folder), RegionStore(folder / "regions"))
    for parameter in model.parameters():
        parameter.set_value(parameter + 0.3 * paddle.randn(parameter.shape))
    (folder / "weights").mkdir()
    write_model(folder / "weights", sizes_of(model), model_arrays(model))
    return folder / "weights"


def tokenizer_of(folder: Path) -> Tokenizer:
    return load_tokenizer(folder / "tokenizer")


def test_every_number_of_the_stream_comes_from_its_setting(folder: Path) -> None:
    given = {
        "data.rows": 555, "data.multiple": 5, "data.max_tokens": 17, "data.max_regions": 9, "data.positives": 2,
        "data.negatives": 3,
        "data.retrieved_images": 6, "data.retrieved_texts": 7, "masking.span_rate": 0.11,
        "masking.fragment_rate": 0.22, "masking.region_rate": 0.33, "masking.region_overlap": 0.44,
        "data.shuffle_captions": True,
    }  # fmt: skip
    parts = {"parts": Parts(seq2seq=False), "accumulate": 5}
    run = make_run(folder, *(f"{key}={value}" for key, value in given.items()), "objectives.seq2seq=0",
                   "train.accumulate=5")  # fmt: skip
    assert pretraining.pair_settings(run) == PairSettings(*given.values(), **parts)
    assert len(fields(PairSettings)) == len(given) + len(parts)


def test_without_the_contrast_no_rewrites_or_neighbours_are_drawn_or_wanted(folder: Path) -> None:
    asked = ["data.negatives=3", "data.retrieved_images=1", "data.retrieved_texts=1", "data.image_regions=/nowhere"]
    run = make_run(folder, "objectives.contrastive=0", *asked)
    settings, store = pretraining.pair_settings(run), RegionStore(folder / "regions")
    assert (settings.positives, settings.negatives, settings.retrieved_images, settings.retrieved_texts) == (0,) * 4
    assert settings.parts == Parts(contrast=False) and pretraining.image_store(run, store) is store


def test_retrieved_images_have_a_store_of_their_own(folder: Path, tmp_path: Path) -> None:
    store = RegionStore(folder / "regions")
    assert pretraining.image_store(make_run(folder, "data.retrieved_images=1"), store) is store
    with pytest.raises(UserError, match=r"nowhere is no region store"):
        run = make_run(folder, "data.retrieved_images=1", f"data.image_regions={tmp_path}/nowhere")
        pretraining.image_store(run, store)
    shutil.copytree(folder / "regions", tmp_path / "found")
    run = make_run(folder, "data.retrieved_images=1", f"data.image_regions={tmp_path}/found")
    assert pretraining.image_store(run, store).path == tmp_path / "found"
    (tmp_path / "found" / "shard-00000.bin").write_bytes(b"cut")
    with pytest.raises(UserError, match=r"shard-00000.bin has 3 bytes, not \d+: it was cut short"):
        pretraining.image_store(run, store)


def test_the_model_takes_its_sizes_from_run_tokenizer_and_store(folder: Path) -> None:
    tokenizer = tokenizer_of(folder)
    model = models.build_model(make_run(folder), tokenizer, RegionStore(folder / "regions"))
    assert asdict(sizes_of(model)) == {
        "vocab_size": tokenizer.vocab_size, "width": 16, "layers": 1, "heads": 2, "max_positions": 64,
        "feature_width": FEATURES, "classes": len(CLASSES),
    }  # fmt: skip
    assert model.language_head.bias.shape == [tokenizer.vocab_size]


def test_sizes_that_contradict_the_data_are_told_together(folder: Path) -> None:
    run = make_run(folder, "model.vocabulary=50265", "model.feature_width=2048", "model.region_classes=1601")
    message = r"vocabulary is 50265, but .*tokenizer has \d+; .* is 2048, but .*regions has 6; .* is 1601, .* has 3: "
    with pytest.raises(UserError, match=message):
        models.build_model(run, tokenizer_of(folder), RegionStore(folder / "regions"))
    given = make_run(folder, "model.feature_width=6", "model.region_classes=3")
    models.build_model(given, tokenizer_of(folder), RegionStore(folder / "regions"))


def test_a_loaded_model_has_the_weights_and_no_dropout(folder: Path, weights: Path) -> None:
    model = models.load_model(make_run(folder), weights, tokenizer_of(folder), RegionStore(folder / "regions"))
    _, wanted = read_model(weights)
    found = model_arrays(model)
    assert found.keys() == wanted.keys()
    assert all(np.array_equal(found[name], wanted[name]) for name in wanted)
    assert not any(layer.training for layer in model.sublayers(include_self=True))


def slow_scores(run: PretrainRun, weights: Path, images: list[str], is_joint: bool) -> list[list[float]]:
    """One image and one text at a time, never padded."""
    tokenizer, store = load_tokenizer(run.data.tokenizer), RegionStore(run.data.regions)
    model = models.load_model(run, weights, tokenizer, store)
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
    scores = evaluation.retrieval_scores(run, weights, images, CAPTIONS)
    assert scores.dtype == np.float32 and scores.std() > 0.01
    np.testing.assert_allclose(scores, slow_scores(run, weights, images, encoding == "joint"), atol=2e-5)


def test_images_without_regions_are_named(folder: Path, weights: Path) -> None:
    with pytest.raises(UserError, match=r"lacks the regions of 1 of 4 images, e.g. i3; extract them: tools/extract.py"
                       r".* named in .*skipped.txt: mend them first"):  # fmt: skip
        build.evaluate(make_run(folder), weights)


def test_evaluation_of_equal_scores_is_no_better_than_guessing(
    folder: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "retrieval_scores", lambda *told: np.zeros((4, 4), np.float32))
    found = build.evaluate(make_run(folder), weights)
    assert (found["image_to_text_R@1"], found["image_to_text_R@1_chance"]) == (0.0, 0.25)
    monkeypatch.setattr(evaluation, "retrieval_scores", lambda *told: np.eye(4, dtype=np.float32))
    assert build.evaluate(make_run(folder), weights)["text_to_image_R@1"] == 1.0


def test_an_engine_is_wired_with_the_runs_numbers(folder: Path, tmp_path: Path) -> None:
    run = make_run(folder, "optimizer.peak_lr=0.25", "optimizer.warmup_steps=4", "train.steps=12", "train.save_every=5")

    class Nothing:
        model = paddle.nn.Linear(2, 2)

    rate = rate_of(run.optimizer, run.train.steps)
    made = trainer(
        Nothing(), run.optimizer, rate, run.train, {"x": 1.0}, tmp_path, {"note.json": [1]}, fingerprint=77
    )
    assert [made.rate(step) for step in (0, 1, 4, 11)] == pytest.approx([0, 0.25 / 4, 0.25, 0.25 / 8])
    assert (made.settings, made.weights, made.fingerprint) == (run.train, {"x": 1.0}, 77)
    assert made.checkpoints.directory == tmp_path / "checkpoints" and made.checkpoints.beside == {"note.json": [1]}


def pretrained(data: Path, output: Path) -> Path:
    """Four steps on the small corpus with everything that a step draws, dropout too; return the last checkpoint."""
    run = load_run(CONFIGS / "pretrain_tiny.yaml", [
        f"data.corpus={data}/corpus", f"data.regions={data}/regions", f"data.image_regions={data}/found",
        f"data.tokenizer={data}/tokenizer", "data.rows=160", "data.multiple=4",
        "data.retrieved_images=2", "data.retrieved_texts=3",
        "model.layers=1", "model.width=16", "model.heads=2", "model.max_positions=64", "model.dropout=0.1",
        "evaluation.answers=null", "train.steps=4", "train.save_every=2", "optimizer.warmup_steps=1",
        f"output.directory={output}",
    ])  # fmt: skip
    build.train(run)
    return output / "checkpoints" / "step-00000004"


def test_a_resumed_run_with_retrieved_rows_ends_in_the_same_bytes(tmp_path: Path) -> None:
    small_corpus.write_corpus(tmp_path / "corpus")
    small_corpus.write_store(tmp_path / "regions", "image", small_corpus.IMAGES)
    small_corpus.write_store(tmp_path / "found", "found", 10, first=20)
    train_tokenizer([small_corpus.caption(i) for i in range(21)], 280, lowercase=True).save(tmp_path / "tokenizer")
    whole = pretrained(tmp_path, tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    shutil.rmtree(tmp_path / "cut" / "checkpoints" / whole.name)
    again = pretrained(tmp_path, tmp_path / "cut")
    names = sorted(path.name for path in whole.iterdir())
    assert names == sorted(path.name for path in again.iterdir()) and "model.safetensors" in names
    assert all((whole / name).read_bytes() == (again / name).read_bytes() for name in names)
    rows = [json.loads(line) for line in (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()]
    assert all(np.isfinite(row["losses"]["contrastive"]) for row in rows)
