"""Several processes, on one node or two, train as one process does with the same batches."""

import json

import numpy as np
import pytest

from tests.distributed.launch import launch
from tests.distributed.small_pretraining import SIZES, STEPS, WEIGHTS, train, write_world

TOLERANCE = 1e-5  # relative: float32 sums in another order
# The softmax does not care for what shifts all its scores: the gradient of these is round-off, which Adam blows up.
WITHOUT_GRADIENT = ("match_head.score.bias", "key.bias")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    write_world(folder)
    return folder


@pytest.fixture(scope="module")
def alone(folder, tmp_path_factory):
    return train(folder, tmp_path_factory.mktemp("alone"), accumulate=1, sharding=1)


def assert_same(alone, out, scenario):
    """Losses, norms, counts of every step and the final weights."""
    records, weights, _ = alone
    accumulate, name = int(scenario[0]), f"{out.name}-{scenario.replace(',', '-')}"
    told = json.loads(out.with_name(f"{name}.json").read_text())
    for one, other in zip(records, told, strict=True):
        assert other["losses"] == pytest.approx(one.losses, rel=TOLERANCE)
        assert (other["loss"], other["grad_norm"]) == pytest.approx((one.loss, one.grad_norm), rel=TOLERANCE)
        assert other["examples"] == one.examples and (accumulate > 1 or other["tokens"] == one.tokens)
    with np.load(out.with_name(f"{name}.npz")) as file:
        assert file.keys() == weights.keys()
        for name in file:
            least = 1e-4 if name.endswith(WITHOUT_GRADIENT) else TOLERANCE / 5
            np.testing.assert_allclose(file[name], weights[name], rtol=TOLERANCE, atol=least, err_msg=name)


def held(logs):
    """What every rank said of each scenario that it holds, in bytes, and the sum of its weights."""
    lines = [[line for line in log.splitlines() if line.startswith("HOLDS ")] for log in logs]
    return [[json.loads(line.removeprefix("HOLDS ")) for line in of_rank] for of_rank in lines]


def assert_shared(alone, told, scenario):
    """told: by each rank. What is shared out is whole among a group, each place the same in all groups, and nobody has
    much more than his share."""
    _, sharding, stage = map(int, scenario.split(","))
    whole, group = alone[2], told[:sharding]
    assert told == group * (len(told) // sharding)
    assert stage == 3 or len({one["digest"] for one in group}) == 1
    adam = [one["adam"] for one in group]
    assert sum(adam) == whole["adam"] and max(adam) < 1.4 * whole["adam"] / sharding
    layer, gradients = whole["layers"] // SIZES.layers, whole["adam"] // 2  # each moment is as large as these
    assert whole["layers after"] == whole["layers"]
    if stage > 1:
        assert sum(one["sums"] for one in group) == pytest.approx(gradients, rel=0.01)  # Adam has two numbers more each
        outside = gradients - whole["layers"]
        assert all(one["gradients"] <= one["sums"] + outside + 1.01 * layer for one in group)
    if stage == 3:
        assert sum(one["layers after"] for one in group) == whole["layers"]
        assert all(one["layers"] <= one["layers after"] + layer for one in group)
    else:
        assert all(one["layers"] == whole["layers"] for one in group)


def test_all_objectives_are_trained(alone):
    records, _, _ = alone
    assert {name for record in records for name in record.losses} == set(WEIGHTS)
    assert len(records) == STEPS and all(np.isfinite(record.grad_norm) for record in records)


@pytest.mark.parametrize(
    ("processes", "nodes", "scenarios"),
    [
        (2, 1, ["1,1,1", "2,1,1", "1,2,2", "2,2,3"]),
        (4, 1, ["1,1,1", "2,2,1", "1,4,2", "1,2,3", "1,4,3"]),
        (1, 2, ["1,1,1", "2,2,1"]),
    ],
)
def test_they_equal_one_process(folder, alone, tmp_path, processes, nodes, scenarios):
    out = tmp_path / "out"
    logs = launch("tests.distributed.small_pretraining", [folder, out, *scenarios], processes, nodes, tmp_path=tmp_path)
    told = held(logs)
    assert len(told) == processes * nodes
    for number, scenario in enumerate(scenarios):
        assert_same(alone, out, scenario)
        assert_shared(alone, [of_rank[number] for of_rank in told], scenario)
