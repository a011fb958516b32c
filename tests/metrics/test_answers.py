"""VQA accuracy and CoQA's F1 against slow oracles and hand-worked cases."""

import numpy as np
import pytest

from tests.reference import answers as oracle
from unimo_paddle.errors import UserError
from unimo_paddle.metrics.answer_words import CONTRACTIONS
from unimo_paddle.metrics.answers import normalise_answer, normalise_vqa
from unimo_paddle.metrics.scored import Truth
from unimo_paddle.metrics.table import score_named


@pytest.mark.parametrize(
    ("answer", "want"),
    [
        ("The red, car.", "red car"),
        ("two dogs", "2 dogs"),
        ("None", "0"),
        ("dont know", "don't know"),
        ("1,000 people", "1000 people"),
        ("black-white", "black white"),
        ("black - white", "black white"),
        ("3.5", "3.5"),
        ("U.S.", "us"),
        ("a\nman\t", "man"),
        ("yes/no", "yes no"),
        ("twas hed've", "'twas he'd've"),
        ("", ""),
    ],
)
def test_normalisation(answer, want):
    assert normalise_vqa(answer) == want


def test_contractions_have_the_official_size_and_its_odd_entry():
    assert len(CONTRACTIONS) == 114  # 120, less four with a capital and two that change nothing
    assert CONTRACTIONS["somebody'd"] == "somebodyd" and CONTRACTIONS["y'alld've"] == "y'all'd've"
    assert all(short.replace("'", "") == word.replace("'", "") for short, word in CONTRACTIONS.items())


def vqa(guess, people):
    return score_named(["vqa_accuracy"], [guess], [Truth("q", references=tuple(people))])["vqa_accuracy"].value


@pytest.mark.parametrize(("agree", "want"), [(0, 0), (1, 30), (2, 60), (3, 90), (4, 100), (9, 100)])
def test_agreeing_people(agree, want):
    assert vqa("red", ["red"] * agree + ["blue"] * (10 - agree)) == pytest.approx(want)


def test_unanimous_answers_are_compared_as_written():
    assert vqa("2", ["two"] * 10) == 0 and vqa("two", ["two"] * 10) == 100
    assert vqa("2", ["two"] * 9 + ["3"]) == 100


def test_vqa_equals_the_slow_oracle():
    rng = np.random.default_rng(0)
    answers = ["2", "two", "the dog", "dog", "dogs.", "red,blue", "dont", "don't", "none"]
    people = [tuple(rng.choice(answers, 10)) for _ in range(200)]
    guesses = [str(one) for one in rng.choice(answers, 200)]
    kinds = rng.choice(["number", "other"], 200)
    truths = [Truth(str(i), references=people[i], group=str(kinds[i])) for i in range(200)]
    want = np.array([oracle.vqa_accuracy(g, list(p), normalise_vqa) for g, p in zip(guesses, people, strict=True)])
    got = score_named(["vqa_accuracy"], guesses, truths)["vqa_accuracy"]
    assert got.value == pytest.approx(100 * want.mean())
    assert got.groups["number"].value == pytest.approx(100 * want[kinds == "number"].mean())


def test_coqa_by_hand():
    truths = [Truth("q", references=("the white cat", "cat", "a dog"))]
    got = score_named(["f1", "exact_match", "squad_f1", "squad_exact_match"], ["Cat!"], truths)
    # without the 1st or 3rd answer "cat" is there; without the 2nd "white cat" is best: F1 2/3
    assert got["f1"].value == pytest.approx(100 * (1 + 2 / 3 + 1) / 3)
    assert got["exact_match"].value == pytest.approx(100 * 2 / 3)
    assert got["squad_f1"].value == got["squad_exact_match"].value == 100


def test_coqa_equals_the_slow_oracle():
    rng = np.random.default_rng(1)
    words = ["a", "the", "cat", "Cat,", "white", "ran", "he's", ""]
    draw = lambda: " ".join(rng.choice(words, rng.integers(0, 5)))  # noqa: E731
    people = [tuple(draw() for _ in range(rng.integers(1, 5))) for _ in range(200)]
    guesses = [draw() for _ in range(200)]
    want = 100 * np.mean([oracle.coqa_f1(g, p) for g, p in zip(guesses, people, strict=True)])
    got = score_named(["f1"], guesses, [Truth(str(i), references=p) for i, p in enumerate(people)])["f1"]
    assert got.value == pytest.approx(want)


def test_an_empty_prediction_scores_only_against_an_empty_answer():
    assert normalise_answer("The!") == ""
    assert score_named(["f1"], [""], [Truth("q", references=("cat",))])["f1"].value == 0
    assert score_named(["f1"], [""], [Truth("q", references=("the",))])["f1"].value == 100


def test_a_question_without_answers_is_refused():
    with pytest.raises(UserError, match="1 of 1 records have no reference answer, first q"):
        score_named(["f1"], ["x"], [Truth("q")])
