"""Starts a model from a folder of converted weights."""

from __future__ import annotations

from pathlib import Path

import paddle
from paddle import nn

from unimo_paddle.errors import UserError
from unimo_paddle.model.model_folder import read_model


def load_weights(model: nn.Layer, folder: Path) -> list[str]:
    """Copy every array of the folder into the parameter of the same name.

    Returns the parameters that the folder lacks; they keep their random start (a RoBERTa brings no image side
    and no heads for pairs).  Raises UserError, before anything is changed, that lists every array of another
    shape and every one the model has no place for, or when nothing fits at all.
    """
    _, arrays = read_model(folder)
    state = model.state_dict()
    faults = [f"{name}: the model has no such parameter" for name in arrays if name not in state]
    faults += [
        f"{name}: is {list(arrays[name].shape)}, the model has {list(tensor.shape)}"
        for name, tensor in state.items()
        if name in arrays and list(arrays[name].shape) != list(tensor.shape)
    ]
    if faults or not arrays:
        detail = "\n  ".join(faults[:10]) or "holds no weights"
        raise UserError(f"{folder}: does not fit this model; check model.size, vocabulary, widths:\n  {detail}")
    for name in arrays.keys() & state.keys():
        state[name].set_value(paddle.to_tensor(arrays[name].astype("float32")))
    return [name for name in state if name not in arrays]
