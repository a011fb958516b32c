import numpy as np
import pytest

from tests.reference import masking as oracle
from unimo_paddle.data import masking, patterns
from unimo_paddle.data.batch import Sequences, language_labels, pad, visual_labels
from unimo_paddle.data.encode import ImageRow, TextRow


def text(*ids: int) -> TextRow:
    return TextRow(np.array(ids, np.int64), np.arange(len(ids)) + 2, np.ones(len(ids), np.bool_))


def image(n: int, seed: int = 0) -> ImageRow:
    rng = np.random.default_rng(seed)
    features, locations, class_probs, boxes = (rng.random((n, width)).astype(np.float32) for width in (3, 5, 2, 4))
    return ImageRow(features, locations, class_probs, boxes)


def reads(batch: Sequences, b: int) -> list[list[bool]]:
    """Who reads whom in row b, by the rule of data/patterns.py, in plain loops."""
    reach, group, is_pad = batch.reach[b], batch.group[b], batch.is_pad[b]
    size = range(len(reach))
    return [[bool(reach[i] >= reach[j] and group[i] == group[j] and not is_pad[j]) for j in size] for i in size]


def test_two_pairs_by_hand() -> None:
    images, texts = [image(2), image(3, seed=1)], [text(0, 7, 8, 2), text(0, 2)]
    batch = pad(images, texts, [patterns.image_prefix(2, 2, 2), patterns.bidirectional(3, 2)])
    assert batch.token_ids.tolist() == [[0, 7, 8, 2], [0, 2, 1, 1]]
    assert batch.positions.tolist() == [[2, 3, 4, 5], [2, 3, 1, 1]]
    assert batch.reach.tolist() == [[0, 0, 0, 0, 0, 1, 2], [0, 0, 0, 0, 0, 0, 0]]
    assert batch.is_pad.astype(int).tolist() == [[0, 0, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 1]]
    assert np.array_equal(batch.features[0, :2], images[0].features) and not batch.features[0, 2].any()
    assert np.array_equal(batch.locations[1], images[1].locations) and not batch.locations[0, 2].any()
    assert [part.dtype for part in vars(batch).values() if part is not None] == [
        np.float32,
        np.float32,
        np.int64,
        np.int64,
        np.int32,
        np.int32,
        np.bool_,
    ]


def test_pad_rows_keep_reach_from_falling_and_stay_in_their_group() -> None:
    batch = pad(
        [image(1), image(2)], [text(0, 2), text(0, 5, 2)], [patterns.separate(1, 2), patterns.image_prefix(2, 1, 2)]
    )
    assert batch.group.tolist() == [[0, 0, 1, 1, 1], [0, 0, 0, 0, 0]]
    assert batch.reach.tolist() == [[0, 0, 0, 0, 0], [0, 0, 0, 1, 2]]
    source_padded = pad([], [text(0, 9), text(0, 5, 2)], [patterns.seq2seq(1, 1), patterns.seq2seq(1, 2)])
    assert source_padded.reach.tolist() == [[0, 1, 1], [0, 1, 2]]


def test_texts_alone_and_images_alone() -> None:
    texts = pad([], [text(0, 2), text(0, 4, 2)], [patterns.bidirectional(0, 2), patterns.bidirectional(0, 3)])
    assert texts.features.shape == (2, 0, 0) and texts.locations.shape == (2, 0, 5)
    assert texts.is_pad.astype(int).tolist() == [[0, 0, 1], [0, 0, 0]]
    images = pad([image(3), image(1)], [], [patterns.bidirectional(3, 0), patterns.bidirectional(1, 0)])
    assert images.token_ids.shape == images.positions.shape == (2, 0) and images.token_ids.dtype == np.int64
    assert images.is_pad.astype(int).tolist() == [[0, 0, 0], [0, 1, 1]]


@pytest.mark.parametrize("seed", range(15))
def test_who_reads_whom_under_seq2seq_equals_the_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cut = [masking.cut_fragments(text(0, *range(100, 100 + n), 2), rng) for n in rng.integers(1, 40, 3)]
    images = [image(int(n)) for n in rng.integers(1, 6, 3)]
    batch = pad(
        images,
        [one.text for one in cut],
        [
            patterns.image_prefix(len(i.features), one.n_source, one.n_target)
            for i, one in zip(images, cut, strict=True)
        ],
    )
    for b, (own, one) in enumerate(zip(images, cut, strict=True)):
        real = np.flatnonzero(~batch.is_pad[b])
        n_image, n_text = len(own.features), one.n_source + one.n_target
        matrix = np.array(reads(batch, b))
        slow = [
            [oracle.may_read(i, j, n_image, one.n_source, n_text) for j in range(len(real))] for i in range(len(real))
        ]
        assert len(real) == n_image + n_text and matrix[np.ix_(real, real)].tolist() == slow
        assert not matrix[:, batch.is_pad[b]].any()


@pytest.mark.parametrize("seed", range(15))
def test_labels_point_at_their_rows_in_the_padded_batch(seed: int) -> None:
    rng = np.random.default_rng(seed)
    texts = [text(0, *rng.integers(5, 900, n).tolist(), 2) for n in rng.integers(0, 30, 4)]
    images = [image(int(n), seed) for n in rng.integers(2, 8, 4)]
    spans = [masking.mask_spans(one, rng, mask_id=999) for one in texts]
    regions = [masking.mask_regions(one, rng) for one in images]
    originals = pad(
        images, texts, [patterns.bidirectional(len(i.features), len(t.ids)) for i, t in zip(images, texts, strict=True)]
    )
    words = language_labels(spans, originals.token_ids.shape[1])
    assert np.array_equal(originals.token_ids.reshape(-1)[words.rows], words.targets)
    assert len(words.rows) == sum(len(one.labelled) for one in spans)
    visual = visual_labels(regions, images, originals.features.shape[1])
    assert np.array_equal(originals.features.reshape(-1, 3)[visual.rows], visual.features)
    assert (visual.rows % originals.features.shape[1] > 0).all()  # [IMG] is never a target
    expected = [images[b].class_probs[row] for b, one in enumerate(regions) for row in one.masked]
    assert np.array_equal(visual.class_probs, expected)
