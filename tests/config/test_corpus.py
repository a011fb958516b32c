"""What is prepared for the contrast: the paper's numbers by default, faults by name."""

from pathlib import Path

import pytest

from unimo_paddle.config import CorpusPlan, load_corpus_plan
from unimo_paddle.errors import UserError

WRITTEN = Path(__file__).resolve().parents[2] / "configs" / "corpus.yaml"


def test_the_written_file_says_what_the_defaults_are():
    assert load_corpus_plan(WRITTEN) == CorpusPlan()


def test_the_defaults_are_the_papers():
    plan = CorpusPlan()
    assert (plan.positives.count, plan.negatives.total) == (3, 100)
    assert (plan.retrieval.images, plan.retrieval.texts) == (100, 100)


def test_overrides_reach_tuples_of_any_length():
    plan = load_corpus_plan(WRITTEN, ["positives.translators=apertium:spa, neural:models/en-fr", "negatives.word=5"])
    assert plan.positives.translators == ("apertium:spa", "neural:models/en-fr")
    assert plan.negatives.total == 75
    assert load_corpus_plan(WRITTEN, ["positives.translators="]).positives.translators == ()


@pytest.mark.parametrize(("override", "fault"), [
    ("negatives.wrd=5", "negatives.wrd is not a setting; did you mean negatives.word?"),
    ("positives.count=0", "positives.count is 0; must be at least 1"),
    ("positives.similarity=1.5", "positives.similarity is 1.5; must be at most 1"),
    ("retrieval.least_words=99", "retrieval.least_words is 99, more than most_words, 40; lower it"),
    ("kind=pretrain", "kind is pretrain; it must be one of corpus"),
])  # fmt: skip
def test_a_wrong_setting_is_named(override, fault):
    with pytest.raises(UserError) as error:
        load_corpus_plan(WRITTEN, [override])
    assert fault in str(error.value)


def test_no_negatives_at_all_are_refused():
    with pytest.raises(UserError, match="ask for at least one negative"):
        load_corpus_plan(WRITTEN, ["negatives.sentence=0", "negatives.phrase=0", "negatives.word=0"])
