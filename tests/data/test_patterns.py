"""The patterns, read out by the mask's slow oracle: who reads whom."""

import numpy as np

from tests.reference.attention import mask
from unimo_paddle.data import patterns


def reads(pattern):
    assert pattern.reach.dtype == pattern.group.dtype == np.int32
    size = len(pattern.reach)
    plane = mask(pattern.reach[None], np.zeros((1, size), bool), pattern.group[None])[0]
    return ["".join("1" if one else "0" for one in row) for row in plane]


def test_bidirectional_reads_everything():
    assert reads(patterns.bidirectional(1, 2)) == ["111", "111", "111"]


def test_image_prefix_lets_only_the_target_read_the_target():
    assert reads(patterns.image_prefix(1, 1, 2)) == ["1100", "1100", "1110", "1111"]


def test_captioning_has_no_source_and_seq2seq_no_image():
    assert reads(patterns.image_prefix(2, 0, 1)) == ["110", "110", "111"]
    assert reads(patterns.seq2seq(2, 1)) == ["110", "110", "111"]


def test_separate_keeps_image_and_text_apart():
    assert reads(patterns.separate(2, 1)) == ["110", "110", "001"]


def test_empty_parts():
    assert reads(patterns.bidirectional(0, 0)) == []
    assert reads(patterns.separate(0, 2)) == ["11", "11"]
