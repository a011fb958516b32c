"""tools/train.py: requests that cannot be met, told in one message; a full disk; the first line's time."""

import os
import shutil
import time
from pathlib import Path

import pytest

from tests import mini_world
from tests.mini_world import CONFIGS, STEPS, World, call, needs_namespaces, on_a_disk, refused

TINY = ["train", "-c", str(CONFIGS / "pretrain_tiny.yaml"), "-o"]


@pytest.mark.parametrize(
    ("overrides", "parts"),
    [
        (["optimizer.warmup_step=3"], ["-o optimizer.warmup_step=3", "did you mean optimizer.warmup_steps?"]),
        (["optimizer.peak_lr"], ["-o optimizer.peak_lr: write it as key=value"]),
        (["masking.span_rate=1.5"], ["masking.span_rate is 1.5; must be less than 1"]),
        (["train.steps=many"], ["train.steps is many; a whole number is wanted"]),
        (["model.width=130"], ["model.width is 130, which 4 heads cannot share", "multiple of model.heads"]),
        (["data.rows=0", "seed=1"], ["2 settings are wrong", "data.rows is 0", "did you mean train.seed?"]),
    ],
)
def test_wrong_settings(overrides: list[str], parts: list[str]) -> None:
    refused(call(TINY + overrides), *parts)


def test_a_config_file_that_is_not_there_or_no_yaml(tmp_path: Path) -> None:
    refused(call(["train", "-c", str(tmp_path / "no.yaml")]), f"{tmp_path}/no.yaml does not exist")
    (tmp_path / "bad.yaml").write_text("model:\n  size: tiny\n bad")
    refused(call(["train", "-c", str(tmp_path / "bad.yaml")]), f"{tmp_path}/bad.yaml:3: this is not YAML")


@pytest.mark.parametrize(
    ("key", "value", "advice"),
    [
        ("data.corpus", "none", "is no corpus: it has no corpus.json; make one with: tools/prepare.py ingest"),
        ("data.regions", "none", "is no region store (regions.json is missing); make one with tools/extract.py"),
        ("data.tokenizer", "none", "has neither tokenizer.json nor vocab.txt"),
        ("model.weights", "corpus", "holds no model: model.json is missing; name a folder that tools/convert.py made"),
    ],
)
def test_a_folder_that_is_not_what_it_should_be(
    world: World, tmp_path: Path, key: str, value: str, advice: str
) -> None:
    refused(call(world.pretrain(tmp_path / "run", f"{key}={world.root}/{value}")), f"{world.root}/{value}", advice)
    assert not (tmp_path / "run").exists()


def test_data_that_do_not_fit_the_settings(world: World, tmp_path: Path) -> None:
    out = tmp_path / "run"
    no_split = call(world.pretrain(out, "data.split=dev"))
    refused(no_split, "has no split 'dev'; it has composition, test, train, val")
    refused(call(world.pretrain(out, "data.split=test")), "split 'test'", "make them with: tools/prepare.py rewrite")
    wrong_size = call(world.pretrain(out, "model.vocabulary=50265", "model.feature_width=2048"))
    refused(wrong_size, "model.vocabulary is 50265", "model.feature_width is 2048", "leave the setting out")
    assert not out.exists()


def test_another_run_in_the_folder(world: World) -> None:
    refused(call(world.pretrain(world.run, "train.seed=5")), "train.seed: 1 -> 5", "--restart")
    refused(call(world.pretrain(world.corpus)), f"{world.corpus} exists and is not the folder of a run")


def test_the_plan_of_data_that_are_there(world: World, tmp_path: Path) -> None:
    done = call([*world.pretrain(tmp_path / "run"), "--dry-run"])
    assert done.status == 0 and not (tmp_path / "run").exists()
    assert "1 layers, 32 wide, 2 heads; float32" in done.out and "assumed until" not in done.out


def test_preflight_of_a_run_that_can_start(world: World, tmp_path: Path) -> None:
    done = call([*world.pretrain(tmp_path / "run"), "--preflight"])
    assert done.status == 0, done.out + done.err
    assert "preflight: ok" in done.out and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["--preflight", "--dry-run"], ["not allowed with argument"]),
        (["--restart", "--resume", "auto"], ["not allowed with argument"]),
        (["--dry-run", "--restart"], ["not allowed with argument"]),
        (["--resume", ""], ["--resume: the path is empty"]),
        (["--replay", "nowhere"], ["nowhere holds no step.json", "RUN/failed-step-NUMBER"]),
        (["--resume", "nowhere"], ["nowhere is no checkpoint of the run in", "step-000000"]),
    ],
)
def test_requests_that_cannot_be_met(world: World, words: list[str], parts: list[str]) -> None:
    refused(call([*world.pretrain(world.run), *words]), *parts)


