from collections import Counter

import numpy as np
import pytest

from tests.reference import masking as oracle
from unimo_paddle.data import masking
from unimo_paddle.data.encode import ImageRow, TextRow

CLS, SEP, MASK = 0, 2, 9999


def text(n: int, word: int = 1, first: int = 100) -> TextRow:
    """A row of n different tokens, `word` tokens a word, wrapped in [CLS] and [SEP]."""
    ids = np.array([CLS, *range(first, first + n), SEP], np.int64)
    word_start = np.array([True, *(i % word == 0 for i in range(n)), True], np.bool_)
    return TextRow(ids, np.arange(n + 2) + 2, word_start)


def image(boxes: list[list[int]], seed: int = 0) -> ImageRow:
    rng = np.random.default_rng(seed)
    whole = np.array([[0, 0, 100, 100], *boxes], np.float32)
    features = rng.random((len(whole), 4)).astype(np.float32)
    features[0] = features[1:].mean(axis=0)
    return ImageRow(features, whole.repeat(2, axis=1)[:, :5] / 100, np.eye(len(whole), dtype=np.float32), whole)


def random_boxes(seed: int, n: int = 12) -> list[list[int]]:
    corners = np.random.default_rng(seed).integers(0, 30, (n, 2, 2))
    low, high = corners.min(axis=1), corners.max(axis=1) + 1
    return np.concatenate((low, high), axis=1).tolist()


# Spans --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_spans_are_whole_words_and_reach_the_rate(seed: int) -> None:
    n = int(np.random.default_rng(seed).integers(1, 120))
    row = text(n, word=1 + seed % 4)
    hidden = masking.mask_spans(row, np.random.default_rng(seed), MASK)
    chosen = set(hidden.labelled.tolist())
    for word in oracle.words(row.word_start.tolist()):
        assert chosen.isdisjoint(word) or chosen.issuperset(word)
    assert 0.15 * n <= len(chosen) < 0.15 * n + 1 + seed % 4
    assert chosen.isdisjoint({0, n + 1})
    assert hidden.targets.tolist() == [row.ids[place] for place in sorted(chosen)]
    untouched = [place for place in range(n + 2) if place not in chosen]
    assert np.array_equal(hidden.text.ids[untouched], row.ids[untouched])
    assert np.array_equal(hidden.text.positions, row.positions)


def test_a_span_has_one_fate_as_a_whole() -> None:
    row = text(6, word=6)
    fates: Counter[str] = Counter()
    for seed in range(3000):
        hidden = masking.mask_spans(row, np.random.default_rng(seed), MASK)
        assert hidden.labelled.tolist() == [1, 2, 3, 4, 5, 6]
        words = hidden.text.ids[1:-1]
        kind = "mask" if words[0] == MASK else "same" if words[0] == 100 else "random"
        fates[kind] += 1
        assert (words == MASK).all() if kind == "mask" else (words != MASK).all()
        assert kind != "same" or np.array_equal(words, row.ids[1:-1])
        assert kind != "random" or (words >= masking.FIRST_ORDINARY_ID).all()
    assert abs(fates["mask"] / 3000 - 0.8) < 0.03 and abs(fates["random"] / 3000 - 0.1) < 0.02


def test_share_of_hidden_and_replaced_tokens_over_many_texts() -> None:
    row, chosen, masked, kept = text(400, word=2), 0, 0, 0
    for seed in range(150):
        hidden = masking.mask_spans(row, np.random.default_rng(seed), MASK)
        read = hidden.text.ids[hidden.labelled]
        chosen, masked, kept = chosen + len(read), masked + (read == MASK).sum(), kept + (read == hidden.targets).sum()
    assert abs(chosen / (150 * 400) - 0.15) < 0.005
    assert abs(masked / chosen - 0.8) < 0.04 and abs(kept / chosen - 0.1) < 0.03


def test_span_lengths_follow_spanbert() -> None:
    mean = float(masking._SPAN_CHANCES @ masking._SPAN_LENGTHS)
    assert mean == pytest.approx(3.797, abs=1e-3)  # "mean 3.8"
    row = text(4000)
    spans = [span for seed in range(20) for span in masking._choose_spans(row, np.random.default_rng(seed), 0.05)]
    lengths = Counter(end - begin for begin, end in spans)
    assert max(lengths) == 10
    # A few are shorter than drawn because they meet another span.
    assert lengths[1] / len(spans) == pytest.approx(masking._SPAN_CHANCES[0], abs=0.04)
    assert sum(length * count for length, count in lengths.items()) / len(spans) == pytest.approx(3.7, abs=0.2)


