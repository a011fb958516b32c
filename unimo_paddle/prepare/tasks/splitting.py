"""Splits that a download does not have, cut from one that it has."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from unimo_paddle.corpus_shards import SPLIT, SPLIT_RULE
from unimo_paddle.errors import UserError
from unimo_paddle.records import Record

_FORM = re.compile(r"(?P<new>[^=]+)=(?P<old>[^:]+):(?P<share>\d*\.?\d+)")


@dataclass(frozen=True)
class Cut:
    """The split `new` is a share of `old`, which keeps the rest."""

    new: str
    old: str
    share: float

    @classmethod
    def parse(cls, told: str) -> Cut:
        """Read e.g. dev=train:0.1; UserError when it is not of that form."""
        found = _FORM.fullmatch(told)
        if not found or not 0 < float(found["share"]) < 1:
            raise UserError(f"--split-from is {told!r}; NEW=OLD:SHARE is wanted, e.g. dev=train:0.1")
        if not SPLIT.fullmatch(found["new"]):
            raise UserError(f"--split-from: {found['new']!r} is no name of a split; {SPLIT_RULE} are wanted, e.g. dev")
        return cls(found["new"], found["old"], float(found["share"]))

    def takes(self, record: Record) -> bool:
        """Tell whether a record goes; records of one image, or of one text, stay together. The same on every run."""
        key = record.image if record.image is not None else repr(record.text)
        digest = hashlib.sha256(f"{self.new} {key}".encode()).digest()
        return int.from_bytes(digest[:8], "big") < self.share * 2**64


def cut(found: Iterable[tuple[str, Record]], cuts: Sequence[Cut]) -> Iterator[tuple[str, Record]]:
    """Yield (split, record), some under a new split; UserError when that is there already, or its source is not."""
    seen = set()
    for split, record in found:
        seen.add(split)
        there = next((one for one in cuts if one.new == split), None)
        if there:
            raise UserError(f"--split-from {there.new}={there.old}:{there.share:g}: there is a split {split} already")
        yield next((one.new for one in cuts if one.old == split and one.takes(record)), split), record
    for one in cuts:
        if seen and one.old not in seen:
            raise UserError(f"--split-from: there is no split {one.old!r} to cut {one.new} from, only "
                            f"{', '.join(sorted(seen))}")
