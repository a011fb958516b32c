"""What all formats share: checking records, and taking a source into the corpus whole or not at all."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from unimo_paddle.console import progress, say
from unimo_paddle.corpus import RESERVED, CorpusWriter, Image, Pair, Stored, Text
from unimo_paddle.corpus_shards import SPLIT, SPLIT_RULE
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.faults import Faults
from unimo_paddle.prepare.ingest.ids import IdSet

Split = str
_IMAGE_FAULTS = (OSError, SyntaxError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError,
                 struct.error)   # whatever Pillow's plugins raise
_SIDEWAYS = range(5, 9)   # Exif orientations that swap width and height


class Intake:
    """Checks each record of a source and notes its faults; a faulty record comes back as None.

    taken: the ids that the corpus has from other sources, by collection ("texts", "images", "pairs").
    """

    def __init__(self, taken: Callable[[str], Iterable[str]] = lambda collection: ()) -> None:
        self.faults = Faults()
        self._seen = {name: IdSet(taken(name)) for name in ("texts", "images", "pairs")}

    def text(self, where: str, text_id: str, text: Any) -> Text | None:
        """Check a document."""
        good = self._words(where, "text", text) and self._new(where, "texts", text_id)
        return Text(text_id, text.strip()) if good else None

    def has(self, where: str, entry: Any, kinds: dict[str, type]) -> bool:
        """Check that an entry of a JSON file is an object with these keys and kinds of values."""
        if not isinstance(entry, dict):
            self.faults.add(where, f"an object is wanted, not {entry!r:.60}")
            return False
        wrong = [f"{name} is {entry[name]!r:.60}, not {kind.__name__}" if name in entry else f"{name} is missing"
                 for name, kind in kinds.items() if not isinstance(entry.get(name), kind)]
        if wrong:
            self.faults.add(where, "; ".join(wrong))
        return not wrong

    def image(self, where: str, image_id: str, path: Path, unreadable: Faults | None = None) -> Image | None:
        """Check an image file by its header alone; its pixels are not decoded.

        unreadable: gets the fault when the file is no image, where that is no fault of the source.
        """
        if not self._new(where, "images", image_id):
            return None
        if not _is_unicode(str(path)):
            self.faults.add(where, f"the file name {str(path)!r} is not UTF-8; rename it")
            return None
        try:
            return Image(image_id, path, *image_size(path))
        except UserError as error:
            (self.faults if unreadable is None else unreadable).add(where, str(error))
            return None

    def pair(self, where: str, pair_id: str, image_id: str, caption: Any) -> Pair | None:
        """Check a caption; white space inside it becomes single spaces."""
        good = self._words(where, "caption", caption) and self._new(where, "pairs", pair_id)
        return Pair(pair_id, image_id, " ".join(caption.split())) if good else None

    def split(self, where: str, split: Any) -> Split | None:
        """Check the name of a split: it becomes a part of file names."""
        if isinstance(split, str) and SPLIT.fullmatch(split):
            return split
        self.faults.add(where, f"split is {split!r}; {SPLIT_RULE} are wanted, e.g. \"train\"")
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
        if not record_id or not _is_unicode(record_id):
            self.faults.add(where, f"the id {record_id!r} is empty or is not Unicode text")
            return False
        if self._seen[collection].add(record_id):
            return True
        self.faults.add(where, f"the id {record_id!r} is used twice among the {collection}")
        return False


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
    if name.startswith(RESERVED):
        raise UserError(f"--name {name}: names that begin with {name.partition('-')[0] + '-'!r} are those of "
                        f"`prepare.py rewrite` and `retrieve`")
    say(f"reading {name} into {corpus}")
    with CorpusWriter(corpus, name, fingerprint) as writer:
        if writer.finished:
            say(f"{name} is in {corpus} already, whole")
            return writer.manifest.counts()
        intake = Intake(writer.other_ids)
        added = 0
        try:
            for split, records in progress(read(intake), total, name, unit):
                for record in records:
                    writer.add(split, record)
                added += len(records)
        except UserError:   # the rest cannot be read at all
            writer.abandon()
            raise
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


def expect_folder(path: Path, what: str = "the folder of images") -> None:
    """Raise UserError when a path is no folder; what: what it was given as."""
    if not path.is_dir():
        raise UserError(f"{what} {path} " + ("is a file" if path.exists() else "does not exist"))


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
