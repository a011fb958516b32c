"""Checkpoints: whole or absent, sound or said to be damaged."""

import json
import shutil

import numpy as np
import pytest

from tests.engine.small_work import SmallModel
from unimo_paddle.engine.checkpoint import (
    Checkpoints,
    model_arrays,
    paths_in,
    read_weights,
    restore_model,
)
from unimo_paddle.engine.snapshot import make_manifest, optimizer_file, read_snapshot
from unimo_paddle.errors import UserError
from unimo_paddle.files import sha256_of
from unimo_paddle.tensor_files import write_safetensors


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path / "checkpoints", keep_last=2)


def save(checkpoints, step):
    arrays = {"a.weight": np.full((2, 3), step, "float32"), "count": np.array([step], "int64")}
    return checkpoints.save(step, arrays, {"moment1:a.weight": np.ones((2, 3), "float32")}, {"seed": 4})


def test_what_was_saved_comes_back(checkpoints):
    save(checkpoints, 7)
    snapshot = checkpoints.newest()
    assert snapshot.step == 7 and snapshot.state == {"step": 7, "seed": 4}
    assert snapshot.model["a.weight"].tolist() == [[7.0] * 3] * 2 and snapshot.model["count"].dtype == np.int64
    assert snapshot.optimizer["moment1:a.weight"].shape == (2, 3)
    names = {file.name for file in snapshot.path.iterdir()}
    assert names == {"model.safetensors", "optimizer.safetensors", "state.json", "manifest.json"}


def test_only_the_last_ones_stay_and_numbers_order_them(checkpoints):
    assert checkpoints.newest() is None
    for step in (9, 10, 100_000_000):
        save(checkpoints, step)
    assert sorted(path.name for path in checkpoints.directory.iterdir()) == ["step-00000010", "step-100000000"]
    assert checkpoints.newest().step == 100_000_000


def cut(path):
    path.write_bytes(path.read_bytes()[:-5])


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 64
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json", "manifest.json"])
@pytest.mark.parametrize("damage", [cut, flip, lambda path: path.unlink()], ids=["cut", "flipped", "gone"])
def test_damage_is_named_and_the_one_before_is_taken(checkpoints, name, damage, capsys):
    save(checkpoints, 1)
    path = save(checkpoints, 2)
    damage(path / name)
    assert checkpoints.newest().step == 1
    told = capsys.readouterr().out
    assert "warning" in told and f"step-00000002/{name}"[:13] in told and "going back" in told
    save(checkpoints, 2)  # the run gets there again
    assert checkpoints.newest().step == 2


def test_a_damaged_later_one_never_costs_a_sound_one(tmp_path):
    """Saving between the sound and the damaged one: the damaged one must not count among the last that stay."""
    checkpoints = Checkpoints(tmp_path, keep_last=1)
    save(Checkpoints(tmp_path, keep_last=2), 2)
    damaged = save(Checkpoints(tmp_path, keep_last=2), 9)
    cut(damaged / "model.safetensors")
    assert checkpoints.newest().step == 2
    assert save(checkpoints, 5).is_dir()
    assert checkpoints.newest().step == 5


def test_all_damaged_is_an_error(checkpoints):
    cut(save(checkpoints, 1) / "model.safetensors")
    with pytest.raises(UserError, match="--restart"):
        checkpoints.newest()


