"""Preflight on the small corpus: what it says of a sound run and of broken ones, alone and as two processes."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests import preflight_work
from tests.distributed.launch import launch
from unimo_paddle import preflight
from unimo_paddle.engine.log import StepRecord
from unimo_paddle.errors import UserError
from unimo_paddle.preflight import checks, disk, machine, network, stores, trial
from unimo_paddle.preflight.findings import FAIL, OK, WARN, Finding, judged, verdict


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("preflight")
    preflight_work.write_world(folder)
    return folder


def check(world, capsys, *more):
    status = preflight_work.check(world, *more)
    return status, capsys.readouterr().out


def test_a_sound_run(world, capsys):
    before = sorted(world.rglob("*"))
    status, out = check(world, capsys)
    assert status == 0, out
    assert out.count("preflight: ok") == 1 and "so far ok" in out and FAIL not in out
    for what in ("versions", "device", "cores", "memory", "room for checkpoints", "writing", "all-reduce",
                 "a step, pair", "reading, pair", "checksums of corpus", "checksums of regions"):  # fmt: skip
        assert any(line.strip().startswith(what) for line in out.splitlines()), what
    assert sorted(world.rglob("*")) == before  # nothing written, no folder of a run


def test_two_processes(world, tmp_path):
    first, second = launch("tests.preflight_work", [world], tmp_path=tmp_path, env={"OMP_NUM_THREADS": "1"})
    assert "all-reduce, all gradients" in first and "among 2 processes" in first and "preflight: ok" in first
    assert "the same manifests" in first and "a step, pair" in first and "checksums of regions" in first
    assert "preflight" not in second and "checksums" not in second


def test_a_missing_store_fails_before_any_step(world, tmp_path, capsys):
    status, out = check(world, capsys, f"data.regions={tmp_path}")
    assert status == 1 and "preflight: FAIL" in out and "a step" not in out
    assert f"{tmp_path} has no regions.json" in out and "tools/extract.py" in out


def test_a_damaged_store_fails_at_the_checksums(world, tmp_path, capsys):
    copy = tmp_path / "regions"
    shutil.copytree(world / "regions", copy)
    shard = copy / "shard-00001.bin"
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    status, out = check(world, capsys, f"data.regions={copy}")
    assert status == 1 and "checksums of regions" in out and "shard-00001" in out and "preflight: FAIL" in out


def test_a_step_that_cannot_be_made(world, capsys):
    status, out = check(world, capsys, "data.rows=8")
    assert status == 1 and "FAIL" in out and "data.rows is 8" in out


def test_half_precision_without_a_gpu(world, capsys):
    status, out = check(world, capsys, "precision.level=O1")
    assert status == 1 and "precision.level O1 needs a GPU" in out


def test_a_full_disk(world, capsys, monkeypatch):
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    status, out = check(world, capsys)
    assert status == 1 and "room for checkpoints" in out and "lower train.keep_last" in out


def test_a_folder_that_cannot_be_written(world, monkeypatch):
    def refuse(folder, size):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(disk, "writing_speed", refuse)
    found = list(disk.look(preflight_work.run_of(world)))
    assert found[-1].level == FAIL and "Permission denied" in found[-1].told


def test_too_little_memory_is_a_warning(world, monkeypatch):
    monkeypatch.setattr(machine, "available_memory", lambda meminfo: 1 << 20)
    found = machine._memory(preflight_work.run_of(world), preflight.data_sizes(preflight_work.run_of(world)))
    assert found.level == WARN and found.told.startswith("0.00 GiB free") and "train.accumulate" in found.remedy


def test_available_memory_by_hand():
    assert machine.available_memory("MemTotal:  9 kB\nMemAvailable:   2048 kB\n\n") == 2 << 20


def test_the_sizes_of_data(world):
    known = preflight.data_sizes(preflight_work.run_of(world))
    assert known.pairs == 21 and known.images is None and known.tokens is None
    assert known.regions == np.minimum([2, 3, 4, 5, 6, 7, 8], 5).mean()
    assert 10 < known.caption < 16  # "a photo of 12 dogs and one cat near pond 12" is 43 letters
    nothing = preflight.data_sizes(preflight_work.run_of(world, "data.corpus=/nowhere", "data.regions=/nowhere"))
    assert nothing == type(known)()


def test_each_store_is_named_once(world):
    kinds = [f"images.regions={world / 'regions'}", "texts.tokens=/tokens", "texts.max_tokens=20"]
    run = preflight_work.run_of(world, *kinds)
    assert list(stores.named(run).values()) == ["corpus", "regions", "regions", "tokens"]
    quiet = preflight_work.run_of(world, "objectives.contrastive=0", "objectives.in_batch=1")
    assert list(stores.named(quiet)) == [world / "corpus", world / "regions"]


def test_data_that_differ_between_processes(world, monkeypatch):
    def refuse(what, number):
        raise UserError(f"processes 1 of 2 have other {what} than process 0")

    monkeypatch.setattr(stores, "require_same", refuse)
    found = stores.same_everywhere(preflight_work.run_of(world))
    assert found.level == FAIL and "other data" in found.told


def test_a_wrong_sum_fails(monkeypatch):
    monkeypatch.setattr(network, "world_size", lambda: 2)  # one process adds up to one, not to two
    found = list(network.look(10))
    assert [one.level for one in found] == [FAIL] * 3 and "sum is wrong" in found[0].told


def record(**phases):
    return StepRecord(
        step=1, kind="pair", loss=2.0, losses={}, lr=0.0, grad_norm=1.0, scale=1.0, overflows=0, examples=50, tokens=90,
        rows=100, flops=1.0, seconds=10.0, phases=phases, memory=1 << 30,
    )  # fmt: skip


def test_slow_reading_and_a_slow_network_are_warnings():
    well = list(trial._tell("pair", record(data=1.0, communication=2.0)))
    assert [one.level for one in well] == [OK] * 3
    assert "10.00 s, 50 examples, 100 rows, 1.00 GiB at most, loss 2.000" in well[0].told
    assert well[1].told == "50 examples/s, a step takes 6"
    bad = list(trial._tell("pair", record(data=6.0, communication=4.0)))
    assert [one.level for one in bad] == [OK, WARN, WARN] and "40 %" in bad[2].told


def test_the_first_steps_of_a_kind():
    kinds = ["text", "pair", "text", "text", *["pair"] * trial.WITHIN]
    assert trial.first_steps(kinds.__getitem__, "text") == [0, 2]
    assert trial.first_steps(["pair", *["text"] * trial.WITHIN].__getitem__, "pair") == [0]


def test_the_verdict_puts_failures_first():
    found = [Finding(OK, "a", "fine"), judged("b", "slow", False, "hurry"), Finding(FAIL, "long name", "gone", "look")]
    lines = [line.strip() for line in verdict(found)]
    assert lines == ["a            ok  fine", "b          warn  slow", "long name  FAIL  gone",
                     "FAIL: long name: look", "warn: b: hurry"]  # fmt: skip
    assert verdict([]) == []


def test_who_failed():
    assert checks.failed_ranks([Finding(FAIL, "a", "b")]) == [0]
    assert checks.failed_ranks([Finding(WARN, "a", "b")]) == []


def test_a_process_that_fails_among_others_leaves(world, monkeypatch, capsys):
    monkeypatch.setattr(checks, "world_size", lambda: 2)

    def refuse(folder: Path):
        raise RuntimeError("first line\nResourceExhaustedError: Out of memory error on GPU 0")

    with pytest.raises(SystemExit) as left:
        checks._try(preflight_work.run_of(world), refuse)
    assert left.value.code == 1 and "Out of memory" in capsys.readouterr().out
