"""METEOR against pycocoevalcap's wrapper of the same program; what is missing says why."""

import shutil

import numpy as np
import pytest
from pycocoevalcap.meteor.meteor import Meteor

from tests.metrics.sentences import pairs
from unimo_paddle.errors import UserError
from unimo_paddle.metrics import java
from unimo_paddle.metrics.ptb import tokens
from unimo_paddle.metrics.scored import Truth
from unimo_paddle.metrics.table import METRICS, missing, score_named

needs_java = pytest.mark.skipif(shutil.which("java") is None, reason="there is no java")


def row(head, content, function, tail):
    """Statistics of an example whose words all match exactly."""
    return [*head, content, content, function, function, *[0] * 12, *tail]


def test_meteor_of_statistics_is_what_the_program_said():
    said = {49.142: row([11, 11, 7, 6], 4, 6, [2, 10, 10]), 5.530: row([1, 11, 0, 4], 1, 0, [1, 1, 1])}
    rows = np.array(list(said.values()), np.float64)
    assert java.meteor(rows, np.eye(2)) == pytest.approx(list(said), abs=1e-3)
    whole, other = row([4, 4, 1, 1], 3, 1, [0, 4, 4]), row([6, 5, 2, 2], 1, 2, [3, 3, 3])
    assert java.meteor(np.array([whole, other], np.float64), np.ones((1, 2))) == pytest.approx([34.51241063591147])


@pytest.mark.slow
@needs_java
def test_meteor_equals_pycocoevalcap():
    predictions, truths = pairs(np.random.default_rng(0), 25)
    predictions += ["a perfect match indeed", ""]
    truths += [Truth("26", references=("a perfect match indeed",)), Truth("27", references=("some words",))]
    right = {i: [" ".join(tokens(one)) for one in truth.references] for i, truth in enumerate(truths)}
    scorer = Meteor()
    want, each = scorer.compute_score(right, {i: [" ".join(tokens(one))] for i, one in enumerate(predictions)})
    got = score_named(["METEOR"], predictions, truths)["METEOR"]
    assert got.value == pytest.approx(100 * want) and got.low < got.value < got.high
    rows = java.meteor_rows(predictions, truths)
    assert java.meteor(rows, np.eye(len(rows))) == pytest.approx(100 * np.array(each))


def test_without_java_it_says_so(monkeypatch):
    monkeypatch.setattr(java.shutil, "which", lambda name: None)
    assert set(missing(METRICS)) == {"METEOR", "METEOR-marks", "SPICE"}
    with pytest.raises(UserError, match="METEOR cannot be computed here: there is no java; install"):
        score_named(["METEOR"], ["a"], [Truth("1", references=("a",))])


@needs_java
def test_spice_tells_which_model_it_lacks(monkeypatch, tmp_path):
    monkeypatch.setattr(java, "_package", lambda: tmp_path)
    assert "stanford-corenlp-3.6.0-models.jar" in missing(["SPICE"])["SPICE"]
    assert "meteor-1.5.jar" in missing(["METEOR"])["METEOR"]


def test_a_program_that_fails_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(java, "_package", lambda: tmp_path)
    (tmp_path / "meteor").mkdir()
    with pytest.raises(UserError, match="ended with 1: no such jar"):
        java._run(["sh", "-c", "echo no such jar >&2; exit 1"], "meteor/meteor-1.5.jar", "")
