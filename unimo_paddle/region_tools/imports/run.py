"""Importing: every format's items, decoded, checked and stored; nothing half-done, faults listed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from unimo_paddle.console import progress, say
from unimo_paddle.errors import UserError
from unimo_paddle.files import atomic_write, read_text
from unimo_paddle.region_shards import Regions, StoreMeta, region_faults
from unimo_paddle.region_tools.building import building, stamp
from unimo_paddle.region_tools.imports import bottom_up_tsv, npz, release, vinvl_tsv
from unimo_paddle.region_tools.imports.fields import BACKGROUND, NONE, FaultyItem, Floats, Names, numbered
from unimo_paddle.region_tools.imports.lines import Item, total_size
from unimo_paddle.regions import RegionStoreWriter

FAULTS_SHOWN = 20
IMAGES_PER_SHARD = 250
CLASS_TOP_K, ATTR_TOP_K = 16, 8  # of full distributions
SKIPPED_FILE = "skipped.txt"
MIB = 1 << 20


class Format(Protocol):
    """What a module of a format has."""

    def files(self, source: Path) -> list[Path]: ...

    def items(self, paths: Sequence[Path], names: Names, order: str) -> Iterator[Item]: ...


FORMATS: dict[str, Format] = {
    "release": release, "bottom-up-tsv": bottom_up_tsv, "vinvl-tsv": vinvl_tsv, "npz": npz,
}  # fmt: skip


@dataclass(frozen=True)
class Request:
    """What is to be imported: format, files, and what the store is told of them.

    order: of width and height ("auto" lets the boxes tell).  renames: id in the files -> id in the store; empty keeps
    the ids.  skip_faulty: whether the rest is taken when some items cannot be.
    """

    format: str
    source: Path
    family: str
    names: Names = field(default_factory=Names)
    order: str = "auto"
    renames: Mapping[str, str] = field(default_factory=dict)
    skip_faulty: bool = False


@dataclass
class Report:
    """What an import did. repeated: lines that repeat an image.  before: stored by an earlier, killed run."""

    stored: int = 0
    before: int = 0
    repeated: int = 0
    faults: list[str] = field(default_factory=list)


def import_features(request: Request, out: Path) -> Report:
    """Store other people's features in a new region store `out`.

    Its classes and what is kept of a distribution follow from the first good item; see docs/regions.md. UserError when
    items are faulty, unless they are to be skipped; `out` is then not there, and what was read waits in `out`.part.
    """
    chosen = FORMATS[request.format]
    paths = chosen.files(request.source)
    names = vinvl_tsv.collect_names(paths, request.names) if chosen is vinvl_tsv else request.names
    origin = {
        "format": request.format, "files": stamp(paths), "order": request.order,
        "renames": hashlib.sha256(repr(sorted(request.renames.items())).encode()).hexdigest(),
    }  # fmt: skip
    with building(out, origin) as part:
        importer = _Importer(part, request, names)
        found = chosen.items(paths, names, request.order)
        with importer:
            for item in progress(found, total_size(paths) // MIB, "importing", "MiB", size=_in_mib()):
                importer.take(item)
        report = importer.report
        _judge(report, request, part)
    return report


class _Importer:
    """Takes items one by one into the store at `path`, which is opened with the first good one."""

    def __init__(self, path: Path, request: Request, names: Names) -> None:
        self.report = Report()
        self._path, self._request, self._names = path, request, names
        self._writer: RegionStoreWriter | None = None
        self._seen: dict[str, bytes] = {}

    def __enter__(self) -> _Importer:
        return self

    def __exit__(self, *error: object) -> None:
        if self._writer:
            self._writer.__exit__(*error)  # type: ignore[arg-type]

    def take(self, item: Item) -> None:
        """Store one item, or note its fault."""
        try:
            self._take(item)
        except FaultyItem as error:
            fault = f"{item.where}: {error}".encode("utf-8", "backslashreplace").decode()
            if not self.report.faults:
                say(f"first fault: {fault}; reading on to find all")
            self.report.faults.append(fault)

    def _take(self, item: Item) -> None:
        if item.fault or not item.image_id or item.build is None:
            raise FaultyItem(item.fault or "it has no image id")
        if any("\ud800" <= letter <= "\udfff" for letter in item.image_id):
            raise FaultyItem(f"the image id {os.fsencode(item.image_id)!r} is not UTF-8")
        image_id = self._renamed(item.image_id)
        digest = hashlib.blake2b(b"\0".join(item.content), digest_size=16).digest()
        if self._seen.get(image_id, digest) != digest:
            self._sound(item.build())  # its own faults say more
            raise FaultyItem(f"the image {image_id!r} was there before with other numbers")
        if image_id in self._seen:
            self.report.repeated += 1
        elif self._writer and image_id in self._writer.done:
            self.report.before += 1
        else:
            self._store(image_id, item.build())
        self._seen[image_id] = digest

    def _renamed(self, image_id: str) -> str:
        if self._request.renames and image_id not in self._request.renames:
            raise FaultyItem(f"the list of ids has no {image_id!r}")
        return self._request.renames.get(image_id, image_id)

    def _store(self, image_id: str, regions: Regions) -> None:
        writer = self._sound(regions)
        if image_id in writer.done:  # the first item of a run that goes on: it had to be read to open the store
            self.report.before += 1
            return
        writer.append(image_id, regions)
        self.report.stored += 1

    def _sound(self, regions: Regions) -> RegionStoreWriter:
        """Return the store that regions fit, opened by the first ones; FaultyItem when they do not."""
        self._writer = self._writer or self._open(regions)
        faults = [*region_faults(regions, self._writer.meta)]
        if faults:
            raise FaultyItem("; ".join(faults))
        return self._writer

    def _open(self, regions: Regions) -> RegionStoreWriter:
        writer = RegionStoreWriter(self._path, _meta(self._request.family, self._names, regions), IMAGES_PER_SHARD)
        if writer.done:
            say(f"{self._path}: {len(writer.done):,} images are there already")
        return writer


def read_renames(path: Path) -> dict[str, str]:
    """Read `id in the files TAB id in the store`, a pair a line; UserError naming lines that are not, or repeat one."""
    renames: dict[str, str] = {}
    for count, line in enumerate(read_text(path).splitlines(), 1):
        old, tab, new = line.strip().partition("\t")
        if line.strip() and (not tab or not new.strip() or old in renames):
            raise UserError(f"{path}:{count}: {line[:60]!r} is not a new pair of ids with a TAB between")
        renames.update({old: new.strip()} if line.strip() else {})
    if len(set(renames.values())) < len(renames):
        raise UserError(f"{path}: two ids would become the same")
    return renames


def _meta(family: str, names: Names, regions: Regions) -> StoreMeta:
    attributes = regions.attr_probs
    return StoreMeta(
        family=family,
        feature_width=regions.features.shape[1],
        classes=_class_names(names, regions),
        class_top_k=_kept(regions.class_probs, CLASS_TOP_K),
        detector=f"imported:{family}",  # nobody knows the weights; a run over another family must still differ
        choice="as imported",
        attributes=() if attributes is None else numbered(names.attributes, attributes.shape[1], NONE, "attributes"),
        attr_top_k=ATTR_TOP_K if attributes is None else _kept(attributes, ATTR_TOP_K),
    )


def _class_names(names: Names, regions: Regions) -> tuple[str, ...]:
    count = regions.class_probs.shape[1]
    return (BACKGROUND, "object") if count == 2 and not names.classes else numbered(
        names.classes, count, BACKGROUND, "classes"
    )  # fmt: skip


def _kept(probs: Floats, top_k: int) -> int:
    """Return how many entries a row needs: 1 when nothing but the best was known and the rest is even."""
    ordered = np.sort(probs, axis=1)
    return 1 if (ordered[:, 0] == ordered[:, -2]).all() else top_k


def _judge(report: Report, request: Request, part: Path) -> None:
    """Raise UserError when the import is not to be kept; list what was skipped."""
    faults, taken = report.faults, report.stored + report.before
    if taken and (not faults or request.skip_faulty):
        if faults:
            with atomic_write(part / SKIPPED_FILE, "w") as file:
                file.writelines(f"{fault}\n" for fault in faults)
        return
    shown = "\n  ".join(faults[:FAULTS_SHOWN]) or f"{request.source} holds no image"
    more = f"\n  and {len(faults) - FAULTS_SHOWN:,} more" if len(faults) > FAULTS_SHOWN else ""
    advice = "nothing could be taken" if not taken else (
        f"give --skip-faulty to take the other {taken:,} (they wait in {part}), or mend the files and remove {part}"
    )  # fmt: skip
    raise UserError(f"{len(faults):,} of the items cannot be taken; {advice}:\n  {shown}{more}")


def _in_mib() -> Callable[[Item], int]:
    """Return the size of items for the progress; what is less than a MiB is carried on to the next one."""
    rest = 0

    def size(item: Item) -> int:
        nonlocal rest
        whole, rest = divmod(rest + item.size, MIB)
        return whole

    return size
