"""Which pairs a probe looks at, and what it is told when there are none."""

from dataclasses import replace

import numpy as np
import pytest

from unimo_paddle.errors import UserError
from unimo_paddle.probes.held_out import held_out


def test_the_first_pairs_cut_to_the_runs_sizes(pieces):
    pairs = pieces.pairs
    assert list(pairs.captions) == pieces.found.captions[:5]
    assert [len(image.features) for image in pairs.images] == [3, 4, 5, 6, 7]  # [IMG], then 2 to 6 regions
    assert all(len(text.ids) <= 12 and text.ids[0] == pieces.tokenizer.cls for text in pairs.texts)
    expected = np.eye(5, dtype=bool)
    expected[1, 4] = expected[4, 1] = True  # both say "two cats"
    np.testing.assert_array_equal(pairs.is_right, expected)


def test_fewer_pairs_than_asked_are_all_taken(pieces):
    assert len(held_out(pieces.found, pieces.store, pieces.tokenizer, 100, 6, 12).images) == 6


def test_what_cannot_be_probed_is_told_with_the_way_out(pieces):
    lacking = replace(pieces.found, image_ids=["image0", "nowhere", *pieces.found.image_ids[2:]])
    with pytest.raises(UserError, match=r"6 held-out images, but .* lacks 1 of them, e.g. nowhere; .*probe_every to 0"):
        held_out(lacking, pieces.store, pieces.tokenizer, 64, 6, 12)
    one = replace(pieces.found, image_ids=["image0"], captions=["a dog"])
    with pytest.raises(UserError, match="1 held-out images, but at least 2 are wanted"):
        held_out(one, pieces.store, pieces.tokenizer, 64, 6, 12)
