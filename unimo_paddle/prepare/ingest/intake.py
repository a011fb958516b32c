"""What all formats share: reading lines, checking records, and taking a source into the corpus whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from unimo_paddle.console import progress, say
from unimo_paddle.corpus import REWRITES, CorpusWriter, Image, Pair, Stored, Text
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.faults import Faults

Split = str
_SPLIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_GZIP_FAULTS = (gzip.BadGzipFile, EOFError, zlib.error)
_IMAGE_FAULTS = (OSError, SyntaxError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError,
                 struct.error)   # whatever Pillow's plugins raise
_SIDEWAYS = range(5, 9)   # Exif orientations that swap width and height


class Intake:
    """Checks each record of a source and notes its faults; a faulty record comes back as None.

    taken: the ids that the corpus has from other sources, by collection ("texts", "images", "pairs").
    """

    def __init__(self, taken: Callable[[str], set[str]] | None = None) -> None:
        self.faults = Faults()
        self._seen = {name: taken(name) if taken else set() for name in ("texts", "images", "pairs")}

    def text(self, where: str, text_id: str, text: Any) -> Text | None:
        """Check a document."""
        good = self._words(where, "text", text) and self._new(where, "texts", text_id)
        return Text(text_id, text.strip()) if good else None

    def image(self, where: str, image_id: str, path: Path) -> Image | None:
        """Check an image file by its header alone; its pixels are not decoded."""
        if not self._new(where, "images", image_id):
            return None
        if not _is_unicode(str(path)):
            self.faults.add(where, f"the file name {str(path)!r} is not UTF-8; rename it")
            return None
        try:
            return Image(image_id, path, *image_size(path))
        except UserError as error:
            self.faults.add(where, str(error))
            return None

    def pair(self, where: str, pair_id: str, image_id: str, caption: Any) -> Pair | None:
        """Check a caption; white space inside it becomes single spaces."""
        good = self._words(where, "caption", caption) and self._new(where, "pairs", pair_id)
        return Pair(pair_id, image_id, " ".join(caption.split())) if good else None

    def split(self, where: str, split: Any) -> Split | None:
        """Check the name of a split: it becomes a part of file names."""
        if isinstance(split, str) and _SPLIT.fullmatch(split):
            return split
        self.faults.add(where, f"split is {split!r}; letters, digits, _ . - are wanted, e.g. \"train\"")
        return None

    def _words(self, where: str, what: str, value: Any) -> bool:
        if not isinstance(value, str):
            self.faults.add(where, f"the {what} is {type(value).__name__} ({value!r:.60}), not a string")
        elif not value.strip():
            self.faults.add(where, f"the {what} is empty")
        elif not _is_unicode(value):
            self.faults.add(where, f"the {what} {value!r:.60} holds half a surrogate pair, which is not Unicode text")
        else:
            return True
        return False

    def _new(self, where: str, collection: str, record_id: str) -> bool:
        seen = self._seen[collection]
        if not record_id or not _is_unicode(record_id):
            self.faults.add(where, f"the id {record_id!r} is empty or is not Unicode text")
            return False
        if record_id in seen:
            self.faults.add(where, f"the id {record_id!r} is used twice among the {collection}")
            return False
        seen.add(record_id)
        return True


Entry = tuple[Split, list[Stored]]   # what one entry of a file gives: an image and its captions, or a document
Reader = Callable[[Intake], Iterator[Entry]]


def take(corpus: Path, name: str, fingerprint: str, read: Reader, total: int, unit: str,
         skip_faulty: bool = False) -> dict[str, dict[str, int]]:
    """Write what `read` yields into the corpus as the source `name`; return split -> collection -> count of all.

    total: about how many entries `read` has, and unit: what they are, for the progress line. A killed run goes on
    when it is called again.
    Raises UserError with every fault, after taking the source back; with skip_faulty the faulty records are
    reported and left out instead.
    """
    if name.startswith(REWRITES):
        raise UserError(f"--name {name}: names that begin with {REWRITES!r} are those of `prepare.py rewrite`")
    say(f"reading {name} into {corpus}")
    with CorpusWriter(corpus, name, fingerprint) as writer:
        if writer.finished:
            say(f"{name} is in {corpus} already, whole")
            return writer.manifest.counts()
        intake = Intake(writer.other_ids)
        added = 0
        for split, records in progress(read(intake), total, name, unit):
            for record in records:
                writer.add(split, record)
            added += len(records)
        if intake.faults and skip_faulty:
            say(f"left out {len(intake.faults):,} faulty records of {name}:\n{intake.faults.report()}")
        elif intake.faults:
            writer.abandon()
            raise UserError(f"{name} has {len(intake.faults):,} faults and was not taken in; mend them, or leave such "
                            f"records out with --skip-faulty:\n{intake.faults.report()}")
        if not added:
            writer.abandon()
            raise UserError(f"{name} holds no records; is it the right file or folder?")
    say_counts(writer.manifest.counts())
    return writer.manifest.counts()


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= sign <= "\udfff" for sign in text)


def say_counts(counts: dict[str, dict[str, int]]) -> None:
    """Print one line per split, e.g. `train: 2,000 images, 10,000 pairs`."""
    for split, numbers in counts.items():
        say(f"{split}: " + ", ".join(f"{number:,} {collection}" for collection, number in numbers.items()))


def image_size(path: Path) -> tuple[int, int]:
    """Return (width, height) in pixels from an image file's header, turned as its Exif orientation says.

    OpenCV turns JPEG files so when it loads them. UserError when the file is missing or is no image.
    """
    import PIL.Image

    try:
        with PIL.Image.open(path) as picture:
            width, height = picture.size
            turned = picture.format in ("JPEG", "MPO") and picture.getexif().get(0x0112) in _SIDEWAYS
    except FileNotFoundError:
        raise UserError(f"the image {path} does not exist") from None
    except (*_IMAGE_FAULTS, PIL.Image.DecompressionBombError) as error:
        raise UserError(f"{path} is no image that can be read: {error}") from None
    return (height, width) if turned else (width, height)


def open_bytes(path: Path) -> IO[bytes]:
    """Open a plain or a .gz file for reading; UserError when it is not a file."""
    if not path.is_file():
        raise UserError(f"{path} is a folder; a file is wanted" if path.is_dir() else f"{path} does not exist")
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")   # type: ignore[return-value]


def read_lines(path: Path, faults: Faults) -> Iterator[tuple[int, str]]:
    """Yield (line number, text without its line end) of each filled line; lines that are not UTF-8 are faults."""
    number = 0
    with open_bytes(path) as stream:
        try:
            for number, line in enumerate(stream, start=1):
                text = decode(line, f"{path}:{number}", faults)
                if text and text.strip():
                    yield number, text.rstrip("\r\n")
        except _GZIP_FAULTS as error:
            faults.add(f"{path}:{number + 1}", f"the gzip stream is damaged from here on: {error}")


def decode(data: bytes, where: str, faults: Faults) -> str | None:
    """Return bytes as text; a fault and None when they are not UTF-8. A byte order mark at the start goes."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        faults.add(where, f"byte {error.start} (0x{data[error.start]:02x}) is not UTF-8; save the file as UTF-8")
        return None


def digest(path: Path) -> tuple[str, int]:
    """Return the SHA-256 of a file's (unpacked) content and its number of lines, as far as it can be unpacked."""
    total, lines = hashlib.sha256(), 0
    with open_bytes(path) as stream:
        try:
            while block := stream.read(1 << 20):
                total.update(block)
                lines += block.count(b"\n")
        except _GZIP_FAULTS:
            total.update(b"damaged")   # read_lines says where
    return total.hexdigest(), lines + 1
