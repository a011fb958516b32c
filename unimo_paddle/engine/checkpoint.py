"""The checkpoints of a run: each whole or absent, written by all ranks together, the newest sound one found again.

    checkpoints/step-00000100/  see snapshot.py
                best            a link to the one with the highest score, where scores are given
"""

from __future__ import annotations

import math
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from paddle import nn

from unimo_paddle.console import describe, say
from unimo_paddle.distributed import rank
from unimo_paddle.engine.snapshot import (
    MANIFEST,
    MODEL,
    OPTIMIZER,
    STATE,
    Arrays,
    Snapshot,
    make_manifest,
    optimizer_file,
    read_snapshot,
)
from unimo_paddle.engine.together import from_first, together, told_by_all
from unimo_paddle.errors import UserError
from unimo_paddle.files import TEMPORARY, leftovers, read_json, sync_directory, sync_file, write_json
from unimo_paddle.tensor_files import read_safetensors, write_safetensors

BEST = "best"
_MOST_FAILURES = 3  # saves in a row that the system may refuse


class Checkpoints:
    """The checkpoints of one run. keep_last: how many stay, beside the best; beside: file name -> JSON value, kept in
    each. All ranks call the methods, in the same order: the folder has to be one that all of them see."""

    def __init__(self, directory: Path | str, keep_last: int, beside: Mapping[str, Any] | None = None) -> None:
        self.directory, self.keep_last, self.beside = Path(directory), keep_last, beside or {}
        self._failures = 0

    def save(
        self,
        step: int,
        model: Arrays,
        optimizer: Arrays,
        state: Mapping[str, Any],
        score: float | None = None,
        last: bool = False,
    ) -> Path | None:
        """Write a checkpoint, then remove the oldest ones beyond keep_last; return its folder.

        model: the first rank's are written, all of them. optimizer: the state of the parameters that this rank owns,
        empty where it owns none; each must have one owner. score: the higher, the better; the best one stays.

        What the system refuses (disk full, folder gone) is told, and None is returned: ten days of training do not end
        for it. The third time in a row, or when it is the `last` before the process ends, OSError is raised.
        Raises UserError when a number is not finite: such a checkpoint would only carry the damage on.
        """
        with together():
            _refuse_nonfinite(step, {**model, **{f"optimizer {name}": array for name, array in optimizer.items()}})
        begun = time.monotonic()
        path = self._path(step)
        noted = {"step": step, **state} | ({} if score is None else {"score": float(score)})
        try:
            self._write(path, model, optimizer, noted)
        except OSError as error:
            self._go_on_without(step, error, last)
            return None
        self._failures = 0
        if rank() == 0:
            size = sum(file.stat().st_size for file in path.iterdir())
            say(f"checkpoint of step {step:,}: {size / 1e6:,.1f} MB in {time.monotonic() - begun:.1f} s")
            self._tidy(step)
        return path

    def newest(self) -> Snapshot | None:
        """Return the newest sound checkpoint, None when there is none yet; say which newer ones are damaged.

        The first rank compares the checksums; the others take the one that it found. Raises UserError when there are
        checkpoints and all are damaged, or another rank does not see the folder.
        """
        found = None
        with together():
            if rank() == 0 and self.directory.is_dir():
                leftovers(self.directory)
                found = newest_sound(self.directory)
        step = from_first(found.step if found else -1)
        with together():
            if rank() and step >= 0:
                found = read_snapshot(self._path(step), verify=False)
        return found

    def _path(self, step: int) -> Path:
        return self.directory / f"step-{step:08d}"

    def _write(self, path: Path, model: Arrays, optimizer: Arrays, state: Mapping[str, Any]) -> None:
        """Let every rank write its files into one folder, which then takes its name."""
        owners = [number for number, has_some in enumerate(told_by_all(float(bool(optimizer)))) if has_some]
        work = path.with_name(TEMPORARY + path.name)
        try:
            with together():
                if rank() == 0:
                    shutil.rmtree(work, ignore_errors=True)
                    self.directory.mkdir(exist_ok=True)  # not its parents: a run's folder that is gone is told
                    work.mkdir()
            with together():
                self._write_own(work, model, optimizer, state, owners)
            with together():
                if rank() == 0:
                    _finish(work, path)
        except BaseException:
            if rank() == 0:
                shutil.rmtree(work, ignore_errors=True)
            raise

    def _write_own(
        self, work: Path, model: Arrays, optimizer: Arrays, state: Mapping[str, Any], owners: list[int]
    ) -> None:
        if rank() == 0:
            _write_arrays(work / MODEL, model)
            for name, value in self.beside.items():
                write_json(work / name, value)
            write_json(work / STATE, state)
        if set(owners) <= {0} and rank() == 0:
            _write_arrays(work / OPTIMIZER, optimizer)
        elif optimizer:
            _write_arrays(work / optimizer_file(owners.index(rank()), len(owners)), optimizer)

    def _go_on_without(self, step: int, error: OSError, last: bool) -> None:
        self._failures += 1
        if last or self._failures >= _MOST_FAILURES:
            raise error
        if rank() == 0 or error.errno is not None:  # the first rank tells it, and the one that knows why
            say(f"warning: the checkpoint of step {step:,} was not saved: {describe(error).replace(TEMPORARY, '')}")
            say(f"the run goes on; it ends when {_MOST_FAILURES} in a row fail, and this was number {self._failures}")

    def _tidy(self, step: int) -> None:
        """Point to the best one and remove the old ones; what the system refuses of it is told."""
        sound = [one for one in paths_in(self.directory) if step_of(one) <= step]  # the run went back before later ones
        try:
            best = point_to_best(self.directory, sound)
            for old in sound[: -self.keep_last]:
                if old != best:
                    _discard(old)
        except OSError as error:
            say(f"warning: the checkpoint is saved, but tidying up {self.directory} failed: {error}")


