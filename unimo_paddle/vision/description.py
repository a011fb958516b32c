"""What a detector's folder says about itself; no Paddle here, so that nobody waits for it to learn that."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from unimo_paddle.errors import UserError
from unimo_paddle.files import read_json
from unimo_paddle.vision.settings import Choice, DetectorSettings

SCHEMA = 1
DESCRIPTION, WEIGHTS = "detector.json", "detector.safetensors"


@dataclass(frozen=True)
class Description:
    """choice: the regions to keep unless told otherwise.  sha256: of the file of weights, as it was written."""

    settings: DetectorSettings
    choice: Choice
    sha256: str


def read_description(path: Path) -> Description:
    """Read a detector's detector.json; UserError when the folder is none or was made by another version."""
    file = path / DESCRIPTION
    if not file.is_file() or not (path / WEIGHTS).is_file():
        raise UserError(
            f"{path} is no detector: {DESCRIPTION} and {WEIGHTS} are wanted; train one with tools/train.py and name "
            f"the folder `detector` of its run"
        )
    value = read_json(file)
    if not isinstance(value, dict) or value.get("schema") != SCHEMA or not isinstance(value.get("settings"), dict):
        raise UserError(f"{file} was not made by this version (schema {SCHEMA} is read); train the detector again")
    settings = DetectorSettings.from_dict(value["settings"], str(file))
    return Description(settings, Choice.from_dict(value.get("extraction", {}), str(file)), str(value.get("sha256")))
