"""Checkpoints: safetensors with a manifest, whole or absent, the newest sound one found again.

    checkpoints/step-00000100/model.safetensors      parameters and buffers by structured name
                              optimizer.safetensors  Adam's moments
                              state.json             what else the trainer needs
                              manifest.json          size and SHA-256 of each of these
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from paddle import nn

from unimo_paddle.console import say
from unimo_paddle.errors import UserError
from unimo_paddle.files import atomic_directory, leftovers, read_json, sha256_of, write_json
from unimo_paddle.tensor_files import read_safetensors, write_safetensors

Arrays = Mapping[str, NDArray[Any]]
MODEL, OPTIMIZER, STATE, MANIFEST = "model.safetensors", "optimizer.safetensors", "state.json", "manifest.json"
_SCHEMA = 1


@dataclass(frozen=True)
class Snapshot:
    """What was saved after `step` updates."""

    step: int
    path: Path
    model: Arrays
    optimizer: Arrays
    state: dict[str, Any]


class Checkpoints:
    """The checkpoints of one run. keep_last: how many stay; beside: file name -> JSON value, kept in each."""

    def __init__(self, directory: Path | str, keep_last: int, beside: Mapping[str, Any] | None = None) -> None:
        self.directory, self.keep_last, self.beside = Path(directory), keep_last, beside or {}

    def save(self, step: int, model: Arrays, optimizer: Arrays, state: dict[str, Any]) -> Path:
        """Write a checkpoint, then remove the oldest ones beyond keep_last; return its folder.

        Raises UserError when a number is not finite: such a checkpoint would only carry the damage on.
        """
        _refuse_nonfinite(step, {**model, **{f"optimizer {name}": array for name, array in optimizer.items()}})
        path = self.directory / f"step-{step:08d}"
        shutil.rmtree(path, ignore_errors=True)  # only a damaged one can be there: the run went back before it
        with atomic_directory(path) as folder:
            write_safetensors(folder / MODEL, model)
            write_safetensors(folder / OPTIMIZER, optimizer)
            for name, value in self.beside.items():
                write_json(folder / name, value)
            write_json(folder / STATE, {"step": step, **state})
            write_json(folder / MANIFEST, _manifest(folder))
        sound = [one for one in self._paths() if _step_of(one) <= step]  # the run went back before any later one
        for old in sound[: -self.keep_last]:
            shutil.rmtree(old)
        return path

    def newest(self) -> Snapshot | None:
        """Return the newest sound checkpoint, None when there is none yet; say which newer ones are damaged.

        Raises UserError when there are checkpoints and all are damaged.
        """
        if self.directory.is_dir():
            leftovers(self.directory)
        paths = self._paths()
        for path in reversed(paths):
            try:
                return read_snapshot(path)
            except UserError as error:
                say(f"warning: {error}; going back to the checkpoint before it")
        if paths:
            raise UserError(f"all checkpoints in {self.directory} are damaged; start anew with --restart")
        return None

    def _paths(self) -> list[Path]:
        found = [path for path in self.directory.glob("step-*") if re.fullmatch(r"step-\d{8,}", path.name)]
        return sorted(found, key=_step_of)


def _step_of(path: Path) -> int:
    return int(path.name.removeprefix("step-"))


def read_snapshot(path: Path) -> Snapshot:
    """Return a checkpoint after comparing every file with the manifest. Raises UserError naming what is damaged."""
    manifest = read_json(path / MANIFEST)
    if not isinstance(manifest, dict) or manifest.get("schema") != _SCHEMA:
        raise UserError(f"{path / MANIFEST}: schema {_SCHEMA} is wanted; the file is of another program")
    for name in (MODEL, OPTIMIZER, STATE):
        _compare(path / name, manifest.get("files", {}).get(name, {}))
    state = read_json(path / STATE)
    return Snapshot(state["step"], path, read_safetensors(path / MODEL), read_safetensors(path / OPTIMIZER), state)


def read_weights(folder: Path | str) -> dict[str, NDArray[Any]]:
    """Return a model's parameters from the folder of a run, of one checkpoint, or of converted weights.

    Raises UserError when there is none of them or the file is damaged.
    """
    folder = Path(folder)
    if (folder / "checkpoints").is_dir():
        newest = Checkpoints(folder / "checkpoints", keep_last=1).newest()
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


def _manifest(folder: Path) -> dict[str, Any]:
    files = {
        name: {"bytes": (folder / name).stat().st_size, "sha256": sha256_of(folder / name)}
        for name in (MODEL, OPTIMIZER, STATE)
    }
    return {"schema": _SCHEMA, "files": files}


def _compare(path: Path, noted: dict[str, Any]) -> None:
    if not path.is_file():
        raise UserError(f"{path} is missing")
    size = path.stat().st_size
    if size != noted.get("bytes"):
        raise UserError(f"{path} has {size} bytes instead of {noted.get('bytes')}")
    if sha256_of(path) != noted.get("sha256"):
        raise UserError(f"{path} is damaged: its SHA-256 is not the one in {MANIFEST}")


def _refuse_nonfinite(step: int, arrays: Arrays) -> None:
    bad = [name for name, array in arrays.items() if array.dtype.kind == "f" and not np.isfinite(array).all()]
    if bad:
        raise UserError(
            f"the checkpoint of step {step} was not saved: {len(bad)} of {len(arrays)} arrays hold values that are "
            f"not finite ({', '.join(bad[:5])}); the checkpoint before it stands, try a lower optimizer.peak_lr"
        )
