"""One process connects to nothing; several real ones are in tests/distributed."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import paddle
import pytest

from unimo_paddle import distributed
from unimo_paddle.distributed import buckets, gather_rows, replayed

ROOT = Path(__file__).resolve().parents[1]


def test_one_process_loads_no_paddle(monkeypatch):
    code = (
        "import sys; from unimo_paddle import distributed as d; d.require_same('settings', 3); "
        "assert (d.rank(), d.world_size(), d.sums([1.5, 2])) == (0, 1, [1.5, 2]); assert 'paddle' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    monkeypatch.setenv("PADDLE_TRAINER_ID", "3")
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", "8")
    monkeypatch.setenv("PADDLE_RANK_IN_NODE", "1")
    assert (distributed.rank(), distributed.world_size(), distributed.local_rank()) == (3, 8, 1)


def test_one_process_changes_nothing():
    parameter = paddle.create_parameter([3], "float32")
    parameter.grad = paddle.to_tensor([1.0, 2.0, 3.0])
    distributed.sum_gradients([parameter])
    distributed.broadcast([parameter], 0)
    assert parameter.grad.tolist() == [1.0, 2.0, 3.0]
    assert gather_rows(parameter) is parameter


@pytest.mark.parametrize(
    ("sizes", "runs"),
    [([], []), ([9], [[9]]), ([1, 1, 1], [[1, 1], [1]]), ([1, 5, 1, 1], [[1], [5], [1, 1]]), ([2, 2], [[2], [2]])],
)
def test_buckets_are_never_above_the_limit_unless_of_one(sizes, runs):
    found = buckets([paddle.zeros([size]) for size in sizes], most=8)  # two float32
    assert [[tensor.size for tensor in run] for run in found] == runs


def test_a_bucket_is_of_one_type():
    found = buckets([paddle.zeros([1]), paddle.zeros([1], "float64"), paddle.zeros([1], "float64")], most=100)
    assert [[str(tensor.dtype) for tensor in run] for run in found] == [["paddle.float32"], ["paddle.float64"] * 2]


def test_replayed_rows_stand_among_zeros():
    rows = paddle.to_tensor([[1.0, 2.0]])
    rows.stop_gradient = False
    with replayed(1, 3):
        gathered = gather_rows(rows)
    (gathered * gathered).sum().backward()
    np.testing.assert_array_equal(gathered.numpy(), [[0, 0], [1, 2], [0, 0]])
    np.testing.assert_array_equal(rows.grad.numpy(), [[2, 4]])
    assert gather_rows(rows) is rows
