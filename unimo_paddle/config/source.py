"""Read settings as they were written, each with the place where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from unimo_paddle.errors import UserError
from unimo_paddle.files import read_text

BASE = "base"  # the key that names the file to inherit from


@dataclass(frozen=True)
class Written:
    """A value as YAML or the command line gave it, and where: `configs/a.yaml:12` or `-o train.steps=5`."""

    value: Any
    place: str


Settings = dict[str, Written]  # by dotted key: `train.steps`


def read_settings(path: Path | str, overrides: Sequence[str] = ()) -> tuple[Settings, list[str]]:
    """Return the settings of a YAML file, of the files it inherits from, and of `key=value` overrides.

    A nearer file wins over its base, an override over both. The list names faults that need no knowledge of the
    settings (a key given twice, an override without `=`). Raises UserError when a file is missing or no YAML, or
    when files inherit in a circle.
    """
    settings, faults = _read_chain(Path(path), ())
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            faults.append(f"-o {text}: write it as key=value")
            continue
        settings[key.strip()] = Written(value.strip(), f"-o {text}")
    return settings, faults


def _read_chain(path: Path, readers: tuple[Path, ...]) -> tuple[Settings, list[str]]:
    """Read one file after the file that it inherits from. readers: the files that led here."""
    if path.resolve() in [reader.resolve() for reader in readers]:
        circle = " -> ".join(str(step) for step in (*readers, path))
        raise UserError(f"{readers[-1]}: base leads back to {path} ({circle}); break the circle")
    own, faults = _read_file(path)
    base = own.pop(BASE, None)
    if base is None:
        return own, faults
    if not isinstance(base.value, str):
        raise UserError(f"{base.place}: base is {base.value!r}; write the path of one file, relative to this one")
    parent = path.parent / base.value
    if not parent.is_file():
        raise UserError(f"{base.place}: base is {base.value}, but {parent} does not exist")
    settings, older = _read_chain(parent, (*readers, path))
    return {**settings, **own}, older + faults


def _read_file(path: Path) -> tuple[Settings, list[str]]:
    loader = yaml.SafeLoader(read_text(path))
    try:
        root = loader.get_single_node()
        if root is None:
            return {}, []
        if not isinstance(root, yaml.MappingNode):
            raise UserError(f"{path}: settings are written as `name: value` lines; this file is something else")
        settings: Settings = {}
        faults: list[str] = []
        for key, value, line in _leaves(loader, root, ""):
            place = f"{path}:{line}"
            if key in settings:
                faults.append(f"{place}: {key} is given twice, first at {settings[key].place}; keep one")
            settings[key] = Written(value, place)
        return settings, faults
    except yaml.YAMLError as error:
        raise UserError(_yaml_fault(path, error)) from None
    finally:
        loader.dispose()


def _leaves(loader: yaml.SafeLoader, node: yaml.MappingNode, prefix: str) -> Iterator[tuple[str, Any, int]]:
    """Yield (dotted key, value, line) of every value that is not a section itself."""
    for name, child in node.value:
        key = f"{prefix}{loader.construct_object(name, deep=True)}"
        if isinstance(child, yaml.MappingNode):
            yield from _leaves(loader, child, key + ".")
        else:
            yield key, loader.construct_object(child, deep=True), name.start_mark.line + 1


def _yaml_fault(path: Path, error: yaml.YAMLError) -> str:
    mark: yaml.Mark | None = getattr(error, "problem_mark", None)
    where = f"{path}:{mark.line + 1}" if mark else str(path)
    return f"{where}: this is not YAML: {getattr(error, 'problem', None) or error}"
