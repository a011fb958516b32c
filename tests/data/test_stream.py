import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unimo_paddle.corpus import Corpus, CorpusWriter, Image, Negative, Pair, Rewrites
from unimo_paddle.data import stream
from unimo_paddle.data.batch import PairBatch, Sequences
from unimo_paddle.data.encode import TextRow
from unimo_paddle.data.prefetch import Prefetch
from unimo_paddle.data.stream import PairSettings, PairStream
from unimo_paddle.data.tokenizer import Tokenizer, train_tokenizer
from unimo_paddle.errors import UserError
from unimo_paddle.regions import Regions, RegionStore, RegionStoreWriter, StoreMeta

IMAGES, CAPTIONS = 7, 3
SETTINGS = PairSettings(batch_pairs=4, max_tokens=40, max_regions=5, positives=2, negatives=3)


def caption(pair: int) -> str:
    return f"a photo of {pair} dogs and one cat near pond {pair}"


def rewrites_of(pair: int) -> Rewrites:
    """Pair 0 has none at all, pair 1 too few, the others more negatives than a step takes."""
    positives, negatives = {0: (0, 0), 1: (1, 2)}.get(pair, (2, 6))
    return Rewrites(
        tuple(f"right {pair} number {k}" for k in range(positives)),
        tuple(Negative(f"wrong {pair} number {k}", "word", "") for k in range(negatives)),
    )


def regions_of(number: int) -> Regions:
    """2 + number regions; every number of their features is number + 1."""
    n = 2 + number
    boxes = np.array([[10 * i, 0, 10 * i + 8, 30] for i in range(n)], np.float32)
    return Regions(np.full((n, 4), number + 1, np.float32), boxes, np.full((n, 3), 1 / 3, np.float32), 200, 100)


def write_store(path: Path, images: int) -> RegionStore:
    meta = StoreMeta("test", 4, ("__background__", "dog", "cat"), 2, "none")
    with RegionStoreWriter(path, meta, images_per_shard=3) as writer:
        for number in range(images):
            writer.append(f"image{number}", regions_of(number))
    return RegionStore(path)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    path = tmp_path_factory.mktemp("corpus")
    with CorpusWriter(path, "captions", "1") as writer:
        for i in range(IMAGES * CAPTIONS):
            writer.add("train", Pair(f"pair{i}", f"image{i // CAPTIONS}", caption(i)))
    shards = Corpus(path).pairs("train").shards
    with CorpusWriter(path, "rewrites-train", "1") as writer:
        for shard in shards:
            writer.add_rewrites(shard, [rewrites_of(i) for i in range(shard.rows)])
    return Corpus(path)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer([caption(i) for i in range(30)] + ["right wrong number"], 300, lowercase=False)


