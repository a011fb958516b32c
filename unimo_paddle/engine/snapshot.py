"""One checkpoint on the disk: its files, its manifest, and reading it back, whichever ranks wrote it.

    step-00000100/model.safetensors      parameters and buffers by structured name
                  optimizer.safetensors  Adam's moments; of several owners: optimizer-00001-of-00004.safetensors ..
                  state.json             what else the trainer needs
                  manifest.json          size and SHA-256 of each file; written last
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from unimo_paddle.errors import UserError
from unimo_paddle.files import read_json, sha256_of
from unimo_paddle.tensor_files import read_safetensors

Arrays = Mapping[str, NDArray[Any]]
MODEL, OPTIMIZER, STATE, MANIFEST = "model.safetensors", "optimizer.safetensors", "state.json", "manifest.json"
_SCHEMA = 1
_SHARD = re.compile(r"optimizer-(\d{5})-of-(\d{5})\.safetensors")
_HASHERS = 4  # threads; each hashes about 1 GB a second


@dataclass(frozen=True)
class Snapshot:
    """What was saved after `step` updates. The arrays are memory-mapped: what is not looked at is not read."""

    step: int
    path: Path
    model: Arrays
    optimizer: Arrays
    state: dict[str, Any]


def optimizer_file(number: int, owners: int) -> str:
    """Return the file of the owner `number`, counted from 0, of Adam's state."""
    return f"optimizer-{number + 1:05d}-of-{owners:05d}.safetensors"


def make_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of all files in a checkpoint's folder."""
    assert not twice_in(_optimizer_files(folder)), "two ranks saved the same parameter's state"
    files = sorted(file for file in folder.iterdir() if file.name != MANIFEST)
    with ThreadPoolExecutor(_HASHERS) as pool:
        sums = pool.map(sha256_of, files)
        return {
            "schema": _SCHEMA,
            "files": {
                file.name: {"bytes": file.stat().st_size, "sha256": sha256}
                for file, sha256 in zip(files, sums, strict=True)
            },
        }


def read_snapshot(path: Path, verify: bool = True) -> Snapshot:
    """Return a checkpoint. Raises UserError naming what is damaged or missing.

    verify: compare every file with the manifest's size and checksum first, which reads all of it; without, files that
    another process has just compared are only mapped.
    """
    manifest = read_json(path / MANIFEST)
    if not isinstance(manifest, dict) or manifest.get("schema") != _SCHEMA:
        raise UserError(f"{path / MANIFEST}: schema {_SCHEMA} is wanted; the file is of another program")
    listed = manifest.get("files", {})
    names = [MODEL, STATE, *_optimizer_names(path, listed)]
    if verify:
        with ThreadPoolExecutor(_HASHERS) as pool:
            list(pool.map(lambda name: _compare(path / name, listed.get(name, {})), sorted({*names, *listed})))
    state = read_json(path / STATE)
    model = read_safetensors(path / MODEL)
    return Snapshot(state["step"], path, model, _merged([path / name for name in names[2:]]), state)


def _optimizer_names(path: Path, listed: Mapping[str, Any]) -> list[str]:
    """Return the files that hold Adam's state: one, or one of each owner."""
    shards = [match for match in map(_SHARD.fullmatch, sorted(listed)) if match]
    if not shards:
        return [OPTIMIZER]
    owners = int(shards[0][2])
    wanted = [optimizer_file(number, owners) for number in range(owners)]
    found = [match[0] for match in shards]
    if found != wanted:
        raise UserError(f"{path / MANIFEST}: lists {', '.join(found)} where {owners} parts of the state are wanted")
    return wanted


def _optimizer_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("optimizer*.safetensors"))


def _merged(files: list[Path]) -> Arrays:
    """Return the state of all owners together. Raises UserError when two of them hold the same."""
    twice = twice_in(files)
    if twice:
        raise UserError(f"{files[0].parent}: {', '.join(twice[:5])} is in two of the optimizer's files")
    return {name: array for file in files for name, array in read_safetensors(file).items()}


def twice_in(files: list[Path]) -> list[str]:
    """Return the names of arrays that more than one of the files holds."""
    names = sorted(name for file in files for name in read_safetensors(file))
    return sorted({name for name, following in pairwise(names) if name == following})


def _compare(path: Path, noted: Mapping[str, Any]) -> None:
    if not path.is_file():
        raise UserError(f"{path} is missing")
    size = path.stat().st_size
    if size != noted.get("bytes"):
        raise UserError(f"{path} has {size} bytes instead of {noted.get('bytes')}")
    if sha256_of(path) != noted.get("sha256"):
        raise UserError(f"{path} is damaged: its SHA-256 is not the one in {MANIFEST}")
