"""One folder, one run."""

import numpy as np
import pytest

from unimo_paddle.config import load_run, run_from_directory
from unimo_paddle.engine import run_directory
from unimo_paddle.engine.checkpoint import Checkpoints
from unimo_paddle.engine.run_directory import claim_directory, note_data, require_same_data
from unimo_paddle.errors import UserError


@pytest.fixture
def load(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(
        "kind: pretrain\n"
        "data: {corpus: c, regions: r, tokenizer: t}\n"
        "train: {steps: 10}\n"
        f"output: {{directory: {tmp_path / 'out'}}}\n"
    )
    return lambda *overrides: load_run(path, [*overrides, f"output.directory={tmp_path / 'out'}"])


def claim(run, restart=False, resume=None):
    with claim_directory(run, restart, resume) as directory:
        return directory


def test_the_same_settings_go_on_and_harmless_ones_may_change(load):
    directory = claim(load())
    (directory / "metrics.jsonl").write_text("kept")
    assert claim(load()) == directory
    changed = load("train.log_every=3", "train.keep_last=9")
    claim(changed)
    assert run_from_directory(directory) == changed
    assert (directory / "metrics.jsonl").read_text() == "kept"


def test_other_settings_are_refused_by_name(load):
    directory = claim(load())
    with pytest.raises(UserError) as error:
        claim(load("train.steps=11", "optimizer.peak_lr=1e-4"))
    text = str(error.value)
    assert "train.steps: 10 -> 11" in text and "optimizer.peak_lr: 5e-05 -> 0.0001" in text
    assert "output.directory" in text and "--restart" in text
    assert run_from_directory(directory) == load()


def test_restart_moves_the_earlier_run_aside(load, tmp_path, capsys):
    for number in range(3):
        directory = claim(load(f"train.steps={10 + number}"), restart=True)
    assert run_from_directory(directory).train.steps == 12
    assert run_from_directory(tmp_path / "out.before-1").train.steps == 10
    assert run_from_directory(tmp_path / "out.before-2").train.steps == 11
    assert "moved to" in capsys.readouterr().out


@pytest.mark.parametrize("restart", [False, True])
def test_a_folder_of_something_else_is_left_alone(load, tmp_path, restart):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="not the folder of a run"):
        claim(load(), restart)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("restart", [False, True])
def test_two_processes_do_not_train_in_one_folder(load, restart, tmp_path):
    with claim_directory(load()) as directory:
        (directory / ".tmp-checkpoint").mkdir()
        with pytest.raises(UserError, match="another process is writing to"):
            claim(load(), restart)
        assert (directory / ".tmp-checkpoint").is_dir() and not (tmp_path / "out.before-1").exists()
    claim(load(), restart)


def test_a_folder_without_a_run_says_so(tmp_path):
    with pytest.raises(UserError, match=r"no config\.yaml"):
        run_from_directory(tmp_path)


def test_other_data_under_the_same_path_are_refused(tmp_path):
    note_data(tmp_path, {"tokenizer": "a", "detector": "b"})
    note_data(tmp_path, {"tokenizer": "a", "detector": "b"})
    with pytest.raises(UserError, match="trained with other data .*: the tokenizer differ"):
        note_data(tmp_path, {"tokenizer": "x", "detector": "b"})
    with pytest.raises(UserError, match="the tokenizer, the detector differ"):
        require_same_data(tmp_path, {"tokenizer": "x", "detector": "y"})
    require_same_data(tmp_path / "converted weights note nothing", {"tokenizer": "x", "detector": "y"})
    require_same_data(tmp_path, {"tokenizer": "a", "captions": "what an older run did not note is not compared"})


@pytest.fixture
def trained(load):
    """A run with four checkpoints, the third one the best."""
    directory = claim(load())
    checkpoints = Checkpoints(directory / "checkpoints", keep_last=9)
    for step, score in ((1, 0.1), (2, 0.5), (3, 0.9), (4, 0.3)):
        checkpoints.save(step, {"a": np.full(2, step, "float32")}, {}, {}, score)
    (directory / "metrics.jsonl").write_text("four steps")
    return directory


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_going_back_moves_later_checkpoints_aside(load, trained, capsys):
    checkpoints = trained / "checkpoints"
    claim(load(), resume=checkpoints / "step-00000002")
    assert names(checkpoints) == ["best", "step-00000001", "step-00000002"]
    assert (checkpoints / "best").resolve().name == "step-00000002"
    assert Checkpoints(checkpoints, keep_last=9).newest().step == 2
    aside = trained / "checkpoints.aside-1"
    assert names(aside) == ["metrics.jsonl", "step-00000003", "step-00000004"]
    assert (aside / "metrics.jsonl").read_text() == (trained / "metrics.jsonl").read_text() == "four steps"
    assert str(aside) in capsys.readouterr().out
    claim(load(), resume=checkpoints / "step-00000002")  # the newest by now: nothing to move
    assert not (trained / "checkpoints.aside-2").exists()
    claim(load(), resume=checkpoints / "step-00000001")
    assert names(trained / "checkpoints.aside-2") == ["metrics.jsonl", "step-00000002"]


def test_going_back_to_the_best(load, trained):
    claim(load(), resume=trained / "checkpoints" / "best")
    assert names(trained / "checkpoints") == ["best", "step-00000001", "step-00000002", "step-00000003"]


def test_going_back_to_what_is_no_checkpoint_of_this_run_is_refused(load, trained, tmp_path):
    Checkpoints(tmp_path / "other", keep_last=1).save(3, {"a": np.zeros(2)}, {}, {})
    for wrong in (tmp_path / "other" / "step-00000003", trained / "checkpoints" / "step-00000009", trained):
        with pytest.raises(UserError, match=r"is no checkpoint of the run in .*step-00000001, step-00000002"):
            claim(load(), resume=wrong)
    (trained / "checkpoints" / "step-00000002" / "model.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match="0 bytes instead of"):
        claim(load(), resume=trained / "checkpoints" / "step-00000002")
    assert len(names(trained / "checkpoints")) == 5


def test_a_folder_that_only_looks_the_same_on_another_node_is_found_out(load, monkeypatch, tmp_path):
    """The first rank's mark never appears on this node's own disk."""
    monkeypatch.setattr(run_directory, "world_size", lambda: 2)
    claim(load())
    assert not list((tmp_path / "out").glob(".tmp-shared*"))
    monkeypatch.setattr(run_directory, "_SHARED_SECONDS", 0.0)
    monkeypatch.setattr("pathlib.Path.touch", lambda path: None)
    with pytest.raises(UserError, match="on a disk that all nodes share"):
        claim(load())
