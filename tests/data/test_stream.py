from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.small_corpus import (
    CAPTIONS,
    IMAGES,
    SETTINGS,
    caption,
    neighbours_of,
    rewrites_of,
    sentence,
    write_corpus,
    write_store,
)
from tests.data.view import View, merged, view
from unimo_paddle.corpus import Corpus, CorpusWriter, Image, Pair
from unimo_paddle.data.batch import Batch, ContrastPart, Parts, Sequences
from unimo_paddle.data.batch import sequences_of as sequences_in
from unimo_paddle.data.prefetch import Prefetch
from unimo_paddle.data.stream import PairStream, objective_of
from unimo_paddle.data.tokenizer import Tokenizer, train_tokenizer
from unimo_paddle.errors import UserError


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    texts = [caption(i) for i in range(30)] + ["right wrong number", sentence(3)]
    return train_tokenizer(texts, 300, lowercase=False)


@pytest.fixture(scope="module")
def make(corpus: Corpus, tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Any:
    store = write_store(tmp_path_factory.mktemp("regions"), "image", IMAGES)
    found = write_store(tmp_path_factory.mktemp("found"), "found", 10, first=20)

    def make_stream(seed: int = 0, rank: int = 0, world: int = 1, **changes: Any) -> Viewed:
        return Viewed(corpus, "train", store, tokenizer, replace(SETTINGS, **changes), seed, rank, world, found)

    return make_stream


class Viewed(PairStream):
    """A stream whose batches' parts have names, and whose candidates are in the order of the pairs."""

    def batch(self, step: int) -> View:  # type: ignore[override]
        found = view(super().batch(step))
        if found.contrast is None:
            return found
        chunks = {name: merged(getattr(found.contrast, name)) for name in ("joint", "images", "texts")}
        return replace(found, contrast=replace(found.contrast, **chunks))


def numbers(ids: list[str]) -> list[int]:
    return [int(pair_id.removeprefix("pair")) for pair_id in ids]


def arrays(part: Any) -> list[np.ndarray]:
    """Every array of a batch or a part of one, in the order of the fields."""
    if isinstance(part, np.ndarray):
        return [part]
    return [array for one in getattr(part, "__dict__", {}).values() for array in arrays(one)]


def equal(one: View, other: View) -> bool:
    same = all(np.array_equal(a, b) for a, b in zip(arrays(one), arrays(other), strict=True))
    return same and one.ids == other.ids


def texts(batch: Sequences, tokenizer: Tokenizer) -> list[str]:
    return [tokenizer.decode(row) for row in batch.token_ids]


def sequences_of(batch: View) -> list[Sequences]:
    """All that the encoder reads of a batch with every part."""
    contrast = batch.contrast
    hidden = [batch.language.sequences, batch.visual.sequences]
    return [*hidden, contrast.joint, contrast.images, contrast.texts, batch.apart]


def unpadded(batch: Sequences, b: int) -> list[list[float]]:
    is_pad = batch.is_pad[b]
    image, text = ~is_pad[: batch.features.shape[1]], ~is_pad[batch.features.shape[1] :]
    shown = b if batch.image_of is None else batch.image_of[b]
    words = (batch.token_ids[b][text], batch.positions[b][text])
    parts = (batch.features[shown][image], *words, batch.reach[b][~is_pad])
    return [part.tolist() for part in parts]


def test_a_batch_is_a_pure_function_of_seed_and_step(make: Any) -> None:
    stream = make()
    forwards = [stream.batch(step) for step in range(12)]
    fresh = make()
    assert all(equal(fresh.batch(step), forwards[step]) for step in reversed(range(12)))
    assert not equal(make(seed=1).batch(0), forwards[0])


def test_an_epoch_visits_each_pair_once_and_the_next_one_in_another_order(make: Any) -> None:
    stream, steps, left_out = make(), IMAGES * CAPTIONS // 4, IMAGES * CAPTIONS % 4
    epochs = [[n for step in range(steps) for n in numbers(stream.batch(e * steps + step).ids)] for e in range(2)]
    assert stream.plan.batches == steps and stream.plan.left_out == left_out
    assert all(len(set(seen)) == len(seen) == IMAGES * CAPTIONS - left_out for seen in epochs)
    assert epochs[0] != epochs[1]


def test_a_batch_stays_within_its_budget_of_rows(make: Any) -> None:
    for budget, multiple in ((100, 4), (160, 2), (320, 8)):
        stream = make(rows=budget, multiple=multiple, parts=Parts(contrast=False))
        for step in range(stream.plan.batches):
            sequences = stream.batch(step).apart
            assert sequences.is_pad.size <= budget and len(sequences.is_pad) % multiple == 0


@pytest.mark.parametrize("world", [2, 4])
def test_the_batch_of_all_ranks_does_not_depend_on_how_many_they_are(make: Any, world: int) -> None:
    for step in range(6):
        whole, parts = make().batch(step), [make(rank=rank, world=world).batch(step) for rank in range(world)]
        assert whole.ids == [pair_id for part in parts for pair_id in part.ids]
        assert {part.objective for part in parts} == {whole.objective}
        for own, *others in zip(sequences_of(whole), *map(sequences_of, parts), strict=True):
            rows = [unpadded(own, b) for b in range(len(own.token_ids))]
            assert rows == [unpadded(other, b) for other in others for b in range(len(other.token_ids))]
        targets = np.concatenate([part.language.labels.targets for part in parts])
        assert np.array_equal(whole.language.labels.targets, targets)
        assert np.array_equal(whole.contrast.is_real, np.concatenate([part.contrast.is_real for part in parts]))


@pytest.mark.parametrize("parts", [Parts(), Parts(in_batch=False), Parts(contrast=False)])
def test_micro_batches_together_hold_what_one_batch_holds(
    corpus: Corpus, tokenizer: Tokenizer, make: Any, parts: Parts
) -> None:
    def rows(batch: Batch) -> list[list[list[float]]]:
        return sorted(unpadded(s, b) for part in batch.parts for s in sequences_in(part) for b in range(len(s.is_pad)))

    whole, cut = (PairStream.batch(make(parts=parts, accumulate=k), 2) for k in (1, 2))
    together = parts.in_batch and parts.contrast  # one batch encodes the pairs apart once, for both contrasts
    assert whole.ids == cut.ids
    assert len(cut.parts) == 2 * len(whole.parts) + (together or -parts.in_batch)
    if not together:
        assert rows(whole) == rows(cut)
    last = cut.parts[-1]
    assert isinstance(last, ContrastPart) and (last.belongs is None) != parts.in_batch


def test_contrast_rows_are_the_caption_its_positives_and_its_negatives(make: Any, tokenizer: Tokenizer) -> None:
    stream, seen = make(), set()
    for step in range(18):
        batch = stream.batch(step)
        contrast = batch.contrast
        rows = texts(contrast.joint, tokenizer)
        for b, pair in enumerate(numbers(batch.ids)):
            first, *others = rows[6 * b : 6 * b + 6]
            assert first == caption(pair)
            assert contrast.is_positive[b, :6].tolist() == [True] * 3 + [False] * 3
            prepared, is_real = rewrites_of(pair), contrast.is_real[b, :6]
            real = [text for text, counts in zip(others, is_real[1:], strict=True) if counts]
            n_positives, n_negatives = min(len(prepared.positives), 2), min(len(prepared.negatives), 3)
            assert is_real[0] and len(set(real)) == len(real) == n_positives + n_negatives
            assert is_real[1:3].sum() == n_positives and is_real[3:].sum() == n_negatives
            assert set(real[:n_positives]) == set(prepared.positives)
            assert set(real[n_positives:]) <= {negative.text for negative in prepared.negatives}
            seen |= set(real[n_positives:])
            image = contrast.joint.features[6 * b : 6 * b + 6]
            assert (image == image[0]).all() and image[0, 1, 0] == pair // CAPTIONS + 1
    assert len(seen) > 1.5 * (19 * 3 + 2)  # an epoch's choice is not the next one's


def test_language_sees_the_image_and_its_labels_give_the_caption_back(make: Any, tokenizer: Tokenizer) -> None:
    stream, objectives = make(), []
    for step in range(60):
        batch = stream.batch(step)
        objectives.append(batch.objective)
        language, rows, targets = batch.language.sequences, batch.language.labels.rows, batch.language.labels.targets
        ids = language.token_ids.copy()
        if batch.objective == "bidirectional":
            ids.reshape(-1)[rows] = targets
            assert texts(replace(language, token_ids=ids), tokenizer) == [caption(n) for n in numbers(batch.ids)]
            assert not language.reach.any()
        else:
            assert np.array_equal(ids.reshape(-1)[rows + 1], targets)
            assert language.reach.max(axis=1).min() > 0
        assert np.array_equal(language.features[:, 1, 0] - 1, np.array(numbers(batch.ids)) // CAPTIONS)
    assert 20 <= objectives.count("seq2seq") <= 40


def test_visual_sees_the_caption_and_hides_regions(make: Any, tokenizer: Tokenizer) -> None:
    batch = make().batch(3)
    visual, labels = batch.visual.sequences, batch.visual.labels
    assert texts(visual, tokenizer) == [caption(n) for n in numbers(batch.ids)]
    flat = visual.features.reshape(-1, 4)
    assert not flat[labels.rows].any() and (labels.features > 0).all()
    assert max(make().batch(step).visual.sequences.features.shape[1] for step in range(5)) == SETTINGS.max_regions + 1


def found_of(batch: View, b: int) -> list[int]:
    """The numbers of the images that were retrieved for pair b of a batch, real ones only."""
    size = len(batch.contrast.images.features) // len(batch.ids)
    features = batch.contrast.images.features[size * b : size * (b + 1), 0, 0]
    return [int(one) - 21 for one in features[batch.contrast.is_real[b, 6 : 6 + size]]]


def test_retrieved_rows_are_neighbours_of_the_pair_each_alone(make: Any, tokenizer: Tokenizer) -> None:
    stream, seen = make(), set()
    for step in range(18):
        batch = stream.batch(step)
        contrast, retrieved = batch.contrast, texts(batch.contrast.texts, tokenizer)
        assert contrast.images.token_ids.shape == (8, 0) and contrast.texts.features.shape[:2] == (12, 0)
        assert contrast.is_positive[:, 6:].all() and contrast.is_positive.shape == contrast.is_real.shape == (4, 11)
        assert not (contrast.images.group.any() or contrast.texts.group.any() or contrast.texts.reach.any())
        for b, pair in enumerate(numbers(batch.ids)):
            images, rows = neighbours_of(pair)
            found, is_real = found_of(batch, b), contrast.is_real[b, 8:]
            assert len(set(found)) == len(found) == min(2, len(images))
            assert {f"found{number}" for number in found} <= set(images)
            told = [text for text, counts in zip(retrieved[3 * b : 3 * b + 3], is_real, strict=True) if counts]
            assert len(set(told)) == len(told) == min(3, len(rows))
            assert set(told) <= {sentence(row) for row in rows}
            seen.add((pair, *sorted(found)))
    assert len(seen) > 1.5 * 20  # an epoch's choice is not the next one's


def test_what_is_retrieved_is_scored_against_the_pair_encoded_apart(make: Any, tokenizer: Tokenizer) -> None:
    batch = make(parts=Parts(in_batch=False)).batch(0)
    assert texts(batch.apart, tokenizer) == [caption(n) for n in numbers(batch.ids)] and batch.belongs is None
    group, is_pad, width = batch.apart.group, batch.apart.is_pad, batch.apart.features.shape[1]
    assert not group[:, :width].any() and (group[:, width:] == 1).all() and not is_pad[:, [0, width]].any()


def test_neighbours_leave_everything_else_of_a_run_as_it_was(make: Any) -> None:
    alone, more = make(retrieved_images=0, retrieved_texts=0).batch(5), make().batch(5)
    assert alone.contrast.images is None and alone.contrast.texts is None
    assert alone.contrast.is_real.shape == alone.contrast.is_positive.shape == (4, 6)
    for name in ("language", "visual", "apart", "belongs"):
        assert all(map(np.array_equal, arrays(getattr(alone, name)), arrays(getattr(more, name)))), name
    assert all(map(np.array_equal, arrays(alone.contrast.joint), arrays(more.contrast.joint)))


def test_shuffled_captions_move_together_to_another_image(make: Any) -> None:
    plain, shuffled = make(), make(shuffle_captions=True)
    shown: dict[int, set[int]] = {}
    for step in range(12):
        batch = shuffled.batch(step)
        assert batch.ids == plain.batch(step).ids
        for b, pair in enumerate(numbers(batch.ids)):
            parts = (batch.contrast.joint.features[6 * b], batch.language.sequences.features[b])
            shown.setdefault(pair // CAPTIONS, set()).update(int(features[1, 0]) - 1 for features in parts)
            # Images like the true one would tell the caption: those like the one that is shown come in its stead.
            (other,) = shown[pair // CAPTIONS]
            near = {image for own in range(3 * other, 3 * other + 3) for image in neighbours_of(own)[0]}
            assert {f"found{number}" for number in found_of(batch, b)} <= near
    assert all(len(others) == 1 and own not in others for own, others in shown.items())
    assert set().union(*shown.values()) == set(range(IMAGES))
    assert np.array_equal(shuffled.batch(0).contrast.joint.token_ids, plain.batch(0).contrast.joint.token_ids)


def test_without_rewrites_or_neighbours_asked_the_group_is_the_pair_alone(make: Any) -> None:
    batch = make(positives=0, negatives=0, retrieved_images=0, retrieved_texts=0).batch(0)
    assert batch.contrast.is_positive.tolist() == batch.contrast.is_real.tolist() == [[True]] * 4
    assert len(batch.contrast.joint.token_ids) == 4


@pytest.mark.parametrize(
    "parts, made",
    [
        (Parts(), {"language", "visual", "contrast", "apart", "belongs"}),
        (Parts(bidirectional=False), {"visual", "contrast", "apart", "belongs"}),
        (Parts(seq2seq=False, in_batch=False), {"language", "visual", "contrast", "apart"}),
        (Parts(contrast=False, visual=False), {"language", "apart", "belongs"}),
        (Parts(contrast=False, in_batch=False), {"language", "visual"}),
    ],
)
def test_only_the_parts_that_are_asked_for_are_made(make: Any, parts: Parts, made: set[str]) -> None:
    stream = make(parts=parts)
    step = next(step for step in range(20) if objective_of(0, step) == "bidirectional")
    assert {name for name, part in vars(stream.batch(step)).items() if part is not None} - {"ids"} == made


@pytest.mark.parametrize("what", ["retrieved_images", "retrieved_texts"])
def test_neighbours_that_nobody_retrieved_are_refused(tokenizer: Tokenizer, tmp_path: Path, what: str) -> None:
    store = write_store(tmp_path / "regions", "image", 1)
    with CorpusWriter(tmp_path / "corpus", "captions", "1") as writer:
        writer.add("train", Pair("pair0", "image0", caption(0)))
    nothing = {"positives": 0, "negatives": 0, "retrieved_images": 0, "retrieved_texts": 0}
    with pytest.raises(UserError, match=rf"no {what} .*make them with: tools/prepare.py retrieve --corpus .*corpus"):
        settings = replace(SETTINGS, **{**nothing, what: 1})
        PairStream(Corpus(tmp_path / "corpus"), "train", store, tokenizer, settings, seed=0)


def test_a_store_without_the_retrieved_images_is_refused(corpus: Corpus, tokenizer: Tokenizer, tmp_path: Path) -> None:
    store = write_store(tmp_path, "image", IMAGES)
    message = r"10 of 10 images retrieved .*\(found1, .*, \.\.\.\): name in data.image_regions .*retrieve --corpus"
    with pytest.raises(UserError, match=message):
        PairStream(corpus, "train", store, tokenizer, SETTINGS, seed=0)


def test_a_store_of_other_regions_is_refused(corpus: Corpus, tokenizer: Tokenizer, tmp_path: Path) -> None:
    own = write_store(tmp_path / "own", "image", IMAGES)
    other = write_store(tmp_path / "other", "found", 10, family="vinvl", classes=("__background__", "dog", "cow"))
    message = r"image_regions: .*other has the family 'vinvl', not 'test'; other classes \(3, not the same 3\)"
    with pytest.raises(UserError, match=message):
        PairStream(corpus, "train", own, tokenizer, SETTINGS, seed=0, image_store=other)


def test_images_without_regions_are_counted_and_named(corpus: Corpus, tokenizer: Tokenizer, tmp_path: Path) -> None:
    store = write_store(tmp_path, "image", 1)
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
    store, settings = write_store(tmp_path / "regions", "image", 1), replace(SETTINGS, shuffle_captions=shuffle)
    with CorpusWriter(tmp_path, "images", "1") as writer:
        writer.add("train", Image("image0", tmp_path / "0.png", 200, 100))
        for i in range(pairs):
            writer.add("train", Pair(f"pair{i}", "image0", caption(i)))
    with pytest.raises(UserError, match=message):
        nothing = {"positives": 0, "negatives": 0, "retrieved_images": 0, "retrieved_texts": 0}
        PairStream(Corpus(tmp_path), "train", store, tokenizer, replace(settings, **nothing), seed=0)


def test_of_many_captions_lengths_are_estimated(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = make().plan._sizes[:, 1]
    monkeypatch.setattr("unimo_paddle.data.stream.COUNTED", 7)
    estimated = make().plan._sizes[:, 1]
    assert (estimated != exact).any() and (estimated >= exact).mean() > 0.8 and (estimated < 1.2 * exact).all()


def test_an_uneven_share_is_refused(make: Any) -> None:
    with pytest.raises(UserError, match="batches of pairs are multiples of 4 .* shared out evenly to 3 processes"):
        make(world=3)


def test_a_budget_that_is_too_small_is_refused(make: Any) -> None:
    with pytest.raises(UserError, match="data.rows is 40, but a batch of 4 examples .* largest size"):
        make(rows=40)


def test_prefetched_batches_are_the_same(make: Any) -> None:
    with Prefetch(make().batch, start=2) as ahead:
        assert all(equal(ahead.batch(step), make().batch(step)) for step in range(2, 8))
