"""Written texts behind their prompts: the same batch as if they had been targets from the start."""

from dataclasses import replace

import numpy as np
import paddle
import pytest

from tests.tasks.task_parts import CLS, SEP, SHAPES_OF, make_generate, make_model
from unimo_paddle.data.continuation import continued
from unimo_paddle.model.inputs import to_read, to_tensors


def logits_of(model, sequences, labels):
    read = to_read(sequences, text=labels.rows)
    return model.language_logits(model(to_tensors(sequences), read)).numpy()


@pytest.mark.parametrize("name", ["generate", "dialogue"])
def test_the_parts_own_targets_are_scored_as_in_the_part(name):
    paddle.seed(3)
    part, model = make_generate(name == "dialogue"), make_model(SHAPES_OF[name][1])
    model.eval()
    counts = np.bincount(part.labels.rows // part.sequences.token_ids.shape[1])
    targets = np.split(part.labels.targets, np.cumsum(counts)[:-1])
    sequences, labels = continued(part.prompt, targets, CLS)
    assert np.array_equal(labels.targets, part.labels.targets)
    found, expected = logits_of(model, sequences, labels), logits_of(model, part.sequences, part.labels)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_by_hand():
    part = make_generate()
    targets = [np.array(one) for one in ([7, SEP], [8], [9, 9, SEP], [SEP], [5, 6], [4, SEP])]
    sequences, labels = continued(part.prompt, targets, CLS)
    given = part.prompt.token_ids.shape[1]
    assert sequences.token_ids[:, given:].tolist() == [[0, 7, 1], [0, 1, 1], [0, 9, 9], [0, 1, 1], [0, 5, 1], [0, 4, 1]]
    assert sequences.positions[0, given:].tolist() == [2, 3, 1]
    assert sequences.reach[0, -3:].tolist() == [1, 2, 2]
    assert sequences.is_pad[:, -3:].sum() == 18 - 11
    assert sequences.image_of.tolist() == [0, 0, 1, 1, 2, 2]
    assert sequences.features is part.prompt.features
    assert labels.targets.tolist() == [7, 2, 8, 9, 9, 2, 2, 5, 6, 4, 2]
    width = given + 3
    assert labels.rows.tolist()[:3] == [given, given + 1, width + given]
    sequence = labels.rows // width
    assert sequence.tolist() == [0, 0, 1, 2, 2, 2, 3, 4, 4, 5, 5]


def test_without_images_and_with_shared_ones():
    part = make_generate()
    prompt, regions = part.prompt, part.prompt.features.shape[1]
    alone = replace(
        prompt,
        features=prompt.features[:, :0],
        locations=prompt.locations[:, :0],
        reach=prompt.reach[:, regions:],
        group=prompt.group[:, regions:],
        is_pad=prompt.is_pad[:, regions:],
    )
    targets = [np.array([7, SEP])] * 6
    sequences, _ = continued(alone, targets, CLS)
    assert sequences.image_of is None
    assert sequences.features.shape == (6, 0, prompt.features.shape[2])
    to_tensors(sequences)
    shared = replace(prompt, features=prompt.features[:2], locations=prompt.locations[:2], image_of=np.array([0, 1, 1]))
    assert continued(shared, targets, CLS)[0].image_of.tolist() == [0, 0, 1, 1, 1, 1]
