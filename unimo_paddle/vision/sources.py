"""Which pictures: those of a corpus, of a folder, of a list, or of tar files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from unimo_paddle.corpus import Corpus
from unimo_paddle.errors import UserError
from unimo_paddle.files import files_below, read_text
from unimo_paddle.vision.pictures import Place, Unreadable, require_regular
from unimo_paddle.vision.tars import TarMember, key_of, tar_members

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
TAR = ".tar"
Images = list[tuple[str, Place]]


def corpus_images(corpus: Path) -> Images:
    """Return (id, file) of every image of a corpus, split after split; UserError when it has none."""
    opened = Corpus(corpus)
    images: dict[str, Place] = {image.id: image.path for split in opened.splits for image in opened.images(split)}
    if not images:
        raise UserError(f"{corpus} has no images; ingest some with tools/prepare.py ingest")
    return list(images.items())


def listed_images(source: Path) -> tuple[Images, list[Unreadable]]:
    """Return (id, place) of every picture, and what is damaged of the tar files among the source.

    source: a picture or a tar of pictures (WebDataset), a folder with such at any depth, or a text file that names
    some, one a line, after the id and a tab if wanted. The id is else the file's name without its ending, in a tar
    WebDataset's key. UserError when there is no picture, or two have one id, naming both.
    """
    unreadable: list[Unreadable] = []
    by_id: dict[str, Place] = {}
    for image_id, place in _places(_named(source), unreadable):
        if image_id in by_id:
            raise UserError(
                f"{by_id[image_id]} and {place} would both have the id {image_id!r}; rename one of them, or give a "
                f"list with an id, a tab and a path a line"
            )
        by_id[image_id] = place
    if not by_id and not unreadable:
        raise UserError(f"{source} has no picture ({', '.join(sorted(ENDINGS))}, or these in {TAR})")
    return list(by_id.items()), unreadable


def _named(source: Path) -> Iterator[tuple[str, Path]]:
    """Yield (id, file), the id empty where it is the file's to say."""
    if source.is_dir():
        yield from (("", path) for path in files_below(source, {*ENDINGS, TAR}))
    elif source.suffix.lower() in {*ENDINGS, TAR}:
        yield "", source
    else:
        for line in read_text(source).splitlines():
            before, _, path = line.strip().rpartition("\t")
            if path:
                yield before.strip(), source.parent / path.strip()


def _places(named: Iterable[tuple[str, Path]], unreadable: list[Unreadable]) -> Iterator[tuple[str, Place]]:
    for image_id, path in named:
        if path.suffix.lower() == TAR:
            yield from _packed(path, unreadable)
        else:
            yield image_id or path.stem, path


def _packed(tar: Path, unreadable: list[Unreadable]) -> Iterator[tuple[str, TarMember]]:
    try:
        require_regular(tar)
        for member in tar_members(tar, ENDINGS):
            yield key_of(member.name), member
    except UserError as error:
        unreadable.append(Unreadable(tar.name, tar, str(error)))


def file_of(images: Sequence[tuple[str, Place]], image_id: str) -> Place:
    """Return where one picture is; UserError when there is none of this id."""
    for known, place in images:
        if known == image_id:
            return place
    raise UserError(f"no picture has the id {image_id!r}; there are {len(images)}, e.g. {images[0][0]!r}")
