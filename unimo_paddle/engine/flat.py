"""A tree of dataclasses, lists and arrays as two files: the arrays, and what is around them; nothing in it can run."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.errors import UserError
from unimo_paddle.files import read_json, write_json
from unimo_paddle.tensor_files import read_safetensors, write_safetensors

ARRAYS, TREE = "arrays.safetensors", "tree.json"


def write_tree(folder: Path, value: Any) -> None:
    """Write a tree of dataclasses, lists, tuples, dicts with text keys, arrays, numbers, texts and None."""
    arrays: dict[str, NDArray[Any]] = {}
    tree = _taken_apart(value, "value", arrays)
    write_safetensors(folder / ARRAYS, arrays)
    write_json(folder / TREE, tree)


def read_tree(folder: Path) -> Any:
    """Return what write_tree() wrote. Raises UserError when the files are damaged or name a class that this program has
    not loaded."""
    arrays = read_safetensors(folder / ARRAYS)
    try:
        return _put_together(read_json(folder / TREE), arrays)
    except (KeyError, TypeError, AttributeError, ValueError) as fault:
        raise UserError(f"{folder / TREE} does not fit {ARRAYS} beside it or this program: {fault!r}") from fault


def arrays_of(value: Any) -> dict[str, NDArray[Any]]:
    """Return all arrays of a tree by their place in it, e.g. `parts.0.labels.rows`."""
    arrays: dict[str, NDArray[Any]] = {}
    _taken_apart(value, "", arrays)
    return {key.lstrip("."): array for key, array in arrays.items()}


def _taken_apart(value: Any, key: str, arrays: dict[str, NDArray[Any]]) -> Any:
    if isinstance(value, np.ndarray):
        arrays[key] = value
        return {"array": key}
    if is_dataclass(value) and not isinstance(value, type):
        inner = {one.name: _taken_apart(getattr(value, one.name), f"{key}.{one.name}", arrays) for one in fields(value)}
        return {"class": [type(value).__module__, type(value).__name__], "fields": inner}
    if isinstance(value, (list, tuple)):
        items = [_taken_apart(one, f"{key}.{place}", arrays) for place, one in enumerate(value)]
        return {"tuple" if isinstance(value, tuple) else "list": items}
    if isinstance(value, dict):
        return {"dict": {name: _taken_apart(one, f"{key}.{name}", arrays) for name, one in value.items()}}
    plain = value.item() if isinstance(value, np.generic) else value
    assert plain is None or isinstance(plain, (str, int, float, bool)), (key, type(value))
    return {"value": plain}


def _put_together(node: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    ((kind, inner), *more) = node.items()
    if kind == "array":
        return arrays[inner]
    if kind == "class":
        made = {name: _put_together(one, arrays) for name, one in dict(more)["fields"].items()}
        return _loaded_class(*inner)(**made)
    if kind in ("list", "tuple"):
        return (tuple if kind == "tuple" else list)(_put_together(one, arrays) for one in inner)
    if kind == "dict":
        return {name: _put_together(one, arrays) for name, one in inner.items()}
    return node["value"]


def _loaded_class(module: str, name: str) -> Any:
    """Return a dataclass of a module that is loaded already: reading a file imports nothing and runs nothing else."""
    found = getattr(sys.modules.get(module), name, None)
    if not (isinstance(found, type) and is_dataclass(found)):
        raise ValueError(f"{module}.{name} is no dataclass of this program")
    return found
