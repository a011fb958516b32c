"""Wrong partners are never right ones, are drawn evenly, and are the same for any number of ranks."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data import small_task
from tests.data.small_corpus import regions_of
from tests.data.small_task import IMAGES, LIMITS
from tests.data.view import merged
from tests.reference import task_stream as oracle
from unimo_paddle.data.task_batch import MatchPart, joint
from unimo_paddle.data.task_match import Partners
from unimo_paddle.data.task_stream import StreamSettings, TaskStream
from unimo_paddle.data.tokenizer import Tokenizer
from unimo_paddle.errors import UserError
from unimo_paddle.records import Record, Records
from unimo_paddle.regions import RegionStore

COUNT = 3 * IMAGES
LAST = {"id": "last", "image": "image3", "text": "of it alone"}


def records_of() -> list[Record]:
    """Three captions an image; some say the same as another image's, some are true of other images as well."""
    made = []
    for n in range(COUNT):
        text = "A Dog near a  pond" if n in (4, 20) else "a dog near a pond" if n == 31 else f"caption {n} of a dog"
        also = {7: ("image0", "image5"), 25: ("image12", "elsewhere")}.get(n, ())
        made.append(Record(f"r{n}", image=f"image{n // 3}", images=also, text=text))
    return made


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Records, RegionStore, Tokenizer]:
    path = tmp_path_factory.mktemp("match")
    records = small_task.write(path / "train.jsonl", records_of())
    return records, small_task.store(path / "store"), small_task.tokenizer()


def stream(small: Any, seed: int = 0, rank: int = 0, world: int = 1, **settings: Any) -> TaskStream:
    records, store, words = small
    found = StreamSettings(**{"batch": 6, "negatives": 3, "pool": 4, **settings})
    return TaskStream(records, store, small_task.encoder("match", words), found, seed, rank, world)


def named(part: MatchPart, words: Tokenizer) -> list[list[Any]]:
    """Each example: its pairs as (image number, text), then its pools likewise."""
    images = [int(image.features[0, 0]) - 1 for image in part.images]
    texts = [words.decode(text.ids) for text in part.texts]
    return [
        [
            [(images[image], texts[text]) for image, text in pairs.tolist()],
            [images[image] for image in pool.tolist()],
            [texts[text] for text in others.tolist()],
        ]
        for pairs, pool, others in zip(part.pairs, part.image_pool, part.text_pool, strict=True)
    ]


def test_what_is_true_of_what(small: Any) -> None:
    records, partners = records_of(), Partners(small[0], 3, 0)
    assert partners.names == [f"image{n}" for n in range(IMAGES)]
    for row, record in enumerate(records):
        for number, name in enumerate(partners.names):
            assert partners.is_true(number, row) == oracle.is_true(records, name, record)
    assert partners.is_true(1, 20) and partners.is_true(10, 4) and partners.is_true(5, 7) and not partners.is_true(3, 7)


def test_wrong_partners_are_wrong_and_different(small: Any) -> None:
    records, words = records_of(), small[2]
    by_text = {record.text: record for record in records}
    made = stream(small)
    for step in range(3 * made.steps_per_epoch):
        batch = made.batch(step)
        (part,) = batch.parts
        assert isinstance(part, MatchPart)
        assert part.pairs.shape == (6, 7, 2) and part.image_pool.shape == part.text_pool.shape == (6, 4)
        assert len({*map(id, part.images)}) == len(part.images)
        for one, (pairs, pool, others) in zip(batch.ids, named(part, words), strict=True):
            own = records[int(one[1:])]
            number = int(own.image.removeprefix("image"))   # type: ignore[union-attr]
            assert pairs[0] == (number, own.text)
            assert all(text == own.text for _, text in pairs[1:4]) and all(image == number for image, _ in pairs[4:])
            images, texts = [image for image, _ in pairs[1:4]] + pool, [text for _, text in pairs[4:]]
            assert len({*images}) == 7 and number not in images
            assert not any(oracle.is_true(records, f"image{image}", own) for image in images)
            assert not any(oracle.is_true(records, own.image, by_text[text]) for text in texts + others)
        rows = part.pairs[:, 4:, 1], part.text_pool
        assert all(len({*both}) == 7 for both in np.concatenate(rows, axis=1).tolist())


