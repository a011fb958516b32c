from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.small_corpus import regions_of, write_store
from unimo_paddle.data.batch import Batch, VisualPart
from unimo_paddle.data.image_stream import ImageSettings, ImageStream
from unimo_paddle.errors import UserError
from unimo_paddle.regions import RegionStore

IMAGES, MOST = 50, 7   # regions_of gives image n 2 + n regions, at most 9
SETTINGS = ImageSettings(rows=64, max_regions=MOST, multiple=4)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> RegionStore:
    return write_store(tmp_path_factory.mktemp("regions"), "image", IMAGES)


@pytest.fixture(scope="module")
def make(store: RegionStore) -> Any:
    def make_stream(seed: int = 0, rank: int = 0, world: int = 1, accumulate: int = 1, **changes: Any) -> ImageStream:
        return ImageStream(store, replace(SETTINGS, **changes), seed, rank, world, accumulate)

    return make_stream


def number_of(image_id: str) -> int:
    return int(image_id.removeprefix("image"))


def rows_of(batch: Batch) -> list[list[Any]]:
    """Each image without its padding: features, locations, reach, group, and of its labels rows, features, classes."""
    rows = []
    for part in batch.parts:
        assert isinstance(part, VisualPart)
        s, width = part.sequences, part.sequences.features.shape[1]
        for b, is_pad in enumerate(s.is_pad):
            own = part.labels.rows // width == b
            labels = (part.labels.rows[own] % width, part.labels.features[own], part.labels.class_probs[own])
            whole = [array[b][~is_pad] for array in (s.features, s.locations, s.reach, s.group)]
            rows.append([array.tolist() for array in (*whole, *labels)])
    return rows


def test_regions_are_hidden_and_asked_for(make: Any) -> None:
    batch = make().batch(0)
    assert batch.kind == "image" and len(batch.parts) == 1 and len(batch.ids) % 4 == 0
    assert batch.parts[0].sequences.token_ids.shape == (len(batch.ids), 0)
    for image_id, (features, locations, reach, group, hidden, wanted, classes) in zip(batch.ids, rows_of(batch),
                                                                                     strict=True):  # fmt: skip
        own = regions_of(number_of(image_id))
        n = min(len(own.features), MOST)
        assert len(features) == len(locations) == 1 + n and set(reach) == set(group) == {0}
        assert hidden and 0 not in hidden   # [IMG] never is
        assert all(features[row] == [0] * 4 for row in hidden)
        seen = [row for row in range(1, n + 1) if row not in hidden]
        assert all(features[row] == own.features[row - 1].tolist() for row in seen)
        assert features[0] == np.mean([features[row] for row in seen] or [[0] * 4], axis=0).tolist()
        assert wanted == [own.features[row - 1].tolist() for row in hidden]
        assert np.allclose(classes, 1 / 3, atol=1e-3)


def test_every_image_once_an_epoch_within_the_budget(make: Any) -> None:
    stream = make(rows=32)
    batches = [stream.batch(step) for step in range(stream.plan.batches)]
    assert all(batch.parts[0].sequences.is_pad.size <= 32 for batch in batches)
    ids = [image_id for batch in batches for image_id in batch.ids]
    assert len(set(ids)) == len(ids) == IMAGES - stream.plan.left_out and stream.plan.left_out == 2
    sizes = [batch.parts[0].sequences.features.shape[1] for batch in batches]
    assert min(sizes) < max(sizes) == MOST + 1


@pytest.mark.parametrize("step", [0, 1, 40])
def test_the_whole_batch_depends_neither_on_the_ranks_nor_on_accumulation(make: Any, step: int) -> None:
    whole = make().batch(step)
    for world, accumulate in ((2, 1), (4, 1), (1, 4), (2, 2)):
        batches = [make(0, rank, world, accumulate).batch(step) for rank in range(world)]
        assert all(len(batch.parts) == accumulate for batch in batches)
        assert [image_id for batch in batches for image_id in batch.ids] == whole.ids
        assert [row for batch in batches for row in rows_of(batch)] == rows_of(whole)


def test_pure_function_of_seed_and_step(make: Any) -> None:
    stream, same, other = make(), make(), make(seed=1)
    steps = [0, 5, 100_000]
    wanted = [(stream.batch(step).ids, rows_of(stream.batch(step))) for step in steps]
    assert [(same.batch(s).ids, rows_of(same.batch(s))) for s in reversed(steps)] == wanted[::-1]
    assert other.batch(0).ids != wanted[0][0]


def test_an_image_that_was_extracted_twice(tmp_path: Path) -> None:
    store = write_store(tmp_path, "image", 6)
    for end in ("bin", "json"):   # images 0 to 2 come again
        (tmp_path / f"shard-00009.{end}").write_bytes((tmp_path / f"shard-00000.{end}").read_bytes())
    store = RegionStore(tmp_path)
    assert (len(store.ids), len(store.region_counts)) == (6, 9)
    stream = ImageStream(store, SETTINGS, seed=0)
    sizes = {one.as_py(): size for one, size in zip(stream._ids, stream.plan._sizes[:, 0].tolist(), strict=True)}
    assert sizes == {f"image{n}": min(2 + n, MOST) + 1 for n in range(6)}


def test_budgets_and_shares_that_do_not_fit(make: Any) -> None:
    with pytest.raises(UserError, match=r"images.rows is \d+, but a batch of 4 .* largest size, 8 rows each, needs 32"):
        make(rows=31)
    with pytest.raises(UserError, match=r"batches of images are multiples of 4 .* to 3 processes"):
        make(world=3)


def test_held_out_images_are_never_shown(tmp_path: Path) -> None:
    store = write_store(tmp_path, "image", 10)
    stream = ImageStream(store, SETTINGS, seed=0, held_out={"image3", "image8", "elsewhere"})
    shown = {image_id for step in range(3 * stream.plan.batches) for image_id in stream.batch(step).ids}
    assert shown == {f"image{n}" for n in range(10)} - {"image3", "image8"}
