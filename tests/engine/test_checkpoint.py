"""Checkpoints: whole or absent, sound or said to be damaged."""

import json

import numpy as np
import pytest

from tests.engine.small_work import SmallModel
from unimo_paddle.engine.checkpoint import (
    Checkpoints,
    model_arrays,
    read_snapshot,
    read_weights,
    restore_model,
)
from unimo_paddle.errors import UserError


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


def test_a_failed_save_leaves_nothing(checkpoints, monkeypatch):
    save(checkpoints, 1)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("unimo_paddle.engine.checkpoint.write_json", full)
    with pytest.raises(OSError, match="No space"):
        save(checkpoints, 2)
    assert [path.name for path in checkpoints.directory.iterdir()] == ["step-00000001"]


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
