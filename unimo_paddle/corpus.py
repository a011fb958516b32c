"""Texts, images and image-text pairs on disk: the contract between preparing and training.

A corpus is a folder of Arrow IPC shards and `corpus.json`, the manifest. A shard appears under its name only when it
is whole, and counts only once it is entered; so a killed run leaves nothing half-done. What is made of pairs lies in
collections of its own beside them (corpus_derived.py writes those). docs/data_formats.md describes the layout.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from unimo_paddle.corpus_records import (
    MAKE,
    Image,
    Negative,
    Neighbours,
    Pair,
    Paraphrases,
    Records,
    Rewrites,
    Stored,
    Text,
)
from unimo_paddle.corpus_shards import (
    DERIVED,
    RESERVED,
    Manifest,
    Shard,
    read_shard,
    size_faults,
    write_shard,
)
from unimo_paddle.corpus_sources import SourceWriter
from unimo_paddle.errors import UserError

__all__ = ["DERIVED", "RESERVED", "Corpus", "CorpusWriter", "Image", "Negative", "Neighbours", "Pair", "Paraphrases",
           "Records", "Rewrites", "Shard", "Stored", "Text"]

ROWS_PER_SHARD = 50_000
CHARACTERS_PER_SHARD = 128_000_000   # Arrow's strings count to 2 GiB a shard; whole books get there before the rows
_COLLECTION = {Text: "texts", Image: "images", Pair: "pairs"}
_OPTIONS = {"rewrite": "", "retrieve": " --images STORE --texts DIR"}


class Corpus:
    """A finished corpus, opened for reading.

    Raises UserError when the manifest is absent or of another schema, and, naming all of them, when ingests were
    interrupted or shards are missing or cut short (those of a derived collection when it is asked for).
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.manifest = Manifest.read(self.path)
        faults = self.manifest.faults(self.path)
        if faults:
            raise UserError(f"the corpus {self.path} cannot be used:\n  " + "\n  ".join(faults))

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits, in the order in which they were first written."""
        return tuple(dict.fromkeys(shard.split for shard in self.manifest.shards))

    def texts(self, split: str) -> Records[Text]:
        """Return the split's documents."""
        return Records(self.path, self._shards("texts", split), Text)

    def images(self, split: str) -> Records[Image]:
        """Return the split's images; a path that was stored relative to the corpus comes back joined to it."""
        def make(image_id: str, path: str, width: int, height: int) -> Image:
            return Image(image_id, Path(os.path.normpath(self.path / path)), width, height)
        return Records(self.path, self._shards("images", split), make)

    def pairs(self, split: str) -> Records[Pair]:
        """Return the split's image-caption pairs."""
        return Records(self.path, self._shards("pairs", split), Pair)

    def sentences(self, split: str) -> Records[Text]:
        """Return the sentences that `retrieved_texts(split)` names by their row; UserError when there are none yet."""
        self._demand("sentences", split)
        return Records(self.path, self._shards("sentences", split), Text)

    def graphs(self, split: str) -> Records[str]:
        """Return each pair's scene graph as JSON, in the order of `pairs(split)`; UserError as `derived` says."""
        return self.derived("graphs", split)

    def paraphrases(self, split: str) -> Records[Paraphrases]:
        """Return each pair's paraphrases, in the order of `pairs(split)`; UserError as `derived` says."""
        return self.derived("paraphrases", split)

    def similar(self, split: str) -> Records[Neighbours]:
        """Return each pair's most similar pairs (rows of the split) by TF-IDF; UserError as `derived` says."""
        return self.derived("similar", split)

    def rewrites(self, split: str) -> Records[Rewrites]:
        """Return the rewrites of each pair, in the order of `pairs(split)`; UserError as `derived` says."""
        return self.derived("rewrites", split)

    def retrieved_images(self, split: str) -> Records[Neighbours]:
        """Return each pair's images of a single-modal collection, by id; UserError as `derived` says."""
        return self.derived("retrieved_images", split)

    def retrieved_texts(self, split: str) -> Records[Neighbours]:
        """Return each pair's sentences, as rows of `sentences(split)`; UserError as `derived` says."""
        return self.derived("retrieved_texts", split)

    def derived(self, collection: str, split: str) -> Records[Any]:
        """Return a derived collection: one record for each pair, in the order of `pairs(split)`.

        Raises UserError, with the command that makes it, when it is absent, unfinished, older than the pairs, or when
        shards of it are missing or cut short.
        """
        self._demand(collection, split)
        shards = self._shards(collection, split)
        faults = size_faults(self.path, shards)
        if faults:
            raise UserError(f"the {collection} of {split} are damaged; run the same tools/prepare.py "
                            f"{DERIVED[collection]} again:\n  " + "\n  ".join(faults))
        return Records(self.path, shards, MAKE[collection])

    def has(self, collection: str, split: str) -> bool:
        """Tell whether a split has a collection, whole and made of the pairs as they are now."""
        return self.manifest.has(collection, split)

    def verify(self) -> list[str]:
        """Read every shard and return the damaged ones, with what is wrong."""
        return self.manifest.faults(self.path, content=True)

    def _shards(self, collection: str, split: str) -> list[Shard]:
        if split not in self.splits:
            raise UserError(f"{self.path} has no split {split!r}; it has {', '.join(self.splits) or 'none'}")
        return self.manifest.select(collection, split)

    def _demand(self, collection: str, split: str) -> None:
        self._shards(collection, split)
        if not self.has(collection, split):
            command = DERIVED.get(collection, "retrieve")
            raise UserError(f"the pairs of split {split!r} in {self.path} have no {collection} that belong to them; "
                            f"make them with: tools/prepare.py {command} --corpus {self.path} --splits {split}"
                            f"{_OPTIONS[command]}")