@pytest.fixture(scope="module")
def make(corpus: Corpus, tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Any:
    store = write_store(tmp_path_factory.mktemp("regions"), IMAGES)

    def make_stream(seed: int = 0, rank: int = 0, world: int = 1, **changes: Any) -> PairStream:
        return PairStream(corpus, "train", store, tokenizer, replace(SETTINGS, **changes), seed, rank, world)

    return make_stream


def numbers(ids: list[str]) -> list[int]:
    return [int(pair_id.removeprefix("pair")) for pair_id in ids]


def arrays(batch: PairBatch) -> list[np.ndarray]:
    parts = [batch.language, batch.language_labels, batch.visual, batch.visual_labels, batch.contrast]
    return [array for part in parts for array in vars(part).values()] + [batch.is_positive, batch.is_real]


def equal(one: PairBatch, other: PairBatch) -> bool:
    same = all(np.array_equal(a, b) for a, b in zip(arrays(one), arrays(other), strict=True))
    return same and one.ids == other.ids and one.objective == other.objective


def texts(batch: Sequences, tokenizer: Tokenizer) -> list[str]:
    return [tokenizer.decode(row) for row in batch.token_ids]


def unpadded(batch: Sequences, b: int) -> list[list[float]]:
    is_pad = batch.is_pad[b]
    image, text = ~is_pad[: batch.features.shape[1]], ~is_pad[batch.features.shape[1] :]
    parts = (batch.features[b][image], batch.token_ids[b][text], batch.positions[b][text], batch.reach[b][~is_pad])
    return [part.tolist() for part in parts]


def test_a_batch_is_a_pure_function_of_seed_and_step(make: Any) -> None:
    stream = make()
    forwards = [stream.batch(step) for step in range(12)]
    fresh = make()
    assert all(equal(fresh.batch(step), forwards[step]) for step in reversed(range(12)))
    assert not equal(make(seed=1).batch(0), forwards[0])


def test_an_epoch_visits_each_pair_once_and_the_next_one_in_another_order(make: Any) -> None:
    stream, total = make(), IMAGES * CAPTIONS
    seen = [number for step in range(12) for number in numbers(stream.batch(step).ids)]
    assert sorted(seen[:total]) == sorted(seen[total : 2 * total]) == list(range(total))
    assert seen[:total] != seen[total : 2 * total]


@pytest.mark.parametrize("world", [2, 4])
def test_the_batch_of_all_ranks_does_not_depend_on_how_many_they_are(make: Any, world: int) -> None:
    for step in range(6):
        whole, parts = make().batch(step), [make(rank=rank, world=world).batch(step) for rank in range(world)]
        assert whole.ids == [pair_id for part in parts for pair_id in part.ids]
        assert {part.objective for part in parts} == {whole.objective}
        for name in ("language", "visual", "contrast"):
            rows = [unpadded(getattr(whole, name), b) for b in range(len(getattr(whole, name).token_ids))]
            of_parts = [getattr(part, name) for part in parts]
            assert rows == [unpadded(part, b) for part in of_parts for b in range(len(part.token_ids))]
        targets = np.concatenate([part.language_labels.targets for part in parts])
        assert np.array_equal(whole.language_labels.targets, targets)
        assert np.array_equal(whole.is_real, np.concatenate([part.is_real for part in parts]))


def test_contrast_rows_are_the_caption_its_positives_and_its_negatives(make: Any, tokenizer: Tokenizer) -> None:
    stream, seen = make(), set()
    for step in range(18):
        batch = stream.batch(step)
        rows = texts(batch.contrast, tokenizer)
        for b, pair in enumerate(numbers(batch.ids)):
            first, *others = rows[6 * b : 6 * b + 6]
            assert first == caption(pair)
            assert batch.is_positive[b].tolist() == [True] * 3 + [False] * 3
            prepared, is_real = rewrites_of(pair), batch.is_real[b]
            real = [text for text, counts in zip(others, is_real[1:], strict=True) if counts]
            n_positives, n_negatives = min(len(prepared.positives), 2), min(len(prepared.negatives), 3)
            assert is_real[0] and len(set(real)) == len(real) == n_positives + n_negatives
            assert is_real[1:3].sum() == n_positives and is_real[3:].sum() == n_negatives
            assert set(real[:n_positives]) == set(prepared.positives)
            assert set(real[n_positives:]) <= {negative.text for negative in prepared.negatives}
            seen |= set(real[n_positives:])
            image = batch.contrast.features[6 * b : 6 * b + 6]
            assert (image == image[0]).all() and image[0, 1, 0] == pair // CAPTIONS + 1
    assert len(seen) > 1.5 * (19 * 3 + 2)  # an epoch's choice is not the next one's


def test_language_sees_the_image_and_its_labels_give_the_caption_back(make: Any, tokenizer: Tokenizer) -> None:
    stream, objectives = make(), []
    for step in range(60):
        batch = stream.batch(step)
        objectives.append(batch.objective)
        rows, targets = batch.language_labels.rows, batch.language_labels.targets
        ids = batch.language.token_ids.copy()
        if batch.objective == "bidirectional":
            ids.reshape(-1)[rows] = targets
            assert texts(replace(batch.language, token_ids=ids), tokenizer) == [caption(n) for n in numbers(batch.ids)]
            assert not batch.language.reach.any()
        else:
            assert np.array_equal(ids.reshape(-1)[rows + 1], targets)
            assert batch.language.reach.max(axis=1).min() > 0
        assert np.array_equal(batch.language.features[:, 1, 0] - 1, np.array(numbers(batch.ids)) // CAPTIONS)
    assert 20 <= objectives.count("seq2seq") <= 40


def test_visual_sees_the_caption_and_hides_regions(make: Any, tokenizer: Tokenizer) -> None:
    batch = make().batch(3)
    assert texts(batch.visual, tokenizer) == [caption(n) for n in numbers(batch.ids)]
    flat = batch.visual.features.reshape(-1, 4)
    assert not flat[batch.visual_labels.rows].any() and (batch.visual_labels.features > 0).all()
    assert batch.visual.features.shape[1] == SETTINGS.max_regions + 1


def test_shuffled_captions_move_together_to_another_image(make: Any) -> None:
    plain, shuffled = make(), make(shuffle_captions=True)
    shown: dict[int, set[int]] = {}
    for step in range(12):
        batch = shuffled.batch(step)
        assert batch.ids == plain.batch(step).ids
        for b, pair in enumerate(numbers(batch.ids)):
            row = {int(batch.contrast.features[6 * b, 1, 0]) - 1, int(batch.language.features[b, 1, 0]) - 1}
            shown.setdefault(pair // CAPTIONS, set()).update(row)
    assert all(len(others) == 1 and own not in others for own, others in shown.items())
    assert set().union(*shown.values()) == set(range(IMAGES))
    assert np.array_equal(shuffled.batch(0).contrast.token_ids, plain.batch(0).contrast.token_ids)


def test_without_rewrites_asked_the_group_is_the_pair_alone(make: Any) -> None:
    batch = make(positives=0, negatives=0).batch(0)
    assert batch.is_positive.tolist() == batch.is_real.tolist() == [[True]] * 4
    assert len(batch.contrast.token_ids) == 4


def test_images_without_regions_are_counted_and_named(corpus: Corpus, tokenizer: Tokenizer, tmp_path: Path) -> None:
    store = write_store(tmp_path, 1)
    message = r"6 of 7 images .* \(image1, image2, image3, image4, image5, \.\.\.\); .*extract\.py"
    with pytest.raises(UserError, match=message):
        PairStream(corpus, "train", store, tokenizer, SETTINGS, seed=0)


@pytest.mark.parametrize(
    "pairs, shuffle, message",
    [(0, False, "split 'train' of .* has no pairs"), (1, True, "captions cannot be shuffled among 1 image")],
)
def test_too_few_pairs_are_refused(
    tokenizer: Tokenizer, tmp_path: Path, pairs: int, shuffle: bool, message: str
) -> None:
    store, settings = write_store(tmp_path / "regions", 1), replace(SETTINGS, shuffle_captions=shuffle)
    with CorpusWriter(tmp_path, "images", "1") as writer:
        writer.add("train", Image("image0", tmp_path / "0.png", 200, 100))
        for i in range(pairs):
            writer.add("train", Pair(f"pair{i}", "image0", caption(i)))
    with pytest.raises(UserError, match=message):
        PairStream(Corpus(tmp_path), "train", store, tokenizer, replace(settings, positives=0, negatives=0), seed=0)


def test_an_uneven_share_is_refused(make: Any) -> None:
    with pytest.raises(UserError, match="batch of 4 pairs cannot be shared out evenly to 3"):
        make(world=3)


# Prefetch -----------------------------------------------------------------------------------------------------


def threads() -> int:
    return sum(thread.name.startswith("prefetch") for thread in threading.enumerate())


def test_prefetch_gives_the_same_batches(make: Any) -> None:
    stream = make()
    with Prefetch(stream.batch, start=2) as ahead:
        assert all(equal(ahead.batch(step), make().batch(step)) for step in range(2, 8))


def test_prefetch_computes_in_order_and_ahead_but_not_without_bound() -> None:
    computed: list[int] = []

    def compute(step: int) -> int:
        computed.append(step)
        return 10 * step

    with Prefetch(compute, start=5, depth=2) as ahead:
        assert [ahead.batch(step) for step in (5, 6, 7)] == [50, 60, 70]
        deadline = time.monotonic() + 5
        while len(computed) < 5 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)
        assert computed == [5, 6, 7, 8, 9]
        assert ahead.batch(3) == 30 and ahead.batch(4) == 40  # a step out of order is right too
    assert threads() == 0


def test_prefetch_passes_a_fault_on_at_its_step() -> None:
    def compute(step: int) -> int:
        if step == 2:
            raise UserError("shard 2 is damaged")
        return step

    with Prefetch(compute) as ahead:
        assert [ahead.batch(0), ahead.batch(1)] == [0, 1]
        with pytest.raises(UserError, match="shard 2"):
            ahead.batch(2)
        assert ahead.batch(3) == 3
    assert threads() == 0


def test_the_same_words_belong_to_each_others_images():
    def example(image_id, ids):
        row = TextRow(np.array(ids), np.arange(2, 2 + len(ids)), np.ones(len(ids), bool))
        return stream._Example(image_id, image_id, None, [row], [True], [True], np.random.default_rng(0))

    a, b, c = example("1", [0, 7, 2]), example("2", [0, 7, 2]), example("1", [0, 9, 2])
    other = example("3", [0, 9, 8, 2])
    assert stream._belongs(a, b) and stream._belongs(a, c) and not stream._belongs(b, c)
    assert not stream._belongs(a, other)
