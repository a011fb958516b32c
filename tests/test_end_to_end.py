"""The main job by its real command lines: done once, done again, and gone on with after kill -9."""

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import mini_world
from tests.mini_world import HELD_OUT, IMAGES, STEPS, World
from unimo_paddle.config import PretrainRun, run_from_directory
from unimo_paddle.corpus import Corpus
from unimo_paddle.engine.log import read_metrics
from unimo_paddle.files import sha256_of
from unimo_paddle.model.model_folder import read_model
from unimo_paddle.regions import RegionStore, verify


def bytes_of(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): sha256_of(path) for path in folder.rglob("*") if path.is_file()}


def last_checkpoint(run: Path) -> Path:
    return run / "checkpoints" / f"step-{STEPS:08d}"


def kill_when(words: list[str], ready: Path, at_least: int = 1) -> None:
    """Start a tool and kill -9 it as soon as `ready`, a pattern below its parent, has matched often enough."""
    with mini_world.start(words) as process:
        deadline = time.monotonic() + 60
        while len(list(ready.parent.glob(ready.name))) < at_least and process.poll() is None:
            assert time.monotonic() < deadline, f"{ready} did not come"
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "it was over before it could be killed"


def goes_on(words: list[str]) -> str:
    done = mini_world.run(words)
    assert done.status == 0, done.err
    return done.out


def test_the_corpus_holds_every_scene_with_rewrites(prepared: World) -> None:
    corpus = Corpus(prepared.corpus)
    counts = {split: (len(corpus.images(split)), len(corpus.pairs(split))) for split in corpus.splits}
    held_out = (HELD_OUT, 5 * HELD_OUT)
    assert counts == {"train": (IMAGES, 5 * IMAGES), "val": (1, 5), "test": held_out, "composition": held_out}
    assert all(rewrites.negatives for rewrites in corpus.rewrites("train"))


def test_the_region_store_is_whole_and_has_every_image_once(world: World) -> None:
    corpus, store = Corpus(world.corpus), RegionStore(world.regions)
    assert verify(world.regions) == []
    assert sorted(store.ids) == sorted(image.id for split in corpus.splits for image in corpus.images(split))
    assert all(4 <= len(store.read(image_id).boxes) <= 6 for image_id in store.ids)


def test_the_detector_keeps_its_scores(world: World) -> None:
    notes = json.loads((world.detector / "detector.json").read_text())["notes"]
    assert notes["steps"] == 2
    assert notes["validation"].keys() == {"pictures", "ap50", "recall", "accuracy", "attributes"}


def test_the_log_has_every_step_and_every_objective(world: World) -> None:
    records = read_metrics(world.run / "metrics.jsonl")
    assert [record.step for record in records] == list(range(1, STEPS + 1))
    run = run_from_directory(world.run)
    assert isinstance(run, PretrainRun)
    weighted = {name for name, weight in run.objectives.weights().items() if weight}
    assert set().union(*(record.losses for record in records)) == weighted
    assert all(np.isfinite([record.loss, record.grad_norm]).all() and record.examples % 2 == 0 for record in records)
    assert list((world.run / "visualdl").glob("*.log"))


def test_the_checkpoint_can_be_read_without_the_run(world: World) -> None:
    sizes, arrays = read_model(last_checkpoint(world.run))
    run = run_from_directory(world.run)
    assert isinstance(run, PretrainRun)
    assert (sizes.layers, sizes.width, sizes.heads) == (run.model.layers, run.model.width, run.model.heads)
    assert arrays["encoder.word_embedding.weight"].shape == (sizes.vocab_size, 32)
    assert sizes.feature_width == 16


def test_evaluation_ends_in_json_and_draws_its_sheet(world: World) -> None:
    done = mini_world.run(world.evaluate("--sheet", str(world.sheet), "-o", "evaluation.captions_per_image=5"))
    assert done.status == 0, done.err
    found = json.loads(done.out.splitlines()[-1])
    assert (found["split"], found["weights"]) == ("test", str(world.run))
    for way, queries, candidates in (("image_to_text", 16, 80), ("text_to_image", 80, 16)):
        assert (found[f"{way}_queries"], found[f"{way}_candidates"]) == (queries, candidates)
        recalls = [found[f"{way}_R@{k}"] for k in (1, 5, 10)]
        assert 0 <= recalls[0] <= recalls[1] <= recalls[2] <= 1
        assert 1 / 16 <= found[f"{way}_R@1_chance"] < found[f"{way}_R@10_chance"] < 1
    with Image.open(world.sheet) as sheet:
        assert sheet.format == "PNG" and sheet.size == (2 * (384 + 520), 6 * 256)
        assert len(set(sheet.getdata())) > 1000


def test_every_step_again_says_so_and_changes_nothing(world: World) -> None:
    before = bytes_of(world.root)
    steps = [*world.prepare(), world.train_detector(), world.extract(world.regions), world.pretrain(world.run)]
    said = "\n".join(goes_on(words) for words in steps)
    for sentence in ("all 2 steps are done", "the detector is in", "done already, 0 to do", f"all {STEPS} steps"):
        assert sentence in said
    assert bytes_of(world.root) == before


def test_scenes_go_on_after_kill_9(prepared: World, tmp_path: Path) -> None:
    words = prepared.make_scenes(tmp_path / "scenes")
    kill_when(words, tmp_path / "scenes" / "images" / "train" / "0*.jpg", at_least=3)
    assert not (tmp_path / "scenes" / "scenes.json").exists()
    goes_on(words)
    assert bytes_of(tmp_path / "scenes") == bytes_of(prepared.scenes)


@pytest.fixture
def many(world: World, tmp_path: Path) -> dict[str, str]:
    """More pictures than a shard takes, all of them those of the world: name -> id of the original in the world."""
    images = list(Corpus(world.corpus).images("test"))
    (tmp_path / "many").mkdir()
    originals = {f"{copy:04d}": images[copy % len(images)] for copy in range(500)}
    for name, image in originals.items():
        (tmp_path / "many" / f"{name}.jpg").hardlink_to(image.path)
    return {name: image.id for name, image in originals.items()}


def test_extraction_goes_on_after_kill_9(world: World, many: dict[str, str], tmp_path: Path) -> None:
    words = world.extract(tmp_path / "regions", "--images", str(tmp_path / "many"))
    kill_when(words, tmp_path / "regions" / "shard-00000.json")
    done = len(RegionStore(tmp_path / "regions"))
    assert 0 < done < len(many)
    assert f"{done} images are done already, {len(many) - done} to do" in goes_on(words)
    store, whole = RegionStore(tmp_path / "regions"), RegionStore(world.regions)
    assert store.ids == list(many) and verify(store.path) == []
    assert list(store.path.glob(".tmp-*")) == []
    for name, original in many.items():
        one, other = store.read(name), whole.read(original)
        np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-3)
        np.testing.assert_allclose(one.features, other.features, atol=1e-3)


def test_pretraining_goes_on_after_kill_9_to_the_same_bytes(world: World, tmp_path: Path) -> None:
    words = world.pretrain(tmp_path / "run")
    kill_when(words, tmp_path / "run" / "checkpoints" / "step-*")
    assert not last_checkpoint(tmp_path / "run").exists()
    assert "training from step 0" not in goes_on(words)
    assert bytes_of(last_checkpoint(tmp_path / "run")) == bytes_of(last_checkpoint(world.run))
    assert [record.step for record in read_metrics(tmp_path / "run" / "metrics.jsonl")] == list(range(1, STEPS + 1))
    assert list((tmp_path / "run").rglob(".tmp-*")) == []