def _write_arrays(path: Path, arrays: Arrays) -> None:
    write_safetensors(path, arrays)
    sync_file(path)


def _finish(work: Path, path: Path) -> None:
    write_json(work / MANIFEST, make_manifest(work))
    sync_directory(work)
    if path.exists():
        _discard(path)  # a damaged one: the run went back before it
    work.rename(path)
    sync_directory(path.parent)


def _discard(path: Path) -> None:
    """Remove a folder so that a kill on the way leaves no half of it under its name."""
    gone = path.with_name(f"{TEMPORARY}old-{path.name}")
    shutil.rmtree(gone, ignore_errors=True)
    path.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)  # a network drive keeps what a process still has mapped; gone later


def paths_in(directory: Path) -> list[Path]:
    """Return the folders of a run's checkpoints, sound or not, the oldest first."""
    found = [path for path in directory.glob("step-*") if re.fullmatch(r"step-\d{8,}", path.name)]
    return sorted(found, key=step_of)


def step_of(path: Path) -> int:
    """Return the number in the name of a checkpoint's folder."""
    return int(path.name.removeprefix("step-"))


def newest_sound(directory: Path) -> Snapshot | None:
    """Return the newest checkpoint that is not damaged, None in an empty folder; UserError when all are."""
    paths = paths_in(directory)
    for path in reversed(paths):
        try:
            return read_snapshot(path)
        except UserError as error:
            say(f"warning: {error}; going back to the checkpoint before it")
    if paths:
        raise UserError(f"all checkpoints in {directory} are damaged; start anew with --restart")
    return None


def point_to_best(directory: Path, among: list[Path]) -> Path | None:
    """Let the link `best` point to the checkpoint with the highest score, the later of two; return it, or None."""
    scores = {path: score for path in among if (score := _score_of(path)) is not None}
    if not scores:
        (directory / BEST).unlink(missing_ok=True)
        return None
    best = max(scores, key=lambda path: (scores[path], step_of(path)))
    if not (directory / BEST).is_symlink() or (directory / BEST).readlink() != Path(best.name):
        link = directory / f"{TEMPORARY}{BEST}"
        link.unlink(missing_ok=True)
        link.symlink_to(best.name)
        link.replace(directory / BEST)
    return best


def _score_of(path: Path) -> float | None:
    try:
        score = read_json(path / STATE).get("score")
    except (UserError, OSError, AttributeError):  # damaged: no candidate
        return None
    return score if isinstance(score, float) and math.isfinite(score) else None


def read_weights(folder: Path | str) -> dict[str, NDArray[Any]]:
    """Return a model's parameters from the folder of a run, of one checkpoint, or of converted weights.

    Of a run the newest are taken; its folder checkpoints/best is a checkpoint like any other. Raises UserError when
    there is none of them or the file is damaged.
    """
    folder = Path(folder)
    if (folder / "checkpoints").is_dir():
        newest = newest_sound(folder / "checkpoints")
        if newest is None:
            raise UserError(f"{folder} is a run without a checkpoint yet; train it first")
        return dict(newest.model)
    if (folder / MANIFEST).is_file():
        return dict(read_snapshot(folder).model)
    if not (folder / MODEL).is_file():
        raise UserError(f"{folder} holds no checkpoints and no {MODEL}; name a run, a checkpoint or converted weights")
    return read_safetensors(folder / MODEL)


def model_arrays(model: nn.Layer) -> dict[str, NDArray[Any]]:
    """Return the model's parameters and buffers by structured name."""
    return {name: tensor.numpy() for name, tensor in model.state_dict().items()}


def restore_model(model: nn.Layer, arrays: Arrays, where: Path | str) -> None:
    """Put saved parameters into the model. Raises UserError listing each missing, unknown or misshapen one."""
    own = model.state_dict()
    faults = [f"{name} is missing" for name in own if name not in arrays]
    faults += [f"{name} is not in this model" for name in arrays if name not in own]
    faults += [
        f"{name} is {list(arrays[name].shape)}, the model's is {list(tensor.shape)}"
        for name, tensor in own.items()
        if name in arrays and list(arrays[name].shape) != list(tensor.shape)
    ]
    if faults:
        more = f"\n  and {len(faults) - 20} more" if len(faults) > 20 else ""
        raise UserError(f"{where} does not fit the model of this run:\n  " + "\n  ".join(faults[:20]) + more)
    for name, tensor in own.items():
        tensor.set_value(arrays[name])


def _refuse_nonfinite(step: int, arrays: Arrays) -> None:
    # The sum of finite float32 numbers cannot overflow in float64, and needs no array of as many flags.
    bad = [
        name for name, array in arrays.items() if array.dtype.kind == "f" and not np.isfinite(array.sum(dtype="f8"))
    ]
    if bad:
        raise UserError(
            f"the checkpoint of step {step} was not saved: {len(bad)} of {len(arrays)} arrays hold values that are "
            f"not finite ({', '.join(bad[:5])}); the checkpoint before it stands, try a lower optimizer.peak_lr"
        )
