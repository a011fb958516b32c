"""Bootstrap intervals against a plain loop, SciPy and known standard errors."""

import numpy as np
import pytest
from scipy.stats import binom
from scipy.stats import bootstrap as scipy_bootstrap

from unimo_paddle.errors import UserError
from unimo_paddle.metrics.bootstrap import bootstrap, divided, mean_of
from unimo_paddle.metrics.scored import Metric, Truth, references, score, scored


def test_the_value_is_the_mean_and_the_interval_is_the_binomial_one():
    rows = (np.arange(400) < 100).astype(float)[:, None]
    value, low, high = bootstrap(rows, mean_of(), draws=4000)
    assert value == 0.25
    want = binom.ppf([0.025, 0.975], 400, 0.25) / 400
    assert (low, high) == pytest.approx(tuple(want), abs=0.004)


def test_equals_scipy_on_a_ratio_of_sums():
    rng = np.random.default_rng(0)
    rows = rng.gamma(2, size=(300, 2))
    value, low, high = bootstrap(rows, lambda kinds, weights: divided(*(weights @ kinds).T), draws=4000)
    want = scipy_bootstrap(
        (rows[:, 0], rows[:, 1]), lambda x, y, axis: x.sum(axis) / y.sum(axis), paired=True, vectorized=True,
        n_resamples=4000, method="percentile", random_state=1,
    ).confidence_interval  # fmt: skip
    assert value == pytest.approx(rows[:, 0].sum() / rows[:, 1].sum())
    assert (low, high) == pytest.approx((want.low, want.high), abs=0.01)


def test_the_same_seed_draws_the_same_and_chunks_do_not_matter(monkeypatch):
    rows = np.random.default_rng(1).normal(size=(50, 1))
    whole = bootstrap(rows, mean_of(), seed=3)
    assert whole == bootstrap(rows, mean_of(), seed=3) != bootstrap(rows, mean_of(), seed=4)
    monkeypatch.setattr("unimo_paddle.metrics.bootstrap._WEIGHTS_AT_ONCE", 50 * 7)
    assert whole == pytest.approx(bootstrap(rows, mean_of(), seed=3), abs=1e-12)


def test_one_example_has_no_spread():
    assert bootstrap(np.array([[0.3]]), mean_of()) == (0.3, 0.3, 0.3)


@pytest.mark.parametrize("rows", [np.zeros((0, 1)), np.zeros(3), np.array([[np.nan]])])
def test_refuses_rows_that_cannot_be_drawn(rows):
    with pytest.raises(ValueError, match=r"finite \[N, K\]"):
        bootstrap(rows, mean_of())


def test_groups_are_scored_apart():
    got = scored(np.array([[1.0], [0.0], [1.0], [1.0]]), mean_of(), ["a", "a", "b", None])
    assert (got.value, got.count) == (0.75, 4)
    assert {name: (one.value, one.count) for name, one in got.groups.items()} == {"a": (0.5, 2), "b": (1.0, 1)}


def test_metrics_with_the_same_rows_share_the_work():
    calls = []

    def rows(predictions, truths):
        calls.append(len(truths))
        return np.ones((len(truths), 1))

    got = score([Metric("x", "%", rows, mean_of()), Metric("y", "%", rows, mean_of())], ["p"], [Truth("1")])
    assert got["x"].value == got["y"].value == 1 and calls == [1]


def test_refusals():
    metric = Metric("SPICE", "%", lambda p, t: np.ones((1, 1)), mean_of(), lambda: "there is no java")
    with pytest.raises(UserError, match="SPICE cannot be computed here: there is no java"):
        score([metric], ["p"], [Truth("1")])
    with pytest.raises(ValueError, match="2 predictions for 1 truths"):
        score([metric], ["p", "q"], [Truth("1")])
    with pytest.raises(UserError, match="split is empty"):
        score([metric], [], [])
    with pytest.raises(UserError, match="1 of 2 records have no reference text, first b"):
        references([Truth("a", references=("x",)), Truth("b", references=(" ",))])
