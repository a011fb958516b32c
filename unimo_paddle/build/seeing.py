"""The images that are asked about: from the region store, or pictures that the detector looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from unimo_paddle.build.asked import Asked, collected
from unimo_paddle.build.task_sources import TaskSources
from unimo_paddle.config import FinetuneRun
from unimo_paddle.console import progress
from unimo_paddle.data.encode import ImageRow, encode_image
from unimo_paddle.data.object_tags import object_tags
from unimo_paddle.engine.run_directory import require_same_data
from unimo_paddle.errors import UserError
from unimo_paddle.regions import Regions


@dataclass(frozen=True)
class Seen:
    """One image. row: what the model reads, without class probabilities.  names: of the regions in row.boxes[1:], with
    the probability.  tags: names of all classes seen with some confidence, each once, the surest first, None without
    any.  frame: width and height that boxes are in, pixels.  picture: its file, None of an image of the store."""

    row: ImageRow
    names: tuple[str, ...]
    tags: str | None
    frame: tuple[int, int]
    picture: Path | None = None


def detector_of(run: FinetuneRun, given: Path | None, asked: Sequence[Asked], checkpoint: Path) -> Path | None:
    """Return the detector for the pictures that are asked about, None when there are none.

    given: --detector; left out, it is the run's data.detector.  Raises UserError when there is none, or another than
    the model's regions are from.
    """
    pictures = [one.picture for one in asked if one.picture]
    if not pictures:
        return None
    if given is None and run.data.detector is None:
        raise UserError(
            f"{pictures[0]} is a picture, but the run names no detector (data.detector): give --detector DIR, the one "
            f"that {run.data.regions} was made with"
        )
    from unimo_paddle.vision.description import read_description

    detector = given or run.data.detector
    assert detector is not None
    if not detector.is_dir():
        named = "--detector" if given else "data.detector of the run"
        raise UserError(f"{named} is {detector}, which does not exist; give --detector DIR")
    told = read_description(detector)
    facts = {"detector": told.sha256, "family": told.settings.family}
    try:
        require_same_data(checkpoint, facts)
    except UserError:
        raise UserError(
            f"{detector} is not the detector that the model's regions are from, so it would not know what it sees; "
            f"give that one with --detector"
        ) from None
    return detector


def see(run: FinetuneRun, sources: TaskSources, detector: Path | None, asked: Sequence[Asked]) -> dict[str, Seen]:
    """Return each image by its name (Asked.image), however often it is asked about seen once.

    Raises UserError for an image that is neither a file nor in the store, and for a picture that cannot be read.
    """
    named = {one.image: one for one in asked if one.image is not None}
    pictures = {name: one.picture for name, one in named.items() if one.picture}
    stored = [name for name in named if name not in pictures]
    read = collected(lambda name: _stored(run, sources, named[name], name), stored)
    found: dict[str, Seen] = dict(zip(stored, read, strict=True))
    if pictures:
        assert detector is not None
        found |= _looked_at(pictures, detector, run.data.max_regions)
    return found


def seen_of(regions: Regions, name: str, most: int, classes: Sequence[str], picture: Path | None = None) -> Seen:
    """Return what is kept of an image. most: regions of it that are read; classes: names, the background first."""
    # Of 1,601 classes they would take more memory than all else, and many images may be asked about.
    bare = replace(regions, class_probs=regions.class_probs[:, :0])
    row, frame = encode_image(bare, name, most), (regions.width, regions.height)
    read = len(row.boxes) - 1
    if len(classes) <= 2:  # imported features: the background and "object"
        return Seen(row, tuple(f"region {number + 1}" for number in range(read)), None, frame, picture)
    best, sure = regions.class_probs[:, 1:].argmax(axis=1) + 1, regions.class_probs[:, 1:].max(axis=1)
    likeliest = regions.class_probs.argmax(axis=1)
    tags = object_tags(likeliest, regions.class_probs.max(axis=1), classes)
    names = [f"{classes[best[row]]} {sure[row]:.2f}" for row in range(read)]
    return Seen(row, tuple(names), tags, frame, picture)


def _stored(run: FinetuneRun, sources: TaskSources, one: Asked, name: str) -> Seen:
    store = sources.store
    if store is None or name not in store:
        where = f", and no image of {run.data.regions}" if store else f"; {run.data.regions} is no region store"
        raise UserError(f"{one.place}: image {name} is no file{where}; name a picture")
    return seen_of(store.read(name), name, run.data.max_regions, store.meta.classes)


def _looked_at(pictures: dict[str, Path], detector: Path, most: int) -> dict[str, Seen]:
    from unimo_paddle.vision.detector import load_detector
    from unimo_paddle.vision.extractor import Extractor
    from unimo_paddle.vision.pictures import read_picture

    extractor = Extractor(load_detector(detector))
    shape, found = extractor.settings, dict[Path, Regions]()
    files = dict.fromkeys(path.resolve() for path in pictures.values())
    for path in progress(files, len(files), "finding regions", "picture"):
        read = read_picture(str(path), path, shape.short_side, shape.long_side, shape.kind.multiple)
        (found[path],) = extractor([read])
    seen = {name: (path, found[path.resolve()]) for name, path in pictures.items()}
    return {name: seen_of(regions, name, most, shape.stored_classes, path) for name, (path, regions) in seen.items()}
