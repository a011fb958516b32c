"""A folder of pictures without captions for the image collection (COCO unlabeled, OpenImages)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from unimo_paddle.console import say
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.faults import Faults
from unimo_paddle.prepare.ingest.archives import read_lines
from unimo_paddle.prepare.ingest.intake import Entry, Intake, expect_folder, take
from unimo_paddle.prepare.ingest.walk import IMAGES, fingerprint_of, stem, walk

HEADINGS = ("ImageID", "image_id")


def ingest_images(corpus: Path, folder: Path, *, listing: Path | None = None, split: str = "train",
                  name: str | None = None, skip_faulty: bool = False) -> dict[str, dict[str, int]]:
    """Take every image below a folder into the corpus; return the corpus's counts by split.

    An image's id is its path below the folder without the suffix. listing: take only the images whose file names
    (without folder and suffix) are in this file, one a line or in the first column of a CSV, as `train/0a1b`, `0a1b` or
    `0a1b.jpg`; those without a file are counted and told.
    Raises UserError with every file that cannot be read as an image, and with two files of one listed name.
    """
    expect_folder(folder)
    listed = _read_listing(listing) if listing else None
    fingerprint, total = fingerprint_of(f"images {folder.resolve()} {split}", _names(folder, listed))
    if not total:
        raise UserError(f"the folder {folder} has no images ({', '.join(IMAGES)})"
                        + (f" that {listing} names" if listing else ""))

    def read(intake: Intake) -> Iterator[Entry]:
        missing = set(listed or ())
        for shown in _names(folder, listed) if intake.split("--split", split) else ():
            path = folder / shown
            if listed and stem(shown) not in missing:
                intake.faults.add(str(path), f"two files are named {stem(shown)!r}, which {listing} lists once")
                continue
            missing.discard(stem(shown))
            image = intake.image(str(path), shown[:-len(path.suffix)], path)
            yield split, [image] if image else []
        if missing:
            say(f"{len(missing):,} of the {len(listed or ()):,} images in {listing} have no file, e.g. {min(missing)}")

    return take(corpus, name or f"images-{folder.resolve().name}", fingerprint, read, total, "image", skip_faulty)


def _names(folder: Path, listed: set[str] | None) -> Iterator[str]:
    return (name for name in walk(folder) if listed is None or stem(name) in listed)


def _read_listing(path: Path) -> set[str]:
    faults = Faults()
    names = [stem(line.partition(",")[0].strip().strip('"')) for _, line in read_lines(path, faults)]
    if names and names[0] in HEADINGS:
        del names[0]
    if faults or not names:
        raise UserError(f"{path} is no list of images:\n{faults.report() or '  it is empty'}")
    return set(names)