def test_a_foreign_manifest_is_refused(checkpoints):
    path = save(checkpoints, 1)
    (path / "manifest.json").write_text(json.dumps({"schema": 99}))
    with pytest.raises(UserError, match="schema 1 is wanted"):
        read_snapshot(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_never_saved(checkpoints, value):
    good, bad = {"a": np.zeros(3, "float32")}, {"b": np.array([0, value], "float32")}
    for model, moments in ((bad, good), (good, bad)):
        with pytest.raises(UserError, match="step 5 was not saved"):
            checkpoints.save(5, model, moments, {})
    assert checkpoints.newest() is None


@pytest.fixture
def full(monkeypatch):
    """A disk that is full while full[0] is true."""
    is_full = [True]

    def write(path, arrays):
        if is_full[0]:
            raise OSError(28, "No space left on device", str(path))
        write_safetensors(path, arrays)

    monkeypatch.setattr("unimo_paddle.engine.checkpoint.write_safetensors", write)
    return is_full


def test_a_full_disk_is_told_and_the_run_goes_on(checkpoints, full, capsys):
    full[0] = False
    save(checkpoints, 1)
    full[0] = True
    assert save(checkpoints, 2) is None and save(checkpoints, 3) is None
    told = capsys.readouterr().out
    assert "the checkpoint of step 2 was not saved" in told and "disk is full" in told and "number 2" in told
    assert [path.name for path in checkpoints.directory.iterdir()] == ["step-00000001"]
    full[0] = False
    assert save(checkpoints, 4).is_dir()
    full[0] = True
    assert save(checkpoints, 5) is None and save(checkpoints, 6) is None  # counted anew
    with pytest.raises(OSError, match="No space"):
        save(checkpoints, 7)
    assert checkpoints.newest().step == 4


def test_the_last_one_has_to_be_saved(checkpoints, full):
    with pytest.raises(OSError, match="No space"):
        checkpoints.save(1, {"a": np.zeros(2)}, {}, {}, last=True)


def test_a_folder_that_was_removed_comes_back_but_not_that_of_the_run(tmp_path, capsys):
    run = tmp_path / "run"
    run.mkdir()
    checkpoints = Checkpoints(run / "checkpoints", keep_last=2)
    save(checkpoints, 1)
    shutil.rmtree(run / "checkpoints")
    assert save(checkpoints, 2).is_dir()
    shutil.rmtree(run)
    assert save(checkpoints, 3) is None and not run.exists()
    assert f"{run / 'checkpoints'}: no such file or folder" in capsys.readouterr().out


def test_the_best_one_stays(checkpoints):
    arrays = {"a": np.zeros(2, "float32")}
    scores = {1: None, 2: 0.5, 3: 0.9, 4: 0.1, 5: 0.9, 6: float("nan"), 7: None}
    best = {1: None, 2: 2, 3: 3, 4: 3, 5: 5, 6: 5, 7: 5}
    link = checkpoints.directory / "best"
    for step, score in scores.items():
        checkpoints.save(step, {"a": arrays["a"] + step}, {}, {}, score)
        assert (link.resolve().name if link.exists() else None) == (f"step-{best[step]:08d}" if best[step] else None)
    assert [path.name for path in paths_in(checkpoints.directory)] == [f"step-0000000{n}" for n in (5, 6, 7)]
    assert read_snapshot(link).state == {"step": 5, "score": 0.9}
    assert read_weights(link)["a"].tolist() == [5, 5] and read_weights(checkpoints.directory.parent)["a"][0] == 7


def test_a_link_that_a_kill_left_behind_is_mended(checkpoints):
    checkpoints.save(1, {"a": np.zeros(2)}, {}, {}, 0.5)
    link = checkpoints.directory / "best"
    link.unlink()
    link.symlink_to("step-00000099")
    (checkpoints.directory / ".tmp-best").symlink_to("anything")
    checkpoints.save(2, {"a": np.zeros(2)}, {}, {}, 0.4)
    assert link.resolve().name == "step-00000001"
    (checkpoints.directory / "step-00000001" / "state.json").write_text("[]")  # damaged: no candidate
    checkpoints.save(3, {"a": np.zeros(2)}, {}, {}, 0.3)
    assert link.resolve().name == "step-00000002"


def sharded(checkpoints, owners=3):
    """A checkpoint as `owners` ranks write it: the moments of parameter k belong to rank k."""
    path = save(checkpoints, 5)
    (path / "optimizer.safetensors").unlink()
    for number in range(owners):
        arrays = {f"moment1:p{number}": np.full(4, number, "float32")}
        write_safetensors(path / optimizer_file(number, owners), arrays)
    seal(path)
    return path


def seal(path):
    (path / "manifest.json").write_text(json.dumps(make_manifest(path)))


def test_the_state_of_several_owners_is_read_as_one(checkpoints):
    sharded(checkpoints)
    state = checkpoints.newest().optimizer
    assert {name: array[0] for name, array in state.items()} == {f"moment1:p{number}": number for number in range(3)}


def test_a_part_of_the_state_that_is_lost_or_twice_there_is_named(checkpoints):
    path = sharded(checkpoints)
    (path / optimizer_file(1, 3)).unlink()
    with pytest.raises(UserError, match="00002-of-00003.safetensors is missing"):
        read_snapshot(path)
    seal(path)
    with pytest.raises(UserError, match="where 3 parts of the state are wanted"):
        read_snapshot(path)
    shutil.copy(path / optimizer_file(0, 3), path / optimizer_file(1, 3))
    with pytest.raises(AssertionError, match="two ranks saved the same"):
        make_manifest(path)
    files = {file.name: {"bytes": file.stat().st_size, "sha256": sha256_of(file)} for file in path.iterdir()}
    (path / "manifest.json").write_text(json.dumps({"schema": 1, "files": files}))
    with pytest.raises(UserError, match="moment1:p0 is in two of the optimizer's files"):
        read_snapshot(path, verify=False)


def test_reading_weights_leaves_a_save_that_is_on_its_way_alone(checkpoints):
    save(checkpoints, 1)
    (checkpoints.directory / ".tmp-step-00000002").mkdir()
    read_weights(checkpoints.directory.parent)
    assert (checkpoints.directory / ".tmp-step-00000002").is_dir()
    checkpoints.newest()
    assert not (checkpoints.directory / ".tmp-step-00000002").exists()


def test_weights_from_a_run_a_checkpoint_and_a_plain_folder(tmp_path, checkpoints):
    path = save(checkpoints, 3)
    plain = tmp_path / "converted"
    plain.mkdir()
    (path / "model.safetensors").rename(plain / "model.safetensors")
    path = save(checkpoints, 3)
    for folder in (tmp_path, path, plain):
        assert read_weights(folder)["count"].tolist() == [3]
    cut(plain / "model.safetensors")
    with pytest.raises(UserError, match="cut short"):
        read_weights(plain)
    with pytest.raises(UserError, match="holds no checkpoints"):
        read_weights(tmp_path / "nowhere")


def test_a_model_is_restored_or_every_misfit_listed(tmp_path):
    source, target = SmallModel(), SmallModel()
    arrays = model_arrays(source)
    assert arrays.keys() == {"table.weight", "norm.weight", "norm.bias", "out.weight", "out.bias"}
    restore_model(target, arrays, tmp_path)
    assert all(np.array_equal(arrays[name], array) for name, array in model_arrays(target).items())
    arrays["new"] = arrays.pop("norm.bias")
    arrays["out.bias"] = np.zeros(3, "float32")
    with pytest.raises(UserError) as error:
        restore_model(target, arrays, "somewhere")
    misfits = ("norm.bias is missing", "new is not in this model", "out.bias is [3], the model's is [50]")
    for part in ("somewhere", *misfits):
        assert part in str(error.value)
