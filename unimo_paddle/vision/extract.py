"""Images to a region store: workers make its shards, one process, which may be the only one, enters them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from unimo_paddle.console import progress, say
from unimo_paddle.errors import UserError
from unimo_paddle.files import atomic_write, is_vacant
from unimo_paddle.region_parts import enter, remove_orphans, shard_numbers
from unimo_paddle.region_shards import META_FILE, StoreMeta
from unimo_paddle.regions import RegionStoreWriter
from unimo_paddle.vision.description import Description, read_description
from unimo_paddle.vision.extraction import MakeExtraction, Outcome, count_gpus
from unimo_paddle.vision.pictures import Place, Unreadable
from unimo_paddle.vision.settings import Choice, DetectorSettings
from unimo_paddle.vision.slices import Images, Slice, cut, slice_size
from unimo_paddle.workers.crew import keeping_sigterm
from unimo_paddle.workers.engine import Engine, map_tasks, usable_cores

SKIPPED_FILE = "skipped.txt"
CLASS_TOP_K = 16
MOST_REGIONS = 1000  # of a picture; a store's readers reckon with a hundred
MOST_BATCH, BATCH_PIXELS = 8, 8 * 256 * 384
HERE = Engine("local", 1)


@dataclass(frozen=True)
class Report:
    """What an extraction did: images stored by this run and before it, and those that could not be read."""

    stored: int
    before: int
    skipped: list[Unreadable]
    seconds: float


def extract(
    detector: Path,
    images: Images,
    out: Path,
    changes: Mapping[str, Any],
    engine: Engine = HERE,
    unreadable: Sequence[Unreadable] = (),
    images_per_shard: int = 0,
    batch_images: int = 0,
) -> Report:
    """Store the regions of images (id, place) in the region store `out`, going on where an earlier run stopped.

    changes: fields of Choice that are wanted otherwise than the detector's folder says.
    engine: the bytes of the store do not depend on it.  images_per_shard, batch_images: 0 chooses them.
    unreadable: what the source of the images could not make out. It is listed in `out`/skipped.txt, with the images
    that cannot be read, which are skipped, and tried again by the next run.
    UserError when ids are doubled, `out` holds other things than a store, another process writes to the store, it was
    made with another detector or choice, the choice cannot be, or nothing at all could be read.
    """
    _require_distinct(images)
    _require_free(out)
    begun, skipped = time.monotonic(), _Skipped(out / SKIPPED_FILE, list(unreadable))
    told = read_description(detector)
    told = replace(told, choice=_changed(told.choice, changes))
    with RegionStoreWriter(out, store_meta(told), 1) as writer:
        remove_orphans(out)
        before = len(writer.done)
        todo = cut(images, images_per_shard or slice_size(len(images)), writer.done, shard_numbers(out))
        missing = sum(len(part.images) for part in todo)
        if before:
            say(f"{out}: {before:,} images are done already, {missing:,} to do")
        skipped.write()
        engine = _manned(engine) if todo else engine
        make = MakeExtraction(
            detector.absolute(), changes, out.absolute(), writer.meta, _decoders(engine),
            batch_images or _batch(told.settings),
        )  # fmt: skip
        _run(engine, make, todo, skipped, len(images))
    failed = len(skipped.items) - len(unreadable)
    if skipped.items:
        say(f"{len(skipped.items):,} images could not be read and were skipped; they are listed in {skipped.path}")
    if skipped.items and failed == len(images):
        raise UserError(f"none of the {len(images)} images could be read; the first: {skipped.items[0].reason}")
    return Report(missing - failed, before, skipped.items, time.monotonic() - begun)


def store_meta(told: Description) -> StoreMeta:
    """Return what a store of this detector's regions says of itself."""
    settings = told.settings
    return StoreMeta(
        settings.family, settings.feature_width, settings.stored_classes, CLASS_TOP_K, told.sha256, str(told.choice),
        settings.stored_attributes,
    )  # fmt: skip


class _Skipped:
    """The list of images that could not be read, and its file."""

    def __init__(self, path: Path, items: list[Unreadable]) -> None:
        self.path, self.items = path, items

    def add(self, items: Sequence[Unreadable]) -> None:
        self.items += items
        if items:
            self.write()

    def write(self) -> None:
        """Write the file whole, by id; without an entry there is none."""
        self.items.sort(key=lambda item: item.id)
        if not self.items:
            self.path.unlink(missing_ok=True)
            return
        with atomic_write(self.path, "w") as file:
            file.writelines(f"{item.id}\t{item.place}\t{' '.join(item.reason.split())}\n" for item in self.items)


def _run(engine: Engine, make: MakeExtraction, todo: Sequence[Slice], skipped: _Skipped, total: int) -> None:
    def worth(outcome: Outcome) -> int:
        return outcome.images

    done = total - sum(len(part.images) for part in todo)
    for outcome in progress(map_tasks(engine, make, todo), total, "extracting", "image", done, worth):
        skipped.add(outcome.skipped)
        if outcome.part:
            enter(outcome.part)


def _manned(engine: Engine) -> Engine:
    """Return the engine with a worker a GPU, or without any a core, if the number was left open."""
    if engine.workers or engine.address:
        return engine
    return replace(engine, workers=keeping_sigterm(count_gpus) or usable_cores())


def _decoders(engine: Engine) -> int:
    return max(1, usable_cores() // engine.workers) if engine.workers else 1


def _batch(settings: DetectorSettings) -> int:
    """Return how many pictures are worked on at a time: as many as have the pixels of eight of the small world's."""
    return min(MOST_BATCH, max(1, BATCH_PIXELS // (settings.short_side * settings.long_side)))


def _changed(choice: Choice, changes: Mapping[str, Any]) -> Choice:
    """Return the choice with the wanted changes; UserError naming the flags when it cannot be."""
    least, most = changes.get("least", choice.least), changes.get("most", choice.most)
    threshold = changes.get("threshold", choice.threshold)
    if {"least", "most"} & changes.keys() and not 1 <= least <= most <= MOST_REGIONS:
        raise UserError(
            f"--min-boxes {least} and --max-boxes {most} cannot be kept: 1 <= min <= max <= {MOST_REGIONS} is wanted "
            f"(the detector's folder says {choice.least} and {choice.most})"
        )
    if not 0 <= threshold < 1:
        raise UserError(f"--threshold {threshold} is no probability: 0 <= threshold < 1 is wanted")
    return replace(choice, **changes)


def _require_free(out: Path) -> None:
    if not is_vacant(out) and not (out / META_FILE).is_file():
        raise UserError(f"{out} exists, is not empty and is no region store; name another folder or an extraction's")


def _require_distinct(images: Iterable[tuple[str, Place]]) -> None:
    ids = sorted(image_id for image_id, _ in images)
    doubled = [a for a, b in itertools.pairwise(ids) if a == b]
    if doubled:
        raise UserError(f"image ids must differ, but {len(doubled)} occur again, the first: {doubled[0]!r}")