class CorpusWriter(SourceWriter):
    """Adds one source of records to a corpus, and goes on where a killed run of the same source stopped.

    source: a name, unique in the corpus. fingerprint: any text that changes when the source's content does.
    A run must `add` the same records in the same order as the run it continues; those that are in complete shards
    already are passed over. When the block ends by an error, what is not in a shard yet is lost, shards are kept.
    Raises UserError when the corpus holds a complete source of that name with another fingerprint (unless
    overwrite), when another process writes to the corpus, or when the path is a file; OSError as the system gives it.
    """

    def __init__(self, path: Path | str, source: str, fingerprint: str, *,
                 rows_per_shard: int = ROWS_PER_SHARD, overwrite: bool = False) -> None:
        try:
            Path(path).mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise UserError(f"the corpus {path} is or lies below a file; name a folder") from None
        super().__init__(path, source, fingerprint, overwrite)
        self._rows_per_shard = rows_per_shard
        self._buffers: dict[tuple[str, str], list[Stored]] = {}
        self._characters: dict[tuple[str, str], int] = {}
        self._skip: dict[tuple[str, str], int] = {}
        for shard in self._own():
            key = (shard.collection, shard.split)
            self._skip[key] = self._skip.get(key, 0) + shard.rows

    def other_ids(self, collection: str) -> Iterator[str]:
        """Yield the ids that other sources have given to a collection, shard by shard."""
        for shard in self.manifest.shards:
            if shard.collection == collection and shard.source != self._source:
                yield from read_shard(self.path, shard).column("id").to_pylist()

    def add(self, split: str, record: Stored, collection: str = "") -> None:
        """Append a record to its collection in a split; a shard is written whenever one is full.

        collection: "sentences" for a Text that is one; otherwise the record's type says it.
        """
        key = (collection or _COLLECTION[type(record)], split)
        if self._skip.get(key, 0):
            self._skip[key] -= 1
            return
        buffer = self._buffers.setdefault(key, [])
        buffer.append(record)
        if isinstance(record, Text):
            self._characters[key] = self._characters.get(key, 0) + len(record.text)
        if len(buffer) >= self._rows_per_shard or self._characters.get(key, 0) >= CHARACTERS_PER_SHARD:
            self._flush(key)

    def _flush(self, key: tuple[str, str]) -> None:
        records = self._buffers.pop(key)
        self._characters.pop(key, None)
        columns = {field.name: [getattr(record, field.name) for record in records] for field in fields(records[0])}
        if key[0] == "images":
            columns["path"] = [_stored_path(self.path, path) for path in columns["path"]]
        rest = {"collection": key[0], "split": key[1], "source": self._source}
        self._enter(write_shard(self.path / self.manifest.next_file(*key), rest, columns))

    def _finish(self) -> None:
        for key in sorted(self._buffers):
            self._flush(key)
        super()._finish()


def _stored_path(corpus: Path, image: Path) -> str:
    """Return an image's path relative to the corpus when both lie in one folder, so that they can move together."""
    image, corpus = (Path(os.path.normpath(path.absolute())) for path in (image, corpus))
    return os.path.relpath(image, corpus) if image.is_relative_to(corpus.parent) else str(image)
