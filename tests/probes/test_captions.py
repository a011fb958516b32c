"""Captions against a loop that writes one at a time without a cache, and where they end."""

import numpy as np
import paddle
import pytest

from tests.reference.generation import full_model
from unimo_paddle.probes.captions import write_captions


def write_one(pieces, image, longest):
    """Slow oracle: one caption, unpadded, everything computed anew for each token."""
    tokenizer, ids = pieces.tokenizer, []
    logits_after = full_model(pieces.model, image, None, tokenizer.cls)
    while len(ids) < longest:
        logits = logits_after(ids)
        logits[[tokenizer.cls, tokenizer.pad, tokenizer.unk, tokenizer.mask]] = -np.inf
        if logits.argmax() == tokenizer.sep:
            break
        ids.append(int(logits.argmax()))
    return tokenizer.decode(ids).strip()


def test_captions_equal_one_written_at_a_time(pieces):
    expected = [write_one(pieces, image, 6) for image in pieces.pairs.images]
    assert write_captions(pieces.model, pieces.pairs.images, pieces.tokenizer, 6) == expected
    assert any(expected)


@pytest.fixture()
def liked(pieces):
    """Let the model like a token most, wherever it is, until the test is over."""
    bias = pieces.model.language_head.bias
    before = bias.numpy()

    def like(*tokens):
        changed = before.copy()
        changed[list(tokens)] += 1e4 * np.arange(len(tokens), 0, -1)
        bias.set_value(paddle.to_tensor(changed))

    yield like
    bias.set_value(paddle.to_tensor(before))


def test_sep_ends_a_caption_and_what_is_no_text_is_never_said(pieces, liked):
    tokenizer = pieces.tokenizer
    liked(tokenizer.pad, tokenizer.mask, tokenizer.sep)
    assert write_captions(pieces.model, pieces.pairs.images[:2], tokenizer) == ["", ""]
    (two,) = tokenizer.encode_batch(["two"])
    liked(int(two.ids[0]))
    (found,) = write_captions(pieces.model, pieces.pairs.images[:1], tokenizer, 3)
    assert found == tokenizer.decode([int(two.ids[0])] * 3).strip()
