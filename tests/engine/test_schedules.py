import numpy as np
import pytest

from tests.reference.schedule import linear_table, release_table
from unimo_paddle.engine.schedules import dropping_rate, learning_rate, warmup_steps
from unimo_paddle.errors import UserError


@pytest.mark.parametrize(("warmup", "total"), [(0, 1), (0, 7), (1, 9), (6, 100), (99, 100)])
def test_the_schedules_equal_their_tables(warmup, total):
    for schedule, table in (("linear", linear_table), ("release", release_table)):
        rates = [learning_rate(step, 5e-5, warmup, total, schedule) for step in range(total)]
        np.testing.assert_allclose(rates, table(5e-5, warmup, total), atol=1e-18, rtol=1e-9)


def test_the_release_jumps_where_the_warm_up_ends():
    assert [learning_rate(s, 1.0, 50, 100, "release") for s in (0, 25, 49, 50, 75, 100, 120)] == [
        0.0, 0.5, 0.98, 0.5, 0.25, 0.0, 0.0]
    assert [learning_rate(s, 1.0, 50, 100) for s in (0, 25, 50, 75, 100, 120)] == [0.0, 0.5, 1.0, 0.5, 0.0, 0.0]


def test_noam_falls_with_the_root_of_the_step():
    """Release, section 9: peak * sqrt(W) * min(s ** -0.5, s * W ** -1.5)."""
    for step in range(1, 300):
        expected = 2e-4 * 40**0.5 * min(step**-0.5, step * 40**-1.5)
        assert learning_rate(step, 2e-4, 40, 0, "noam") == pytest.approx(expected, rel=1e-12)
    assert learning_rate(0, 2e-4, 0, 0, "noam") == 2e-4


def test_the_retrieval_rate_drops_to_a_tenth_and_a_hundredth():
    assert [dropping_rate(step, 5e-6, (24, 32)) for step in (0, 23, 24, 31, 32, 40)] == pytest.approx(
        [5e-6, 5e-6, 5e-7, 5e-7, 5e-8, 5e-8]
    )


def test_a_warm_up_is_a_share_of_the_schedule_rounded_down():
    assert warmup_steps(0.06, 199) == 11
    assert warmup_steps(0.0, 1) == 0
    with pytest.raises(UserError, match=r"optimizer.warmup is 1.*2 steps"):
        warmup_steps(1.0, 2)