def test_every_place_of_a_text_is_hidden_at_times() -> None:
    # The first words least: spans grow to the right, so few reach them (as in SpanBERT).
    counts = np.zeros(22)
    for seed in range(2000):
        counts[masking.mask_spans(text(20), np.random.default_rng(seed), MASK).labelled] += 1
    assert counts[0] == counts[-1] == 0
    assert counts[1:-1].min() > 0.4 * counts[1:-1].mean()


def test_a_text_without_words_hides_nothing() -> None:
    hidden = masking.mask_spans(text(0), np.random.default_rng(0), MASK)
    assert hidden.text.ids.tolist() == [CLS, SEP] and len(hidden.labelled) == len(hidden.targets) == 0


def test_a_first_token_inside_a_word_is_still_hidden() -> None:
    row = text(1)
    row.word_start[1] = False
    assert masking.mask_spans(row, np.random.default_rng(0), MASK).labelled.tolist() == [1]


# Fragments ----------------------------------------------------------------------------------------------------


def fragments_of(cut: masking.CutText) -> list[tuple[int, int]]:
    """Read the fragments back from the target, by the ids of `text`."""
    target = cut.text.ids[cut.n_source :].tolist()
    pieces, piece = [], []
    for token in target[1:]:
        if token == SEP:
            pieces.append((piece[0] - 100, piece[-1] + 1 - 100))
            assert piece == list(range(piece[0], piece[-1] + 1))
        piece = [*piece, token] if token not in (SEP, CLS) else []
    return pieces


def test_one_fragment_token_by_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "_choose_fragments", lambda *_: [(1, 5)])
    cut = masking.cut_fragments(text(7, word=2), np.random.default_rng(0))
    assert cut.text.ids.tolist() == [0, 100, 105, 106, 2, 0, 101, 102, 103, 104, 2]
    assert cut.text.positions.tolist() == [2, 3, 4, 5, 6, 2, 3, 4, 5, 6, 7]
    assert cut.labelled.tolist() == [5, 6, 7, 8, 9]
    assert cut.targets.tolist() == [101, 102, 103, 104, SEP]
    assert (cut.n_source, cut.n_target) == (5, 6)
    assert cut.text.word_start.tolist() == [True, True, False, True, True, True, False, True, False, True, True]


def test_two_fragments_token_by_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "_choose_fragments", lambda *_: [(0, 2), (3, 4)])
    cut = masking.cut_fragments(text(5), np.random.default_rng(0))
    assert cut.text.ids.tolist() == [0, 102, 104, 2, 0, 100, 101, 2, 0, 103, 2]
    assert cut.text.positions.tolist() == [2, 3, 4, 5, 2, 3, 4, 5, 2, 3, 4]
    assert cut.labelled.tolist() == [4, 5, 6, 8, 9]
    assert cut.targets.tolist() == [100, 101, SEP, 103, SEP]


@pytest.mark.parametrize("seed", range(60))
def test_cut_equals_the_slow_one_and_loses_nothing(seed: int) -> None:
    n = int(np.random.default_rng(seed).integers(1, 300)) if seed >= 12 else seed + 1
    row = text(n)
    cut = masking.cut_fragments(row, np.random.default_rng(seed))
    fragments = fragments_of(cut)
    slow = oracle.cut(row.ids.tolist(), fragments)
    assert cut.text.ids.tolist() == slow["ids"] and cut.text.positions.tolist() == slow["positions"]
    assert cut.labelled.tolist() == slow["labelled"] and cut.targets.tolist() == slow["targets"]
    assert cut.n_source + cut.n_target == len(slow["ids"])
    assert CLS not in cut.targets
    assert fragments == sorted(fragments)
    taken = [i for begin, end in fragments for i in range(begin, end)]
    assert len(set(taken)) == len(taken) and 0.25 * n <= len(taken) < 0.25 * n + 32


