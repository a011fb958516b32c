"""BLEU and ROUGE against pycocoevalcap, sacrebleu and rouge-score."""

import numpy as np
import pytest
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.rouge.rouge import Rouge, my_lcs
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU

from tests.metrics.sentences import WORDS, pairs
from unimo_paddle.errors import UserError
from unimo_paddle.metrics.overlap import common_length
from unimo_paddle.metrics.ptb import tokens
from unimo_paddle.metrics.scored import Truth
from unimo_paddle.metrics.summaries import sentences
from unimo_paddle.metrics.table import score_named

BLEUS = [f"BLEU-{order}" for order in (1, 2, 3, 4)]


def as_coco(predictions, truths):
    right = {i: [" ".join(tokens(one)) for one in truth.references] for i, truth in enumerate(truths)}
    return right, {i: [" ".join(tokens(one))] for i, one in enumerate(predictions)}


@pytest.mark.parametrize("seed", range(3))
def test_equal_to_coco_caption(seed):
    predictions, truths = pairs(np.random.default_rng(seed), 40)
    got = score_named([*BLEUS, "ROUGE-L-coco"], predictions, truths)
    right, guesses = as_coco(predictions, truths)
    bleu, _ = Bleu(4).compute_score(right, guesses, verbose=0)
    rouge, _ = Rouge().compute_score(right, guesses)
    assert [got[name].value for name in BLEUS] == pytest.approx([100 * one for one in bleu])
    assert got["ROUGE-L-coco"].value == pytest.approx(100 * rouge)
    assert all(one.low <= one.value <= one.high for one in got.values())


def test_bleu_by_hand():
    got = score_named(BLEUS[:2], ["the dog ran"], [Truth("1", references=("the dog sat down",))])
    short = np.exp(1 - 4 / 3)
    assert got["BLEU-1"].value == pytest.approx(100 * short * 2 / 3)
    assert got["BLEU-2"].value == pytest.approx(100 * short * np.sqrt(2 / 3 * 1 / 2))


def test_marks_count_where_they_are_kept():
    truth = [Truth("1", references=("who is it ?",))]
    got = score_named(["BLEU-4", "BLEU-4-marks", "ROUGE-L-coco-marks"], ["who is it ?"], truth)
    assert got["BLEU-4-marks"].value == pytest.approx(100) and got["ROUGE-L-coco-marks"].value == pytest.approx(100)
    assert got["BLEU-4"].value == pytest.approx(100 * (1e-15 / 1e-9) ** 0.25, rel=1e-6)  # three words have no 4-gram


def test_common_length_equals_the_table():
    rng = np.random.default_rng(0)
    for _ in range(200):
        one, other = ([str(word) for word in rng.choice(WORDS[:5], rng.integers(0, 90))] for _ in range(2))
        assert common_length(one, other) == my_lcs(one, other)


@pytest.mark.parametrize("seed", range(3))
def test_equal_to_sacrebleu(seed):
    predictions, truths = pairs(np.random.default_rng(seed), 30, most=2)
    most = max(len(truth.references) for truth in truths)
    streams = [[(*truth.references, *[None] * most)[place] for truth in truths] for place in range(most)]
    got = score_named(["sacrebleu"], predictions, truths)["sacrebleu"].value
    assert got == pytest.approx(BLEU().corpus_score(predictions, streams).score)


@pytest.mark.parametrize("guess", ["the dog", "the dog sat there", "no such words here", ""])
def test_sacrebleu_smooths_short_texts_alike(guess):
    right = "a dog sat over there now"
    got = score_named(["sacrebleu"], [guess], [Truth("1", references=(right,))])["sacrebleu"].value
    assert got == pytest.approx(BLEU().corpus_score([guess], [[right]]).score)


@pytest.mark.parametrize("seed", range(2))
def test_equal_to_rouge_score(seed):
    predictions, truths = pairs(np.random.default_rng(seed), 30)
    kinds = {"ROUGE-1": "rouge1", "ROUGE-2": "rouge2", "ROUGE-L": "rougeL"}
    scorer = RougeScorer(list(kinds.values()), use_stemmer=True)
    all_of = [scorer.score_multi(truth.references, guess) for guess, truth in zip(predictions, truths, strict=True)]
    got = score_named(list(kinds), predictions, truths)
    for name, kind in kinds.items():
        assert got[name].value == pytest.approx(100 * np.mean([one[kind].fmeasure for one in all_of]))


def test_lsum_looks_at_sentences():
    right, guess = "the cat sat . a dog ran home .", "a dog ran home . the cat sat ."
    got = score_named(["ROUGE-L", "ROUGE-Lsum"], [guess], [Truth("1", references=(right,))])
    scorer = RougeScorer(["rougeLsum"], use_stemmer=True)
    want = scorer.score(right.replace(" . ", " .\n"), guess.replace(" . ", " .\n"))["rougeLsum"].fmeasure
    assert got["ROUGE-Lsum"].value == pytest.approx(100 * want) == pytest.approx(100)
    assert got["ROUGE-L"].value == pytest.approx(100 * 4 / 7)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("One. Two? Three", ["One.", "Two?", "Three"]),
        ("mr. smith met dr. u.s. grant . then he left .", ["mr. smith met dr. u.s. grant .", "then he left ."]),
        ("a line. with two\nanother", ["a line. with two", "another"]),
        ("", []),
    ],
)
def test_sentences(text, want):
    assert sentences(text) == want


def test_empty_predictions_score_nothing_and_empty_references_are_refused():
    names = [*BLEUS, "ROUGE-1", "ROUGE-L", "ROUGE-Lsum", "ROUGE-L-coco", "CIDEr", "sacrebleu"]
    truths = [Truth("1", references=("a dog ran off",)), Truth("2", references=("so it is",))]
    got = score_named(names, ["", "!"], truths)
    assert {name: one.value for name, one in got.items() if one.value > 1e-6} == {}
    for name in names:
        with pytest.raises(UserError, match="first bad"):
            score_named([name], ["x"], [Truth("bad", references=("",))])
