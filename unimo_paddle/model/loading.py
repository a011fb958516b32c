"""Starts a model from a folder of converted weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import paddle
from numpy.typing import NDArray
from paddle import Tensor, nn

from unimo_paddle.errors import UserError
from unimo_paddle.model.model_folder import read_model

ANSWER_HEAD = "answer."   # of UnimoForTask


def load_weights(model: nn.Layer, folder: Path) -> list[str]:
    """Copy every array of the folder into the parameter of the same name.

    Returns the parameters that the folder lacks; they keep their random start (a RoBERTa brings no image side
    and no heads for pairs).  Raises UserError, before anything is changed, that lists every array of another
    shape and every one the model has no place for, or when nothing fits at all.
    """
    _, arrays = read_model(folder)
    state = model.state_dict()
    unknown = [f"{name}: the model has no such parameter" for name in arrays if name not in state]
    return _copy(state, arrays, folder, unknown)


def start_from(model: nn.Layer, arrays: Mapping[str, NDArray[Any]], where: Path) -> list[str]:
    """Copy what a model for another task has in common with this one: the encoder and the heads that both have.

    Returns the parameters that start at random: an answer head of another task's classes too.  Raises UserError, before
    anything is changed, that lists every other array of another shape, or when not one fits.
    """
    state = model.state_dict()
    common = {name: array for name, array in arrays.items() if name in state}
    answer = [name for name in common if name.startswith(ANSWER_HEAD)]
    if any(list(common[name].shape) != list(state[name].shape) for name in answer):
        common = {name: array for name, array in common.items() if name not in answer}
    return _copy(state, common, where, [])


def _copy(
    state: Mapping[str, Tensor], arrays: Mapping[str, NDArray[Any]], where: Path, faults: list[str]
) -> list[str]:
    faults += [
        f"{name}: is {list(arrays[name].shape)}, the model has {list(tensor.shape)}"
        for name, tensor in state.items()
        if name in arrays and list(arrays[name].shape) != list(tensor.shape)
    ]
    if faults or not arrays:
        detail = "\n  ".join(faults[:10]) or "none of its weights has a place here"
        raise UserError(f"{where}: does not fit this model; check model.size, vocabulary, widths:\n  {detail}")
    for name in arrays.keys() & state.keys():
        state[name].set_value(paddle.to_tensor(arrays[name].astype("float32")))
    return [name for name in state if name not in arrays]
