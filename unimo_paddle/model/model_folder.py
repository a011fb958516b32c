"""A model on disk: model.safetensors, and model.json with the numbers its shapes cannot tell."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unimo_paddle import files
from unimo_paddle.errors import UserError
from unimo_paddle.safe_pickle import Array
from unimo_paddle.tensor_files import read_safetensors, write_safetensors

WEIGHTS_FILE = "model.safetensors"
SIZES_FILE = "model.json"
LOCATION_WIDTH = 5
@dataclass(frozen=True)
class ModelSizes:
    """The numbers that build a model; feature_width and classes are None when no weight speaks of them."""

    vocab_size: int
    width: int
    layers: int
    heads: int
    max_positions: int
    feature_width: int | None = None
    classes: int | None = None

    def shape(self, letters: str) -> tuple[int | None, ...]:
        """Spell out a shape of model/names.py; None where any size will do."""
        sizes = {
            "V": self.vocab_size, "P": self.max_positions, "H": self.width, "I": 4 * self.width,
            "D": self.feature_width, "L": LOCATION_WIDTH, "C": self.classes, "1": 1,
        }  # fmt: skip
        return tuple(sizes[letter] for letter in letters)


def write_model(folder: Path, sizes: ModelSizes, weights: Mapping[str, Array]) -> None:
    """Write a model's two files into an existing folder."""
    files.write_json(folder / SIZES_FILE, dataclasses.asdict(sizes))
    write_safetensors(folder / WEIGHTS_FILE, weights)


def read_model(folder: Path) -> tuple[ModelSizes, dict[str, Array]]:
    """Read a model's folder; UserError naming the file when one is absent, cut short or says no sizes."""
    if not (folder / SIZES_FILE).is_file():
        raise UserError(
            f"{folder} holds no model: {SIZES_FILE} is missing; name a folder that tools/convert.py made, or a "
            f"checkpoint (the folder step-... of a run)"
        )
    found = files.read_json(folder / SIZES_FILE)
    known = {field.name for field in dataclasses.fields(ModelSizes)}
    required = known - {"feature_width", "classes"}
    if not isinstance(found, dict) or not required <= found.keys() <= known:
        raise UserError(f"{folder / SIZES_FILE}: must give {', '.join(sorted(required))} and nothing unknown")
    wrong = {name: value for name, value in found.items() if not _is_size(name, value, required)}
    if wrong:
        raise UserError(f"{folder / SIZES_FILE}: sizes must be whole numbers above 0: {wrong}")
    return ModelSizes(**found), read_safetensors(folder / WEIGHTS_FILE)


def _is_size(name: str, value: Any, required: set[str]) -> bool:
    return (type(value) is int and value > 0) or (value is None and name not in required)
