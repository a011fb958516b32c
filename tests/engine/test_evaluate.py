"""All pairs scored once, whatever the batch; the table and the JSON say the same."""

import numpy as np
import pytest

from unimo_paddle.engine.evaluate import as_json, score_all, table
from unimo_paddle.metrics.retrieval import recall


@pytest.mark.parametrize("batch", [1, 3, 7, 100])
def test_every_pair_is_scored_in_its_place(batch):
    truth = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)  # [T, I]
    seen = []

    def score(places):
        seen.extend(places)
        assert len(places) <= batch
        return np.array([truth[text, image] for image, text in places], np.float32)

    got = score_all(score, lengths=[3, 1, 9, 1, 2], images=4, batch=batch)
    np.testing.assert_array_equal(got, truth)
    assert len(seen) == len(set(seen)) == 20


def test_texts_of_like_length_share_a_batch():
    lengths = [9, 1, 9, 1]
    batches = []

    def score(places):
        batches.append({lengths[text] for _, text in places})
        return np.zeros(len(places), np.float32)

    score_all(score, lengths, images=2, batch=4)
    assert batches == [{1}, {9}]


def test_table_and_json():
    result = recall(np.eye(20), np.eye(20, dtype=bool), (1, 5, 10))
    lines = table({"image to text": result})
    assert lines[1].split() == ["image", "to", "text", "100.00", "100.00", "100.00", "1.0"]
    assert lines[2].split() == ["by", "chance", "5.00", "25.00", "50.00"]
    flat = as_json({"image to text": result})
    assert flat["image_to_text_R@1"] == 1.0
    assert flat["image_to_text_R@5_chance"] == 0.25
    assert flat["image_to_text_candidates"] == 20
