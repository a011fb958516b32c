"""Panels of weights by hand, and that one step of all layers does not depend on the number of threads."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import paddle
import pytest

from unimo_paddle.errors import UserError
from unimo_paddle.operators.token_step import pack

pytestmark = pytest.mark.usefixtures("native")

# What tests/model/test_cache.py does not vary: the number of threads, and more rows than a tile has.
STEP = """
import numpy as np, paddle
from unimo_paddle.operators.token_step import Packed, pack, token_step
rng = np.random.default_rng(1)
made = lambda *shape: paddle.to_tensor(rng.normal(0, 0.3, shape).astype(np.float32))
H, V, N, S = 24, 70, 15, 9
shapes = (H, 3 * H), (H, H), (H, 4 * H), (4 * H, H), (H, H)
matrices = [*(pack(made(*shape)) for shape in shapes), pack(made(V, H), True)]
vectors = [made(size) for size in (3 * H, H, 4 * H, H, H, H, H, H, H, H, H, V)]
sources = [(made(2, 3, S, 8), made(2, 3, S, 8))]
source, slots = (np.arange(N) > 6).astype(np.int64), np.arange(2 * N).reshape(2, N).T.copy()
kept = [made(2 * N, 2 * H)]
places = paddle.to_tensor(source), paddle.to_tensor(slots)
logits = token_step(made(N, H), Packed(matrices, vectors, 3, 1e-5), sources, paddle.zeros([2, S]), *places, kept)
import hashlib
print(hashlib.sha256(logits.numpy().tobytes() + kept[0].numpy().tobytes()).hexdigest())
"""


@pytest.mark.parametrize("shape", [(3, 16), (5, 40), (1, 1), (7, 15)])
def test_panels_hold_sixteen_columns_and_zeros_behind_the_last(shape):
    weight = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    depth, columns = shape
    panels = -(-columns // 16)
    expected = np.zeros((depth, panels * 16), np.float32)
    expected[:, :columns] = weight
    expected = expected.reshape(depth, panels, 16).transpose(1, 0, 2)
    assert (pack(paddle.to_tensor(weight)).numpy() == expected).all()
    assert (pack(paddle.to_tensor(weight.T.copy()), turned=True).numpy() == expected).all()


def test_the_number_of_threads_changes_no_bit():
    found = {
        subprocess.run([sys.executable, "-c", STEP], env={**os.environ, "MKL_NUM_THREADS": threads}, check=True,
                       capture_output=True, text=True).stdout.splitlines()[-1]
        for threads in ("1", "3")
    }  # fmt: skip
    assert len(found) == 1 and len(found.pop()) == hashlib.sha256().digest_size * 2


def test_other_numbers_than_float32_are_refused():
    with pytest.raises(UserError, match="native operators are for float32"):
        pack(paddle.zeros([2, 2], "float64"))
