"""Which pictures: those of a corpus, of a folder, or of a list."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from unimo_paddle.corpus import Corpus
from unimo_paddle.errors import UserError
from unimo_paddle.files import files_below, read_text

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
Images = list[tuple[str, Path]]


def corpus_images(corpus: Path) -> Images:
    """Return (id, file) of every image of a corpus, split after split; UserError when it has none."""
    opened = Corpus(corpus)
    images = {image.id: image.path for split in opened.splits for image in opened.images(split)}
    if not images:
        raise UserError(f"{corpus} has no images; ingest some with tools/prepare.py ingest")
    return list(images.items())


def listed_images(source: Path) -> Images:
    """Return (id, file) of every picture below a folder, or named in a text file, one path a line.

    The id is the file's name without its ending. UserError when there is no picture, or two have one id, naming both.
    """
    if source.is_dir():
        files = files_below(source, ENDINGS)
    else:
        lines = read_text(source).splitlines()
        files = [source.parent / line.strip() for line in lines if line.strip()]
    if not files:
        raise UserError(f"{source} has no picture ({', '.join(sorted(ENDINGS))})")
    by_id: dict[str, Path] = {}
    for path in files:
        if path.stem in by_id:
            raise UserError(f"{by_id[path.stem]} and {path} would both have the id {path.stem!r}; rename one of them")
        by_id[path.stem] = path
    return list(by_id.items())


def file_of(images: Sequence[tuple[str, Path]], image_id: str) -> Path:
    """Return the file of one picture; UserError when there is none of this id."""
    for known, path in images:
        if known == image_id:
            return path
    raise UserError(f"no picture has the id {image_id!r}; there are {len(images)}, e.g. {images[0][0]!r}")
