"""A folder of pictures without captions for the image collection (COCO unlabeled, OpenImages)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from unimo_paddle.errors import UserError
from unimo_paddle.files import files_below
from unimo_paddle.prepare.ingest.intake import Entry, Intake, take

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


def ingest_images(corpus: Path, folder: Path, *, split: str = "train", name: str | None = None,
                  skip_faulty: bool = False) -> dict[str, dict[str, int]]:
    """Take every image below a folder into the corpus; return the corpus's counts by split.

    An image's id is its path below the folder without the suffix. Raises UserError with every file that cannot be
    read as an image.
    """
    if not folder.is_dir():
        raise UserError(f"the folder of images {folder} does not exist")
    files = files_below(folder, SUFFIXES)
    if not files:
        raise UserError(f"the folder {folder} has no images ({', '.join(SUFFIXES)})")
    names = [path.relative_to(folder).as_posix() for path in files]
    listing = "\n".join([f"images {folder.resolve()} {split}", *names])
    fingerprint = hashlib.sha256(listing.encode(errors="surrogateescape")).hexdigest()

    def read(intake: Intake) -> Iterator[Entry]:
        chosen = zip(files, names, strict=True) if intake.split("--split", split) else []
        for path, shown in chosen:
            image = intake.image(str(path), shown[:-len(path.suffix)], path)
            yield split, [image] if image else []

    return take(corpus, name or f"images-{folder.resolve().name}", fingerprint, read, len(files), "image",
                skip_faulty)
