"""CIDEr-D against pycocoevalcap's."""

import numpy as np
import pytest
from pycocoevalcap.cider.cider import Cider

from tests.metrics.sentences import pairs, sentence
from unimo_paddle.metrics.cider import CiderD
from unimo_paddle.metrics.ptb import tokens
from unimo_paddle.metrics.table import score_named


def plain(text):
    return " ".join(tokens(text))


@pytest.mark.parametrize("seed", range(3))
def test_equal_to_coco_caption(seed):
    predictions, truths = pairs(np.random.default_rng(seed), 50)
    predictions[:2] = ["dog", "zebra zebra zebra zebra zebra"]
    right = {i: [plain(one) for one in truth.references] for i, truth in enumerate(truths)}
    want, each = Cider().compute_score(right, {i: [plain(one)] for i, one in enumerate(predictions)})
    references = [truth.references for truth in truths]
    assert CiderD(references).scores(predictions, references) == pytest.approx(each)
    got = score_named(["CIDEr", "CIDEr-D"], predictions, truths)
    assert got["CIDEr"].value == got["CIDEr-D"].value == pytest.approx(100 * want)


def test_document_frequencies_of_other_images_serve_as_a_reward():
    """The reward of a batch is what the whole training set would give those images."""
    rng = np.random.default_rng(5)
    corpus = [[sentence(rng) for _ in range(5)] for _ in range(60)]
    guesses = [sentence(rng) for _ in corpus]
    scorer = CiderD(corpus)
    whole = scorer.scores(guesses, corpus)
    assert scorer.scores(guesses[10:13], corpus[10:13]) == pytest.approx(whole[10:13])
    twice = scorer.scores([*guesses[:2], *guesses[3:5]], [corpus[0], corpus[1]] * 2)
    assert twice[:2] == pytest.approx(whole[:2])


def test_by_hand():
    """Two images without a word in common: weights are log 2; a perfect caption of four words gets all of 10."""
    scorer = CiderD([["red dogs run fast"], ["old boats sink slowly"]])
    assert scorer.scores(["red dogs run fast", "old boats"], [["red dogs run fast"]] * 2) == pytest.approx([10, 0])
    # three of four words alike in order: cosines 3/4, 2/3, 1/2, 0, same length
    want = 10 * (3 / 4 + 2 / 3 + 1 / 2) / 4
    assert scorer.scores(["red dogs run slowly"], [["red dogs run fast"]]) == pytest.approx([want])


def test_empty_captions():
    scorer = CiderD([["red dogs"], ["."]])
    assert scorer.scores(["", "."], [["red dogs"], ["red dogs"]]).tolist() == [0, 0]
    with pytest.raises(ValueError, match="1 candidates, 2 lists"):
        scorer.scores(["x"], [["x"], ["y"]])
    with pytest.raises(ValueError, match="none of them empty"):
        scorer.scores(["x"], [[]])
    with pytest.raises(ValueError, match="at least one image"):
        CiderD([])
