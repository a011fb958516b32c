"""Grids as people write them: axes, study files, and what is wrong with them."""

from pathlib import Path

import pytest

from tests.study.sweeping import TINY
from unimo_paddle.errors import UserError
from unimo_paddle.study.reading import is_study, read_axes, read_study

STUDY = f"""\
kind: study
config: {TINY}
overrides: [train.steps=600]
seeds: 1..3
variants:
  full:  []
  words: [objectives.region_regression=0, objectives.region_classification=0]
evaluations:
  test: [evaluation.split=test]
  composition: [evaluation.split=composition]
by: test.accuracy
output: {{directory: runs/words}}
"""


def test_axes_are_multiplied() -> None:
    axes = ["optimizer.peak_lr=1e-5,2e-5", "data.rows=100,200", "train.seed=1..3,7"]
    asked = read_axes(Path("a/tiny.yaml"), axes, ["train.steps=5"], "val")
    assert list(asked.grid.variants) == [
        f"optimizer.peak_lr={rate},data.rows={rows}" for rate in ("1e-5", "2e-5") for rows in (100, 200)
    ]
    assert asked.grid.variants["optimizer.peak_lr=2e-5,data.rows=100"] == ("optimizer.peak_lr=2e-5", "data.rows=100")
    assert asked.grid.seeds == [1, 2, 3, 7] and asked.grid.common == ["train.steps=5"]
    assert asked.grid.evaluations == {"": ("evaluation.split=val",)} and asked.directory == Path("runs/tiny-sweep")


def test_seeds_alone_are_one_variant_and_brackets_hold_commas() -> None:
    assert read_axes(TINY, ["train.seed=1..2"], [], None).grid.variants == {"pretrain_tiny": ()}
    betas = read_axes(TINY, ["optimizer.betas=[0.9,0.98],[0.9,0.999]"], [], None).grid
    assert list(betas.variants) == ["optimizer.betas=[0.9,0.98]", "optimizer.betas=[0.9,0.999]"] and betas.seeds == []


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        (["optimizer.peak_lr"], "--grid optimizer.peak_lr: write it as KEY=VALUE,VALUE,.. or KEY=1..5"),
        (["=1,2"], "write it as"),
        (["train.seed=5..1"], "5..1 goes down; write 1..5"),
        (["data.rows=1,,2"], "a value is empty; remove a comma"),
        (["data.rows=1,2,1"], "--grid data.rows=1,2,1: 1 is there twice"),
        (["train.seed=1,1..2"], "1 is there twice"),
        (["train.seed=x"], "train.seed is x; whole numbers are wanted"),
        (["data.rows=1", "data.rows=2"], "--grid data.rows=2: data.rows is given twice"),
        (["train.steps=5"], "--grid train.steps=5: train.steps is given twice"),
    ],
)
def test_axes_that_cannot_be_read(axes: list[str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        read_axes(TINY, axes, ["train.steps=3"], None)
    assert message in str(caught.value)


def test_a_study_is_read(tmp_path: Path) -> None:
    (tmp_path / "words.yaml").write_text(STUDY)
    asked = read_study(tmp_path / "words.yaml", ["train.log_every=5"])
    assert asked.grid.config == TINY and asked.by == "test.accuracy" and asked.directory == Path("runs/words")
    assert asked.grid.seeds == [1, 2, 3] and asked.grid.common == ["train.steps=600", "train.log_every=5"]
    assert asked.grid.variants == {
        "full": [], "words": ["objectives.region_regression=0", "objectives.region_classification=0"]}  # fmt: skip
    assert asked.grid.evaluations["composition"] == ["evaluation.split=composition"]
    assert is_study(tmp_path / "words.yaml") and not is_study(TINY)


def test_a_variant_is_added_in_a_file_of_three_lines(tmp_path: Path) -> None:
    (tmp_path / "words.yaml").write_text(STUDY.replace(str(TINY), "configs/tiny.yaml").replace("1..3", "[4, 5..6]"))
    (tmp_path / "below").mkdir()
    own = tmp_path / "below" / "mine.yaml"
    own.write_text("base: ../words.yaml\nvariants:\n  no_contrast: [objectives.contrastive=0]\n")
    asked = read_study(own)
    assert list(asked.grid.variants) == ["full", "words", "no_contrast"] and asked.directory == Path("runs/words")
    assert asked.grid.seeds == [4, 5, 6]
    assert asked.grid.config.resolve() == tmp_path / "configs" / "tiny.yaml", "from the folder of the file that says it"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seeds: 1..3", "sedes: 1..3", "2 faults:"),
        ("seeds: 1..3", "sedes: 1..3", ":4: sedes is not a setting of a study; did you mean seeds?"),
        ("seeds: 1..3", "sedes: 1..3", "seeds is missing"),
        ("seeds: 1..3", "seeds: [a]", ":4: seeds: train.seed is a; whole numbers are wanted"),
        ("full:  []", "full: a=1", ":6: variants: full is 'a=1'; write a list: [key=value, key=value]"),
        ("full:  []", "full: [a, b=1]", ":6: variants: full is ['a', 'b=1']; write a list"),
        ("full:  []", "full: {train.steps: 5}", ":6: variants: full.train.steps is 5; write a list"),
        ("full:  []", "full:", ":6: variants: full is None; write a list: [key=value, key=value], or [] for none"),
        ("overrides: [train.steps=600]", "overrides: train.steps=600", ":3: overrides is 'train.steps=600'"),
        ("by: test", "bye: [test", "this is not YAML"),
    ],
)
def test_what_is_wrong_with_a_study_is_told_with_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    file = tmp_path / "words.yaml"
    file.write_text(STUDY.replace(old, new))
    with pytest.raises(UserError) as caught:
        read_study(file)
    assert message in str(caught.value) and str(file) in str(caught.value)


def test_a_study_without_variants(tmp_path: Path) -> None:
    file = tmp_path / "words.yaml"
    file.write_text(STUDY.partition("variants")[0] + "output: {directory: out}\n")
    with pytest.raises(UserError, match="variants is missing; name at least one"):
        read_study(file)
