"""One folder, one run."""

import pytest

from unimo_paddle.config import load_run, run_from_directory
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


def claim(run, restart=False):
    with claim_directory(run, restart) as directory:
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
    with pytest.raises(UserError, match="trained with another tokenizer than"):
        note_data(tmp_path, {"tokenizer": "x", "detector": "b"})
    with pytest.raises(UserError, match="another tokenizer and another detector"):
        require_same_data(tmp_path, {"tokenizer": "x", "detector": "y"})
    require_same_data(tmp_path / "converted weights note nothing", {"tokenizer": "x", "detector": "y"})
