"""Several processes, on one node or two, train as one process does with the same batches."""

import json

import numpy as np
import pytest

from tests.distributed.launch import launch
from tests.distributed.small_pretraining import STEPS, WEIGHTS, train, write_world

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


def assert_same(alone, out, accumulate=1, sharding=1):
    """Losses, norms, counts of every step and the final weights."""
    records, weights, _ = alone
    told = json.loads(out.with_name(f"{out.name}-{accumulate}-{sharding}.json").read_text())
    for one, other in zip(records, told, strict=True):
        assert other["losses"] == pytest.approx(one.losses, rel=TOLERANCE)
        assert (other["loss"], other["grad_norm"]) == pytest.approx((one.loss, one.grad_norm), rel=TOLERANCE)
        assert other["examples"] == one.examples and (accumulate > 1 or other["tokens"] == one.tokens)
    with np.load(out.with_name(f"{out.name}-{accumulate}-{sharding}.npz")) as file:
        assert file.keys() == weights.keys()
        for name in file:
            least = 1e-4 if name.endswith(WITHOUT_GRADIENT) else TOLERANCE / 5
            np.testing.assert_allclose(file[name], weights[name], rtol=TOLERANCE, atol=least, err_msg=name)


def held(logs):
    """What every rank said that it holds: [accumulate, sharding, bytes of Adam's state, sum of its weights]."""
    lines = [[line for line in log.splitlines() if line.startswith("HOLDS ")] for log in logs]
    return [[json.loads(line.removeprefix("HOLDS ")) for line in of_rank] for of_rank in lines]


def test_all_objectives_are_trained(alone):
    records, _, _ = alone
    assert {name for record in records for name in record.losses} == set(WEIGHTS)
    assert len(records) == STEPS and all(np.isfinite(record.grad_norm) for record in records)


@pytest.mark.parametrize(
    ("processes", "nodes", "scenarios"),
    [(2, 1, ["1,1", "2,1", "1,2"]), (4, 1, ["1,1", "2,2", "1,4"]), (1, 2, ["1,1", "2,2"])],
)
def test_they_equal_one_process(folder, alone, tmp_path, processes, nodes, scenarios):
    out = tmp_path / "out"
    logs = launch("tests.distributed.small_pretraining", [folder, out, *scenarios], processes, nodes, tmp_path=tmp_path)
    told = held(logs)
    assert len(told) == processes * nodes and all(of_rank[0][3] == told[0][0][3] for of_rank in told)
    for number, scenario in enumerate(scenarios):
        accumulate, sharding = map(int, scenario.split(","))
        assert_same(alone, out, accumulate, sharding)
        group = [of_rank[number][2] for of_rank in told[:sharding]]
        assert sum(group) == alone[2] and max(group) < 1.4 * alone[2] / sharding  # really shared out
        assert [of_rank[number][2] for of_rank in told] == group * (processes * nodes // sharding)
