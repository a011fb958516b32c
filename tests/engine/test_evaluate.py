"""The table and the JSON say the same."""

import numpy as np

from unimo_paddle.engine.evaluate import as_json, table
from unimo_paddle.metrics.retrieval import recall


def test_table_and_json():
    result = recall(np.eye(20), np.eye(20, dtype=bool), (1, 5, 10))
    lines = table({"image to text": result})
    assert lines[1].split() == ["image", "to", "text", "100.00", "100.00", "100.00", "1.0"]
    assert lines[2].split() == ["by", "chance", "5.00", "25.00", "50.00"]
    flat = as_json({"image to text": result})
    assert flat["image_to_text_R@1"] == 1.0
    assert flat["image_to_text_R@5_chance"] == 0.25
    assert flat["image_to_text_candidates"] == 20
