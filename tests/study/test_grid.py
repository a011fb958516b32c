"""Which runs a grid asks for, and settings that are wrong told before the first one begins."""

from pathlib import Path

import pytest

from tests.mini_world import CONFIGS
from tests.study.sweeping import TINY
from unimo_paddle.errors import UserError
from unimo_paddle.study.grid import Grid, plan


def grid(variants: dict[str, list[str]], seeds: tuple[int, ...] = (), common: tuple[str, ...] = (),
         config: Path = TINY) -> Grid:  # fmt: skip
    return Grid(config, variants, seeds, common, {"": (), "val": ("evaluation.split=val",)})


def test_every_variant_has_every_seed_and_the_first_seed_comes_first() -> None:
    planned = plan(grid({"full": [], "slow": ["optimizer.peak_lr=1e-5"]}, (3, 1), ("train.steps=500",)))
    order = [(one.variant, one.run.train.seed) for one in planned]
    assert order == [("full", 3), ("slow", 3), ("full", 1), ("slow", 1)]
    slow = planned[1]
    assert slow.run.optimizer.peak_lr == 1e-5 and slow.run.train.steps == 500
    assert slow.overrides == ("optimizer.peak_lr=1e-5", "train.steps=500")
    assert slow.evaluations["val"].evaluation.split == "val" and slow.evaluations[""].evaluation.split == "test"
    assert slow.evaluations["val"].train.seed == 3


def test_without_seeds_there_is_the_configurations_own() -> None:
    assert [one.seed for one in plan(grid({"full": []}))] == [1]


def test_all_faults_are_told_at_once_and_each_once() -> None:
    wrong = {"a": ["train.stepz=5"], "b": [], "c": ["masking.span_rate=2"], "d": ["train.stepz=5"]}
    with pytest.raises(UserError) as caught:
        plan(grid(wrong, (1, 2)))
    text = str(caught.value)
    assert "variants a, d: 1 setting is wrong" in text and "variant c: " in text
    assert text.count("did you mean train.steps?") == 1 and "masking.span_rate is 2" in text


@pytest.mark.parametrize("text", ["output.directory=x", "train.seed=4"])
def test_what_belongs_to_the_grid_is_no_variants_setting(text: str) -> None:
    with pytest.raises(UserError, match=f"{text}: .* is not for a single variant"):
        plan(grid({"a": [text]}))
    with pytest.raises(UserError, match="is not for a single variant"):
        plan(grid({"a": []}, common=(text,)))


def test_a_detector_is_not_swept() -> None:
    with pytest.raises(UserError, match="is of kind detector, whose training is not judged by tools/evaluate.py"):
        plan(Grid(CONFIGS / "detector" / "small_world.yaml", {"a": []}, (), (), {"": ()}))
