import numpy as np
import pytest

from tests.reference.plan import cut
from unimo_paddle.data.plan import SPREAD, BatchPlan, micro_batches, require_shares
from unimo_paddle.errors import UserError


def sizes_of(kind: str, n: int = 900) -> np.ndarray:
    rng = np.random.default_rng(len(kind))
    sizes = {
        "uniform": rng.integers(11, 102, n), "same": np.full(n, 37), "rare": np.where(rng.random(n) < 0.01, 90, 12),
        "bell": np.clip(rng.normal(37, 18, n), 11, 101), "tiny": rng.integers(1, 4, n),
    }[kind]  # fmt: skip
    return sizes.astype(np.int32)


def test_by_hand() -> None:
    """Budget 12, multiples of 2: four of 3 rows; then 3, 3, 6, 6 do not fit, so 3, 3, then 6, 6; the rest is lost."""
    plan = BatchPlan(np.array([3, 6, 3, 3, 6, 3, 3, 3], np.int32), 12, 2, seed=0)
    batches = [plan.batch(step).tolist() for step in range(plan.batches)]
    assert sorted(map(len, batches)) == [2, 2, 4] and plan.left_out == 0
    assert sorted(row for batch in batches for row in batch) == list(range(8))
    assert [1, 4] in [sorted(batch) for batch in batches]
    assert plan.padding() == 0


@pytest.mark.parametrize("kind", ["uniform", "same", "rare", "bell", "tiny"])
@pytest.mark.parametrize(("rows", "multiple"), [(404, 4), (1200, 8), (5000, 1), (101, 1)])
def test_batches_are_those_of_the_definition(kind: str, rows: int, multiple: int) -> None:
    sizes = sizes_of(kind, 300)
    plan = BatchPlan(sizes, rows, multiple, seed=1)
    order = plan._epoch(0).order
    caps = {b: int(sizes[plan._bucket == b].max()) for b in np.unique(plan._bucket).tolist()}
    assert all(sizes[plan._bucket == b].min() * SPREAD >= cap for b, cap in caps.items())
    assert plan._bounds.tolist() == cut([[caps[b]] for b in plan._bucket[order].tolist()], rows, multiple)


def test_parts_that_are_padded_apart() -> None:
    """Regions 11..101 and tokens 8..40, drawn apart: a batch takes as many rows as its largest of each together."""
    rng = np.random.default_rng(0)
    sizes = np.stack([rng.integers(11, 102, 20_000), rng.integers(8, 41, 20_000)], axis=1).astype(np.int32)
    plan = BatchPlan(sizes, 4096, 8, seed=3)
    batches = [plan.batch(step) for step in range(plan.batches)]
    padded = [int(sizes[batch].max(axis=0).sum()) * len(batch) for batch in batches]
    assert max(padded) <= 4096 and all(len(batch) % 8 == 0 for batch in batches)
    assert len(np.unique(np.concatenate(batches))) == 20_000 - plan.left_out
    assert plan.padding() == pytest.approx(1 - sum(int(sizes[b].sum()) for b in batches) / sum(padded))
    assert plan.padding() < 0.06
    with pytest.raises(UserError, match="rows is 1000, but a batch of 8 .* largest size, 141 rows each, needs 1128"):
        BatchPlan(sizes, 1000, 8, seed=0)


@pytest.mark.parametrize("kind", ["uniform", "rare", "bell"])
def test_every_example_once_within_the_budget(kind: str) -> None:
    sizes = sizes_of(kind, 903)
    plan = BatchPlan(sizes, 1000, 8, seed=2)
    left_out = []
    for epoch in range(3):
        batches = [plan.batch(epoch * plan.batches + i) for i in range(plan.batches)]
        assert all(len(batch) % 8 == 0 and len(batch) * sizes[batch].max() <= 1000 for batch in batches)
        rows = np.concatenate(batches)
        assert rows.dtype == np.int64 and len(np.unique(rows)) == len(rows) == 903 - plan.left_out
        left_out.append(set(range(903)) - set(rows.tolist()))
    assert plan.left_out == 7 and len(set.union(*left_out)) > 14


def test_padding_of_region_counts() -> None:
    for kind in ("uniform", "bell"):
        sizes = sizes_of(kind, 20_000)
        plan = BatchPlan(sizes, 4096, 8, seed=0)
        assert 0 < plan.padding() < 0.035 and plan.padding(1) != plan.padding()
        real, padded = 0, 0
        for step in range(plan.batches):
            real += int(sizes[plan.batch(step)].sum())
            padded += int(sizes[plan.batch(step)].max()) * len(plan.batch(step))
        assert plan.padding() == pytest.approx(1 - real / padded)
        count = 4096 // int(sizes.mean())
        chance = sizes[: len(sizes) // count * count].reshape(-1, count)
        assert 1 - chance.sum() / (chance.max(axis=1).sum() * count) > 0.4


def test_sizes_and_mates_change_from_step_to_step() -> None:
    sizes = sizes_of("uniform", 5000)
    plan = BatchPlan(sizes, 2000, 4, seed=0)
    means = np.array([sizes[plan.batch(step)].mean() for step in range(plan.batches)])
    assert abs(np.corrcoef(means[1:], means[:-1])[0, 1]) < 0.25
    mates = [{frozenset(plan.batch(e * plan.batches + i).tolist()) for i in range(plan.batches)} for e in range(2)]
    assert not mates[0] & mates[1]


def test_pure_function_of_seed_and_step() -> None:
    sizes = sizes_of("bell")
    one, same, other = (BatchPlan(sizes, 1000, 4, seed) for seed in (5, 5, 6))
    steps = [0, 3, one.batches, 10 * one.batches + 1, 400_000]
    wanted = [one.batch(step).tolist() for step in steps]
    assert [same.batch(step).tolist() for step in reversed(steps)] == wanted[::-1]
    assert other.batch(0).tolist() != wanted[0]
    assert one.epoch_of(400_000) == 400_000 // one.batches


def test_what_cannot_be_planned() -> None:
    with pytest.raises(UserError, match="rows is 800, but a batch of 8 .* largest size, 101 rows each, needs 808"):
        BatchPlan(np.array([101, *[50] * 20], np.int32), 800, 8, seed=0)
    with pytest.raises(UserError, match="there are 7 examples for batches of rows, which come in multiples of 8"):
        BatchPlan(np.full(7, 5, np.int32), 800, 8, seed=0)


def test_few_examples_of_many_sizes() -> None:
    plan = BatchPlan(np.arange(10, 30, dtype=np.int32), 1000, 8, seed=0)
    assert sorted(len(plan.batch(step)) for step in range(plan.batches)) == [16] and plan.left_out == 4


def test_shares() -> None:
    assert micro_batches(24, 1, 3, 2) == [slice(8, 12), slice(12, 16)]
    whole = [i for rank in range(3) for part in micro_batches(24, rank, 3, 2) for i in range(part.start, part.stop)]
    assert whole == list(range(24))
    require_shares(12, 3, 2, "images")
    with pytest.raises(UserError, match="multiples of 8 .* 3 processes with 2 micro-batches each .* multiple of 6"):
        require_shares(8, 3, 2, "images")