def test_fragment_lengths_are_uniform_from_4_to_32() -> None:
    lengths = [
        end - begin
        for seed in range(1500)
        for begin, end in masking._choose_fragments(2000, np.random.default_rng(seed), 0.001)
    ]
    counts = Counter(lengths)
    assert set(counts) == set(range(4, 33))
    assert max(counts.values()) < 2 * min(counts.values())


@pytest.mark.parametrize("n, lengths", [(1, {1}), (3, {3}), (4, {4}), (6, {4, 5, 6})])
def test_short_texts_bound_the_fragment(n: int, lengths: set[int]) -> None:
    cuts = [masking.cut_fragments(text(n), np.random.default_rng(seed)) for seed in range(60)]
    assert {end - begin for cut in cuts for begin, end in fragments_of(cut)} == lengths


def test_a_text_without_words_has_no_target() -> None:
    cut = masking.cut_fragments(text(0), np.random.default_rng(0))
    assert (cut.text.ids.tolist(), cut.n_source, cut.n_target, len(cut.labelled)) == ([CLS, SEP], 2, 0, 0)


# Regions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_overlaps_equal_counted_pixels(seed: int) -> None:
    boxes, others = random_boxes(seed, 6), random_boxes(seed + 100, 4)
    fast = masking.box_overlaps(np.array(boxes, np.float32), np.array(others, np.float32))
    slow = [[oracle.overlap(one, other) for other in others] for one in boxes]
    assert np.allclose(fast, slow, atol=1e-6)


def test_boxes_without_area_overlap_nothing() -> None:
    flat = np.array([[3, 3, 3, 3]], np.float32)
    assert masking.box_overlaps(flat, flat).tolist() == [[0]]


def test_overlapping_neighbours_of_the_anchor_are_hidden_by_hand() -> None:
    # 1 and 2 share half their union; 3 touches 1 by a fifth of the union, under 0.3; 4 stands alone.
    boxes = [[0, 0, 30, 10], [10, 0, 40, 10], [0, 0, 10, 6], [60, 60, 90, 90]]
    seen = set()
    for seed in range(40):
        hidden = masking.mask_regions(image(boxes), np.random.default_rng(seed), rate=0.0)
        seen.add(tuple(hidden.masked.tolist()))
    assert seen == {(1, 2), (3,), (4,)}


@pytest.mark.parametrize("seed", range(30))
def test_one_anchor_hides_exactly_its_neighbours(seed: int) -> None:
    boxes = random_boxes(seed)
    hidden = masking.mask_regions(image(boxes), np.random.default_rng(seed), rate=0.0)
    around = [[j + 1 for j, other in enumerate(boxes) if oracle.overlap(anchor, other) > 0.3] for anchor in boxes]
    assert hidden.masked.tolist() in around


@pytest.mark.parametrize("seed", range(30))
def test_nothing_the_model_reads_depends_on_hidden_features(seed: int) -> None:
    original = image(random_boxes(seed), seed)
    before = original.features.copy()
    first = masking.mask_regions(original, np.random.default_rng(seed))
    changed = original.features.copy()
    changed[first.masked] = 77
    changed[0] = changed[1:].mean(axis=0)
    other = ImageRow(changed, original.locations, original.class_probs, original.boxes)
    second = masking.mask_regions(other, np.random.default_rng(seed))
    assert np.array_equal(first.image.features, second.image.features)
    assert (first.image.features[first.masked] == 0).all() and 0 not in first.masked
    visible = [i for i in range(1, 13) if i not in first.masked]
    assert np.array_equal(first.image.features[visible], before[visible])
    expected = before[visible].mean(axis=0) if visible else np.zeros(4)
    assert np.allclose(first.image.features[0], expected, atol=1e-6)
    assert np.array_equal(original.features, before)


def test_share_of_anchors_is_15_percent() -> None:
    apart = image([[10 * i, 0, 10 * i + 5, 5] for i in range(50)])
    counts = [len(masking.mask_regions(apart, np.random.default_rng(seed)).masked) for seed in range(400)]
    assert abs(sum(counts) / (400 * 50) - 0.15) < 0.01


def test_the_only_region_is_hidden_and_leaves_an_empty_mean() -> None:
    hidden = masking.mask_regions(image([[0, 0, 9, 9]]), np.random.default_rng(0))
    assert hidden.masked.tolist() == [1] and not hidden.image.features.any()
