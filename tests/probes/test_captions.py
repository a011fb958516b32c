"""Captions against a loop that writes one at a time, and against a model that knows what to say."""

import numpy as np
import paddle
import pytest

from unimo_paddle.data.batch import pad
from unimo_paddle.data.encode import TextRow
from unimo_paddle.data.patterns import image_prefix
from unimo_paddle.model.inputs import to_tensors
from unimo_paddle.model.unimo import States
from unimo_paddle.probes.captions import write_captions


def write_one(pieces, image, longest):
    """Slow oracle: one caption, unpadded, every logit."""
    tokenizer, ids = pieces.tokenizer, [pieces.tokenizer.cls]
    while len(ids) <= longest:
        row = TextRow(np.array(ids), np.arange(2, len(ids) + 2), np.ones(len(ids), bool))
        states = pieces.model(to_tensors(pad([image], [row], [image_prefix(len(image.features), 0, len(ids))])))
        logits = pieces.model.language_logits(states, paddle.arange(len(ids))).numpy()[-1]
        logits[[tokenizer.cls, tokenizer.pad, tokenizer.unk, tokenizer.mask]] = -np.inf
        if logits.argmax() == tokenizer.sep:
            break
        ids.append(int(logits.argmax()))
    return tokenizer.decode(ids[1:]).strip()


def test_captions_equal_one_written_at_a_time(pieces):
    expected = [write_one(pieces, image, 6) for image in pieces.pairs.images]
    assert write_captions(pieces.model, pieces.pairs.images, pieces.tokenizer, 6) == expected
    assert any(expected)


class Reciting:
    """Stands in for a model: says given tokens, whatever it sees, after a [PAD] that it likes even better."""

    def __init__(self, rows, pad_id):
        self.rows, self.pad_id, self.asked = rows, pad_id, 0

    def __call__(self, inputs):
        return States(inputs.features, inputs.token_ids)

    def language_logits(self, states, rows):
        self.asked += 1
        logits = np.zeros((len(self.rows), 400), np.float32)
        logits[:, self.pad_id] = 9
        logits[np.arange(len(self.rows)), [row[min(self.asked, len(row)) - 1] for row in self.rows]] = 5
        return paddle.to_tensor(logits)


@pytest.mark.parametrize(("longest", "written", "asked"), [(9, ["two cats", "a pond near", ""], 4), (1, None, 1)])
def test_each_ends_at_its_own_sep(pieces, longest, written, asked):
    tokenizer = pieces.tokenizer
    told = [tokenizer.encode_batch([text])[0].ids.tolist() for text in ("two cats", "a pond near", "")]
    model = Reciting([[*ids, tokenizer.sep] for ids in told], tokenizer.pad)
    found = write_captions(model, pieces.pairs.images[:3], tokenizer, longest)
    assert model.asked == (max(len(ids) for ids in told) + 1 if written else asked)
    assert found == written if written else found[2] == ""
