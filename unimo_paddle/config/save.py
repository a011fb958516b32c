"""Keep a run's settings in its folder, read them back, and tell two runs apart."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from unimo_paddle.config.load import Run, known_keys, load_run
from unimo_paddle.errors import UserError
from unimo_paddle.files import atomic_write

SAVED = "config.yaml"
_HEADER = "# Every setting of this run, defaults, inherited values and overrides included. Written by tools/train.py.\n"


def save_run(run: Run, path: Path | str) -> None:
    """Write all settings as one YAML file, atomically; load_run gives the equal run back."""
    with atomic_write(path, "w") as file:
        file.write(_HEADER)
        yaml.safe_dump(_plain(asdict(run)), file, sort_keys=False, allow_unicode=True)


def run_from_directory(directory: Path | str) -> Run:
    """Return the run whose folder this is. Raises UserError when no run was started there."""
    path = Path(directory) / SAVED
    if not path.is_file():
        raise UserError(f"{directory} holds no {SAVED}, so it is not the folder of a run; check the path")
    return load_run(path)


def fingerprint(run: Run) -> int:
    """Return a number below 2 ** 48 that tells runs with other settings apart."""
    return int(hashlib.sha256(repr(run).encode()).hexdigest()[:12], 16)


def differences(old: Run, new: Run) -> list[str]:
    """Return a line `key: old -> new` for each setting that differs and may not change in a run once started."""
    if type(old) is not type(new):
        return [f"kind: {old.kind} -> {new.kind}"]
    fixed = [key for key, item in known_keys(type(new)).items() if not item.metadata.get("may_change")]
    pairs = [(key, _at(old, key), _at(new, key)) for key in fixed]
    return [f"{key}: {before} -> {after}" for key, before, after in pairs if before != after]


def _at(run: Run, key: str) -> Any:
    value: Any = run
    for name in key.split("."):
        value = getattr(value, name)
    return value


def _plain(value: Any) -> Any:
    """Return a value in the types that YAML's safe writer knows."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
