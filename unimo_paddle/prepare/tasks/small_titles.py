"""What Debian's packages are: the first paragraph of a description, and its title of one line. From apt's own lists."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from unimo_paddle.errors import UserError
from unimo_paddle.files import read_text
from unimo_paddle.prepare.tasks.sources import words
from unimo_paddle.records import Record

LISTS = Path("/var/lib/apt/lists")
FAMILY_WORDS = 5    # descriptions that begin with the same words are written by one pen
MOST_A_FAMILY = 20  # so that no split is full of e.g. the language packs of one program
SHORTEST, LONGEST = 12, 120   # words of a paragraph
_SHORTEST_TITLE = 2
_HELPER = "/usr/lib/apt/apt-helper"
_TITLE = "Description-en: "
_STAND_IN = re.compile(r"\b(transitional|dummy|meta-?package)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Description:
    """Of one package. paragraphs: in order; the lines of one are joined."""

    package: str
    title: str
    paragraphs: tuple[str, ...]


def read_titles(source: Path | None, lowercase: bool) -> Iterator[tuple[str, Record]]:
    """Yield (family, record): text: the first paragraph, target: the title; equal paragraphs come once.

    Paragraphs of less than 12 words or more than 120, and packages that only stand for others, are left out.
    source: a file like apt's Translation-en; None takes apt's own. Raises UserError when there is none.
    """
    texts = [read_text(source)] if source else _apt_lists()
    lines = (line for text in texts for line in (*text.splitlines(), ""))
    seen, families = set[str](), Counter[str]()
    for one in descriptions(lines):
        paragraph, title = words(one.paragraphs[0], lowercase), words(one.title, lowercase)
        family = " ".join(paragraph.lower().split()[:FAMILY_WORDS])
        if paragraph in seen or families[family] == MOST_A_FAMILY or not _is_good(paragraph, title):
            continue
        seen.add(paragraph)
        families[family] += 1
        yield family, Record(id=one.package, text=paragraph, target=title)


def descriptions(lines: Iterable[str]) -> Iterator[Description]:
    """Yield the packages of a list that have a long description, each once."""
    package, title = "", ""
    paragraphs: list[list[str]] = []
    seen = set()
    for line in (*lines, ""):
        if line.startswith("Package: "):
            package = line.removeprefix("Package: ").strip()
        elif line.startswith(_TITLE):
            title, paragraphs = line.removeprefix(_TITLE).strip(), [[]]
        elif line.strip() == ".":
            paragraphs.append([])
        elif line.startswith(" ") and paragraphs:
            paragraphs[-1].append(line.strip())
        elif not line:
            joined = tuple(" ".join(part) for part in paragraphs if part)
            if joined and title and package not in seen:
                yield Description(package, title, joined)
            seen.add(package)
            package, title, paragraphs = "", "", []


def _is_good(paragraph: str, title: str) -> bool:
    fits = SHORTEST <= len(paragraph.split()) <= LONGEST and len(title.split()) >= _SHORTEST_TITLE
    return fits and not _STAND_IN.search(f"{title} {paragraph}")


def _apt_lists() -> Iterator[str]:
    paths = sorted(LISTS.glob("*Translation-en*"))
    if not paths:
        raise UserError(f"{LISTS} holds no descriptions of packages: run apt-get update as root, or name a file with "
                        f"--from (Debian and Ubuntu have dists/*/main/i18n/Translation-en.xz; unpack it)")
    for path in paths:   # packed as the system likes it, so that apt itself has to read them
        done = subprocess.run([_HELPER, "cat-file", str(path)], capture_output=True, check=False)
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip() or "no reason given"
            raise UserError(f"{path} cannot be read: {said}; run apt-get update as root")
        yield done.stdout.decode("utf-8", "replace")
