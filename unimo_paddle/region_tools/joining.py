"""Stores made of stores: several joined, or a part of one; every image is copied bit for bit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from unimo_paddle.console import progress
from unimo_paddle.corpus import Corpus
from unimo_paddle.errors import UserError
from unimo_paddle.files import read_text
from unimo_paddle.region_tools.building import building
from unimo_paddle.regions import RegionStore, RegionStoreWriter

IMAGES_PER_SHARD = 250
EXAMPLES = 5


def merge(stores: Sequence[Path], out: Path) -> int:
    """Join stores to a new one, in their order; return how many images it has.

    An image that two stores hold alike is stored once. UserError, naming what differs, when the stores are not of one
    family, detector, choice and list of names, or when an image differs between them: nothing is mixed; and naming a
    shard that is not what was written, before anything of it is copied: a new checksum would hide that.
    """
    opened = [RegionStore(path, checked=True) for path in stores]
    for other in opened[1:]:
        require_alike(opened[0], other)
    _require_agreement(opened)
    origin: dict[str, object] = {"merge": [[str(store.path.resolve()), len(store)] for store in opened]}
    return _copy([(store, image_id) for store in opened for image_id in store.ids], opened[0], out, origin)


def subset(store: Path, image_ids: Sequence[str], out: Path) -> int:
    """Copy the images of these ids to a new store, in the order of the ids; return how many it has.

    UserError when the store lacks some of them, or a shard is not what was written.
    """
    opened = RegionStore(store, checked=True)
    wanted = list(dict.fromkeys(image_ids))
    missing = [image_id for image_id in wanted if image_id not in opened]
    if missing or not wanted:
        named = ", ".join(map(repr, missing[:EXAMPLES])) + (", ..." if missing[EXAMPLES:] else "")
        raise UserError(f"{store} lacks {len(missing):,} of the {len(wanted):,} images that are asked for ({named})")
    origin: dict[str, object] = {"subset": str(store.resolve()), "images": len(wanted)}
    return _copy([(opened, image_id) for image_id in wanted], opened, out, origin)


def listed_ids(path: Path) -> list[str]:
    """Read one image id a line."""
    return [line.strip() for line in read_text(path).splitlines() if line.strip()]


def corpus_ids(corpus: Path, split: str) -> list[str]:
    """Return the ids of a split's images, and of the images that its pairs name."""
    opened = Corpus(corpus)
    return list(dict.fromkeys(
        [image.id for image in opened.images(split)] + [pair.image_id for pair in opened.pairs(split)]
    ))  # fmt: skip


def require_alike(one: RegionStore, other: RegionStore) -> None:
    """Raise UserError listing what keeps two stores from being one: family, detector, names, what was kept."""
    first, second = asdict(one.meta), asdict(other.meta)
    faults = [f"{name}: {_short(first[name])} and {_short(second[name])}" for name in first
              if first[name] != second[name]]  # fmt: skip
    if faults:
        raise UserError(
            f"{one.path} and {other.path} cannot be mixed, they are of two kinds: {'; '.join(faults)}; features of two "
            f"kinds mean different things at the same place: extract or import both alike"
        )


def _require_agreement(stores: Sequence[RegionStore]) -> None:
    """Raise UserError when an image that two stores hold is not the same in both."""
    different = [
        (image_id, stores[i].path, other.path)
        for i in range(len(stores))
        for other in stores[i + 1 :]
        for image_id in other.ids
        if image_id in stores[i] and not stores[i].read_encoded(image_id).equals(other.read_encoded(image_id))
    ]
    if different:
        image_id, one, two = different[0]
        raise UserError(
            f"{len(different):,} images are in two stores with other regions, e.g. {image_id!r} in {one} and {two}; "
            f"take one of them out with tools/extract.py subset"
        )


def _copy(images: Iterable[tuple[RegionStore, str]], like: RegionStore, out: Path, origin: dict[str, object]) -> int:
    wanted = {image_id: store for store, image_id in images}
    with building(out, origin) as part, RegionStoreWriter(part, like.meta, IMAGES_PER_SHARD) as writer:
        todo = [image_id for image_id in wanted if image_id not in writer.done]
        for image_id in progress(todo, len(wanted), "copying", "image", start=len(writer.done)):
            writer.append_encoded(image_id, wanted[image_id].read_encoded(image_id))
    return len(wanted)


def _short(value: object) -> str:
    shown = str(value) or "not recorded"
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