@pytest.mark.parametrize("flag", ["--preflight", "--replay=DIR"])
def test_what_is_for_pretraining_alone(flag: str) -> None:
    done = call(["train", "-c", str(CONFIGS / "detector" / "small_world.yaml"), flag])
    refused(done, f"{flag.partition('=')[0]} is for runs of kind pretrain, not detector")


def test_a_failed_step_is_kept_and_made_again(world: World, tmp_path: Path, nan_store: Path) -> None:
    assert call(world.pretrain(tmp_path / "run", "optimizer.peak_lr=1e30", "optimizer.clip_norm=1e30")).status == 2
    (failed,) = (tmp_path / "run").glob("failed-step-*")
    done = call([*world.pretrain(tmp_path / "run"), "--replay", str(failed)])
    assert done.status == 0, done.err
    assert "first output that is not finite" in done.out or "is not finite" in done.out


def test_going_back_to_a_checkpoint(world: World, tmp_path: Path) -> None:
    shutil.copytree(world.run, tmp_path / "run")
    newest, *_, oldest = sorted((tmp_path / "run" / "checkpoints").glob("step-*"), reverse=True)
    done = call([*world.pretrain(tmp_path / "run"), "--resume", str(oldest)])
    assert done.status == 0, done.err
    assert f"training from step {int(oldest.name[5:])} to" in done.out
    assert newest.is_dir()
    assert (tmp_path / "run" / "checkpoints.aside-1" / newest.name).is_dir()


def test_a_finished_run_only_says_so(world: World) -> None:
    done = call(world.pretrain(world.run))
    assert done.status == 0
    assert f"all {STEPS} steps are done (--restart trains anew)" in done.out


def test_a_region_file_cut_short_is_told_before_the_first_step(world: World, tmp_path: Path, cut_store: Path) -> None:
    done = call(world.pretrain(tmp_path / "run", f"data.regions={cut_store}"))
    refused(done, f"{cut_store}/shard-00000.bin", "it was cut short", "run the same command that made it again")
    assert not (tmp_path / "run").exists()


def test_features_that_are_no_numbers_stop_the_training(world: World, tmp_path: Path, nan_store: Path) -> None:
    done = call(world.pretrain(tmp_path / "run", f"data.regions={nan_store}"))
    refused(done, "image '", "has regions that hold NaN or infinity", "tools/extract.py verify")
    assert not list((tmp_path / "run").glob("checkpoints/*"))


@needs_namespaces
def test_a_full_disk(world: World, tmp_path: Path) -> None:
    before = on_a_disk("size=100k", tmp_path / "disk")
    done = mini_world.run(world.pretrain(tmp_path / "disk" / "run"), *before)
    refused(done, f"{tmp_path}/disk/run/checkpoints", "the disk is full: free some space", status=1)
    assert ".tmp-" not in done.out


@needs_namespaces
def test_a_disk_that_cannot_be_written(world: World, tmp_path: Path) -> None:
    done = mini_world.run(world.pretrain(tmp_path / "disk" / "run"), *on_a_disk("ro", tmp_path / "disk"))
    refused(done, f"{tmp_path}/disk/run", "the file system is read-only: choose another folder", status=1)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission(world: World, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    refused(call(world.pretrain(tmp_path / "locked" / "run")), "no permission: choose another folder", status=1)


@pytest.mark.parametrize(
    "words",
    [
        ["train", "-c", "configs/pretrain_large.yaml", "--dry-run"],
        ["train", "-c", "configs/pretrain_tiny.yaml", "-o", "output.directory=/dev/null/x"],
        ["prepare", "scenes", "--out", "{out}/scenes", "--images", "1", "--source", "shapes"],
        ["prepare", "rewrite", "--corpus", "{out}/none"],
        ["extract", "--detector", "{out}/none", "--images", "{out}", "--out", "{out}/regions"],
        ["evaluate", "-c", "configs/pretrain_tiny.yaml", "--weights", "{out}/none"],
        ["convert", "roberta", "--from", "{out}/none", "--to", "{out}/to"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_the_first_line_comes_within_three_seconds(words: list[str], tmp_path: Path) -> None:
    begun = time.monotonic()
    with mini_world.start([word.format(out=tmp_path) for word in words]) as process:
        assert process.stdout and process.stdout.readline().strip()
        seconds = time.monotonic() - begun
        process.kill()
    assert seconds < 3
