"""What every writer of a corpus does: lock the folder, go on where a killed run stopped, enter shards one by one.

Each shard is entered in the journal, a line of JSON, and the manifest takes the journal's lines over when a writer
starts or finishes: a corpus of millions of pairs has a manifest of megabytes, too long to be written for each shard.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from unimo_paddle.corpus_shards import MANIFEST, Manifest, Shard, make_entries, remove_orphans
from unimo_paddle.errors import UserError
from unimo_paddle.files import leftovers, lock_directory, sync_directory

JOURNAL = "corpus.journal"
_REMEDY = "remove this file and run the same command again; what it lists is made once more"


class SourceWriter:
    """Adds one source to a corpus, as a block: `with ... as writer`. Writers of records and of rows derive from it.

    Raises UserError when the corpus holds a complete source of that name with another fingerprint (unless
    overwrite), or when another process writes to the corpus; OSError as the system gives it.
    """

    def __init__(self, path: Path | str, source: str, fingerprint: str, overwrite: bool) -> None:
        self.path = Path(path)
        self._source = source
        self._lock = lock_directory(self.path)
        try:
            leftovers(self.path)
            self.manifest = Manifest.read(self.path) if (self.path / MANIFEST).exists() else Manifest()
            _absorb(self.path, self.manifest)
            self._claim(self._prepare(fingerprint), overwrite)
        except BaseException:
            os.close(self._lock)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        try:
            if kind is None and not self.finished:
                self._finish()
        finally:
            os.close(self._lock)

    @property
    def finished(self) -> bool:
        """Tell whether the source is complete already, so that there is nothing to add."""
        return self.manifest.sources[self._source].complete

    @property
    def counts(self) -> dict[str, int]:
        """Return what the source's shards hold so far, by kind."""
        return dict(sum((Counter(shard.counts) for shard in self._own()), Counter()))

    def abandon(self) -> None:
        """Take back everything this source has written; leave the block by an error afterwards."""
        self.manifest.drop(self._source)
        self._settle()
        if not self.manifest.sources:
            (self.path / MANIFEST).unlink()

    def _prepare(self, fingerprint: str) -> str:
        """Look at the manifest before the source is claimed; return the fingerprint to claim it with."""
        return fingerprint

    def _own(self) -> list[Shard]:
        return [shard for shard in self.manifest.shards if shard.source == self._source]

    def _claim(self, fingerprint: str, overwrite: bool) -> None:
        old = self.manifest.sources.get(self._source)
        if old and old.complete and old.fingerprint != fingerprint and not overwrite:
            raise UserError(f"{self.path} holds another source {self._source!r} already; give this one another "
                            f"name, or use another folder")
        if not old or old.fingerprint != fingerprint:
            self.manifest.start(self._source, fingerprint)
            self.manifest.write(self.path)
        remove_orphans(self.path, self.manifest.shards)

    def _enter(self, shard: Shard) -> None:
        """Count a shard as written, also after a kill."""
        fresh = not (self.path / JOURNAL).exists()
        with (self.path / JOURNAL).open("ab") as file:
            file.write(json.dumps(asdict(shard)).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if fresh:
            sync_directory(self.path)
        self.manifest.shards.append(shard)

    def _finish(self) -> None:
        self.manifest.complete(self._source)
        self._settle()

    def _settle(self) -> None:
        """Write the manifest, and remove the journal and what processes that died have left in the folder."""
        self.manifest.write(self.path)
        (self.path / JOURNAL).unlink(missing_ok=True)
        remove_orphans(self.path, self.manifest.shards)
        leftovers(self.path)


def _absorb(root: Path, manifest: Manifest) -> None:
    """Take a stopped run's journal over into the manifest."""
    if not (root / JOURNAL).exists():
        return
    known = {shard.file for shard in manifest.shards}   # a run may have been killed right here
    shards = make_entries(Shard, _read_journal(root), f"{root / JOURNAL} is damaged", _REMEDY)
    manifest.shards += [shard for shard in shards if shard.file not in known]
    manifest.write(root)
    (root / JOURNAL).unlink()


def _read_journal(root: Path) -> Iterator[tuple[str, Any]]:
    """Yield (place, value) of each line; UserError at one that is not JSON."""
    path = root / JOURNAL
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), start=1):
        if not line.endswith(b"\n"):
            return   # cut by a power failure: the shard is written again
        try:
            yield f"line {number}", json.loads(line)
        except (ValueError, RecursionError):
            raise UserError(f"{path}: line {number} is not JSON: {line!r:.60}; {_REMEDY}") from None
