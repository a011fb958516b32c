"""Scores of classes and numbers against scikit-learn and SciPy, draws too."""

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import accuracy_score, matthews_corrcoef

from unimo_paddle.errors import UserError
from unimo_paddle.metrics import labels
from unimo_paddle.metrics.scored import Truth
from unimo_paddle.metrics.table import score_named


def test_a_hand_worked_table():
    guesses, right = ["y", "y", "n", "n", "y"], ["y", "n", "n", "y", "y"]
    got = score_named(["accuracy", "matthews"], guesses, [Truth(str(i), one) for i, one in enumerate(right)])
    assert got["accuracy"].value == pytest.approx(60)
    assert got["matthews"].value == pytest.approx(100 * (2 * 1 - 1 * 1) / np.sqrt(3 * 3 * 2 * 2))


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_classes_equal_scikit_learn(classes):
    rng = np.random.default_rng(classes)
    right = rng.integers(0, classes, 200).astype(str)
    guesses = np.where(rng.random(200) < 0.5, right, rng.integers(0, classes, 200).astype(str))
    truths = [Truth(str(i), str(one)) for i, one in enumerate(right)]
    got = score_named(["accuracy", "matthews"], guesses.tolist(), truths)
    assert got["accuracy"].value == pytest.approx(100 * accuracy_score(right, guesses))
    assert got["matthews"].value == pytest.approx(100 * matthews_corrcoef(right, guesses))
    assert got["matthews"].low < got["matthews"].value < got["matthews"].high


def test_numbers_equal_scipy():
    rng = np.random.default_rng(0)
    right = rng.integers(0, 11, 80) / 2
    guesses = right + rng.normal(size=80).round(1)
    truths = [Truth(str(i), float(number)) for i, number in enumerate(right)]
    got = score_named(["pearson", "spearman", "pearson_spearman"], guesses.tolist(), truths)
    pearson, spearman = (100 * one(guesses, right).statistic for one in (pearsonr, spearmanr))
    assert got["pearson"].value == pytest.approx(pearson)
    assert got["spearman"].value == pytest.approx(spearman)
    assert got["pearson_spearman"].value == pytest.approx((pearson + spearman) / 2)


@pytest.mark.parametrize(
    ("value", "oracle"), [(labels.pearson, pearsonr), (labels.spearman, spearmanr)], ids=["pearson", "spearman"]
)
def test_each_draw_is_scored_as_if_its_examples_were_written_out(value, oracle):
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 6, (20, 2)).astype(float)
    weights = rng.multinomial(20, np.full(20, 1 / 20), 30).astype(float)
    want = [100 * oracle(*np.repeat(rows, one.astype(int), axis=0).T).statistic for one in weights]
    assert value(rows, weights) == pytest.approx(want)


@pytest.mark.parametrize("name", ["pearson", "spearman", "matthews"])
def test_a_constant_prediction_shows_no_relation(name):
    label = str if name == "matthews" else float
    truths = [Truth(str(i), label(i % 3)) for i in range(9)]
    assert score_named([name], [label(0.1)] * 9, truths)[name].value == 0


def test_refusals_name_the_record():
    with pytest.raises(UserError, match="1 of 2 records lack the name of a class as label, first b"):
        score_named(["accuracy"], ["x", "y"], [Truth("a", "x"), Truth("b")])
    with pytest.raises(UserError, match="2 of 2 records lack a number as label, first a, b"):
        score_named(["pearson"], [1.0, 2.0], [Truth("a", "x"), Truth("b", float("nan"))])
    with pytest.raises(UserError, match="acuracy is no metric; there are accuracy, matthews"):
        score_named(["acuracy"], ["x"], [Truth("a", "x")])
