"""Grids as people write them: axes on the command line, or the YAML file of a study.

A study:

    kind: study
    config: ../pretrain_tiny.yaml                   # from this file's folder; what all runs have in common
    overrides: [train.steps=600]                    # may be left out, as evaluations and by
    seeds: 1..5
    variants:
      full: []
      words_only: [objectives.region_regression=0, objectives.region_classification=0]
    evaluations:                                    # each calls tools/evaluate.py once; left out: one, as configured
      test: [evaluation.split=test]
      composition: [evaluation.split=composition]
    by: test.image_to_text_R@1                      # ranks the variants; left out: the first score
    output: {directory: runs/study_words}

It may inherit from another study, so that one more variant can be a file of three lines; what is done stays:

    base: words.yaml
    variants:
      no_contrast: [objectives.contrastive=0]
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from unimo_paddle.config.source import Settings, Written, read_settings
from unimo_paddle.errors import UserError
from unimo_paddle.study.grid import SEED, Grid

_RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)")
_COMMA = re.compile(r",(?![^\[]*\])")  # none within brackets: [0.9,0.98] is one value
_KEYS = ("kind", "config", "seeds", "overrides", "by", "output.directory")
_GROUPS = ("variants", "evaluations")


class Asked(NamedTuple):
    """A grid, the folder that keeps its runs, and the score that ranks its variants, None: the first that is told."""

    grid: Grid
    directory: Path
    by: str | None = None


def is_study(path: Path) -> bool:
    """Tell whether a YAML file is of `kind: study`."""
    kind = read_settings(path)[0].get("kind")
    return kind is not None and kind.value == "study"


def read_axes(config: Path, axes: Sequence[str], overrides: Sequence[str], split: str | None) -> Asked:
    """Return every combination of the axes' values: `optimizer.peak_lr=1e-5,2e-5`, `train.seed=1..5`.

    A value with commas stands in brackets: `optimizer.betas=[0.9,0.98],[0.9,0.999]`.  split: to judge on, None: as the
    configuration says. Raises UserError for an axis that cannot be read.
    """
    values: dict[str, list[str]] = {}
    for axis in axes:
        key, texts = _axis(axis)
        if key in values or key in [text.partition("=")[0].strip() for text in overrides]:
            raise UserError(f"--grid {axis}: {key} is given twice; keep one")
        values[key] = texts
    seeds = _seeds(values.pop(SEED, []), "--grid")
    sides = [[f"{key}={text}" for text in texts] for key, texts in values.items()]
    variants = {",".join(one) or config.stem: one for one in itertools.product(*sides)}
    evaluation = () if split is None else (f"evaluation.split={split}",)
    return Asked(Grid(config, variants, seeds, overrides, {"": evaluation}), Path("runs") / f"{config.stem}-sweep")


def _axis(text: str) -> tuple[str, list[str]]:
    key, equals, values = (part.strip() for part in text.partition("="))
    if not (key and equals and values):
        raise UserError(f"--grid {text}: write it as KEY=VALUE,VALUE,.. or KEY=1..5")
    return key, _values(values, f"--grid {text}")


def _values(text: str, place: str) -> list[str]:
    """Return the values of `a,b` and `1..5`, whose ends count."""
    found: list[str] = []
    for part in _COMMA.split(text):
        ends = _RANGE.fullmatch(part.strip())
        if ends and int(ends[1]) > int(ends[2]):
            raise UserError(f"{place}: {part} goes down; write {ends[2]}..{ends[1]}")
        found += map(str, range(int(ends[1]), int(ends[2]) + 1)) if ends else [part.strip()]
    if "" in found:
        raise UserError(f"{place}: a value is empty; remove a comma")
    twice = [value for value in found if found.count(value) > 1]
    if twice:
        raise UserError(f"{place}: {twice[0]} is there twice; keep one")
    return found


def _seeds(texts: Sequence[str], place: str) -> list[int]:
    wrong = [text for text in texts if not text.isdecimal()]
    if wrong:
        raise UserError(f"{place}: {SEED} is {wrong[0]}; whole numbers are wanted, e.g. 1..5")
    return [int(text) for text in texts]


def read_study(path: Path, overrides: Sequence[str] = ()) -> Asked:
    """Return what a study's file asks for.  overrides: settings of every run, stronger than the file's.

    Raises UserError with every fault of the file at once, each with its place.
    """
    settings, faults = read_settings(path)
    faults += [fault for key, written in settings.items() if (fault := _unknown(key, written))]
    faults += [f"{path}: {key} is missing" for key in ("config", "seeds", "output.directory") if key not in settings]
    variants, wrong = _group(settings, "variants")
    evaluations, wrong_too = _group(settings, "evaluations")
    faults += wrong + wrong_too
    if not variants and not wrong:
        faults.append(f"{path}: variants is missing; name at least one, e.g. `full: []`")
    common = settings.get("overrides", Written([], str(path)))
    if (fault := _not_settings("overrides", common)):
        faults.append(fault)
    if faults:
        raise UserError("\n  ".join([f"{path}: {len(faults)} faults:", *faults]))
    config = settings["config"]
    grid = Grid(_beside(config), variants, _study_seeds(settings["seeds"]), [*common.value, *overrides],
                evaluations or {"": []})  # fmt: skip
    by = settings.get("by")
    return Asked(grid, Path(str(settings["output.directory"].value)), None if by is None else str(by.value))


def _unknown(key: str, written: Written) -> str:
    """Return what is wrong with a key of the file, "" when it is one."""
    if key in _KEYS or key.startswith(tuple(f"{group}." for group in _GROUPS)):
        return ""
    if key in _GROUPS:
        return f"{written.place}: {key} is a group; write `NAME: [key=value, ...]` lines below it"
    near = difflib.get_close_matches(key, [*_KEYS, *_GROUPS], n=1)
    advice = f"; did you mean {near[0]}?" if near else f"; there are {', '.join([*_KEYS, *_GROUPS])}"
    return f"{written.place}: {key} is not a setting of a study{advice}"


def _group(settings: Settings, group: str) -> tuple[dict[str, list[str]], list[str]]:
    """Return the named lists of settings of a group, and what is wrong with them."""
    below = {key.removeprefix(f"{group}."): one for key, one in settings.items() if key.startswith(f"{group}.")}
    faults = [fault for name, one in below.items() if (fault := _not_settings(f"{group}: {name}", one))]
    return ({} if faults else {name: one.value for name, one in below.items()}), faults


def _not_settings(name: str, written: Written) -> str:
    """Return what is wrong with a list of `key=value`, "" when nothing is."""
    value = written.value
    if isinstance(value, list) and all(isinstance(text, str) and "=" in text for text in value):
        return ""
    return f"{written.place}: {name} is {value!r}; write a list: [key=value, key=value], or [] for none"


def _study_seeds(written: Written) -> list[int]:
    """Return the seeds of `1..5`, `7` or `[1, 2, 3]`."""
    value = written.value
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return _seeds(_values(text, f"{written.place}: seeds"), f"{written.place}: seeds")


def _beside(written: Written) -> Path:
    """Return a path that stands in a file as relative to that file."""
    return Path(written.place.rpartition(":")[0]).parent / str(written.value)
