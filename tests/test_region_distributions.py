"""What a store loses of a distribution: by hand, and the bound that the documents derive."""

import numpy as np
import pytest

from unimo_paddle.region_distributions import keep, sparse_error, spread


def test_the_largest_are_kept_and_of_equal_ones_the_first() -> None:
    ids, probs = keep(np.float32([[0.1, 0.3, 0.3, 0.3], [0, 0, 0, 1]]), 2)
    assert ids.tolist() == [[1, 2], [3, 0]] and probs.tolist() == np.float32([[0.3, 0.3], [1, 0]]).tolist()


def test_error_by_hand() -> None:
    found = sparse_error(np.float32([[0.5, 0.25, 0.125, 0.125, 0.0]]), 2)  # kept 0.5 0.25; the rest becomes 1/12 each
    assert found.l1 == pytest.approx(2 * (0.125 - 1 / 12) + 1 / 12)
    assert found.largest == pytest.approx(1 / 12)
    assert found.kl == pytest.approx(2 * 0.125 * np.log(0.125 * 12))
    assert found.bound == pytest.approx(2 * 0.25 * 2 / 3)


def test_all_in_one_of_the_left_out_reaches_the_bound() -> None:
    probs = np.float32([[0.4, 0.35, 0.25, 0, 0, 0]])
    found = sparse_error(probs, 2)
    assert found.l1 == pytest.approx(found.bound, rel=1e-3) and found.bound == pytest.approx(2 * 0.25 * 3 / 4)


@pytest.mark.parametrize("kept", [1, 3, 16, 40, 100])
def test_the_bound_holds(kept: int) -> None:
    probs = np.random.default_rng(kept).dirichlet([0.05] * 40, 200).astype(np.float32)
    found = sparse_error(probs, kept)
    assert found.l1 <= found.bound + 2**-10  # float16 rounds each kept entry by at most 2^-11 of itself
    assert found.largest <= 1 and -1e-3 <= found.kl < np.inf


def test_the_best_alone_is_exact_when_the_rest_is_even() -> None:
    probs = np.float32([[0.75, 0.125, 0.125], [0.25, 0.25, 0.5]])
    ids, best = keep(probs, 1)
    rebuilt = spread(ids.astype(np.uint16), best.astype(np.float16), 3)
    np.testing.assert_array_equal(rebuilt, [[0.75, 0.125, 0.125], [0.25, 0.25, 0.5]])