@pytest.mark.parametrize("step", [0, 40])
def test_the_whole_batch_depends_neither_on_the_ranks_nor_on_accumulation(small: Any, step: int) -> None:
    whole = named(stream(small).batch(step).parts[0], small[2])   # type: ignore[arg-type]
    for world, accumulate in ((2, 1), (1, 3), (3, 2)):
        batches = [stream(small, 0, rank, world, accumulate=accumulate).batch(step) for rank in range(world)]
        assert [one for batch in batches for part in batch.parts for one in named(part, small[2])] == whole  # type: ignore[arg-type]


def test_wrong_partners_are_drawn_evenly(small: Any) -> None:
    partners = Partners(small[0], 4, 2)
    seen = np.zeros((2, COUNT), int)
    for n in range(2000):
        (one,) = partners.draw(np.array([0]), [np.random.default_rng((1, n))], np.random.default_rng((2, n)))
        seen[0][one.images] += 1
        seen[1][one.texts] += 1
    wrong = [[n for n in range(IMAGES) if n not in (0,)], [n for n in range(COUNT) if n not in (0, 1, 2, 7)]]
    for counts, right in zip(seen, wrong, strict=True):
        assert counts.sum() == 8000 == counts[right].sum()
        expected = 8000 / len(right)
        assert abs(counts[right] - expected).max() < 5 * expected**0.5


def test_without_a_pool(small: Any) -> None:
    (part,) = stream(small, pool=0).batch(0).parts
    assert isinstance(part, MatchPart) and part.image_pool.shape == part.text_pool.shape == (6, 0)
    with_pool = named(stream(small).batch(0).parts[0], small[2])   # type: ignore[arg-type]
    assert [one[0] for one in named(part, small[2])] == [one[0] for one in with_pool]


def test_pairs_laid_out(small: Any) -> None:
    (part,) = stream(small, batch=2).batch(1).parts
    assert isinstance(part, MatchPart)
    sequences = merged(joint(part.images, part.texts, part.pairs))
    assert sequences is not None and len(sequences.token_ids) == 2 * 7
    regions = sequences.features.shape[1]
    for place, (image, text) in enumerate(part.pairs.reshape(-1, 2).tolist()):
        kept = ~sequences.is_pad[place]
        assert sequences.token_ids[place][kept[regions:]].tolist() == part.texts[text].ids.tolist()
        assert (sequences.features[place][kept[:regions]] == part.images[image].features).all()
    own = regions_of(0).features[: LIMITS.max_regions]
    assert part.images[0].class_probs.shape == (len(part.images[0].features), 0) and own.shape[1] == 4


def test_too_few_wrong_partners(small: Any, tmp_path: Path) -> None:
    told = (r"train.jsonl:5: 3 of the split's 13 images are true here, which leaves 10 wrong ones; data.negatives 8 "
            r"and data.pool 3 take 11: lower them, or add data")  # fmt: skip
    with pytest.raises(UserError, match=told):
        stream(small, negatives=8, pool=3)
    stream(small, negatives=8, pool=2)
    lines = [{"id": str(n), "image": f"image{n}", "text": "the same"} for n in range(3)]
    (tmp_path / "dev.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    with pytest.raises(UserError, match=r"dev.jsonl:1: 3 of the split's 3 images are true here"):
        Partners(Records(tmp_path / "dev.jsonl"), 1, 0)
    also = [{**lines[n], "text": f"text {n}", "images": ["image0"][: n % 3]} for n in range(3)]
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(one) + "\n" for one in [*also, {**also[0], **LAST}]))
    with pytest.raises(UserError, match=r"test.jsonl:1: 3 of the split's 4 texts are true here, which leaves 1 wrong"):
        Partners(Records(tmp_path / "test.jsonl"), 2, 0)
