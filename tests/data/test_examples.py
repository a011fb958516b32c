"""What a batch is made of beside its sequences (those are tested in test_stream.py, on a corpus)."""

from typing import Any

import numpy as np

from unimo_paddle.data.encode import TextRow
from unimo_paddle.data.examples import Example, PairSettings, belongs


def test_candidates_in_their_order() -> None:
    settings = PairSettings(1, 9, 9, positives=1, negatives=2, retrieved_images=1, retrieved_texts=2)
    assert settings.is_positive == [True, True, False, False, True, True, True]


def test_the_same_words_belong_to_each_others_images() -> None:
    def example(image_id: str, ids: list[int]) -> Example:
        row = TextRow(np.array(ids), np.arange(2, 2 + len(ids)), np.ones(len(ids), bool))
        return Example("", image_id, Any, [row], [], [], [True], np.random.default_rng(0))

    examples = [example("1", [0, 7, 2]), example("2", [0, 7, 2]), example("1", [0, 9, 2]), example("3", [0, 9, 8, 2])]
    assert belongs(examples).astype(int).tolist() == [[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]]
