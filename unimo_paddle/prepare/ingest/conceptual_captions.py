"""Conceptual Captions: lines of caption TAB URL (Train_GCC-training.tsv), or a folder of img2dataset."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from unimo_paddle.errors import UserError
from unimo_paddle.files import sha256_of
from unimo_paddle.prepare.faults import Faults
from unimo_paddle.prepare.ingest.archives import read_lines
from unimo_paddle.prepare.ingest.img2dataset import expect_no_images, ingest_img2dataset
from unimo_paddle.prepare.ingest.web_pairs import Row, WebPairs, ingest_web_pairs


def ingest_conceptual_captions(corpus: Path, source: Path, images: Path | None, *, first_row: int = 0,
                               split: str = "train", name: str | None = None,
                               skip_faulty: bool = False) -> dict[str, dict[str, int]]:
    """Take the rows that have a picture into the corpus; return the corpus's counts by split.

    source: the TSV, and then images is the folder of its pictures (web_pairs.py tells how they may be named); or a
    folder of img2dataset, which holds both. Rows are counted from 0, or with first_row 1 from 1; a heading
    `caption TAB url`, which img2dataset needs, is no row.
    Raises UserError with every fault: `file:line: ...`.
    """
    name = name or f"cc-{split}"
    if source.is_dir():
        expect_no_images(source, images)
        return ingest_img2dataset(corpus, source, name, split=split, skip_faulty=skip_faulty)
    if images is None:
        raise UserError(f"--images: the folder of the pictures of {source} is wanted")
    if not source.is_file():
        raise UserError(f"{source} does not exist")
    pairs = WebPairs(name, sha256_of(source), lambda faults: read_rows(source, faults))
    return ingest_web_pairs(corpus, pairs, images, first_row=first_row, split=split, skip_faulty=skip_faulty)


def read_rows(path: Path, faults: Faults) -> Iterator[Row]:
    """Yield the rows of a TSV; a line without exactly one tab is a fault, and keeps its number."""
    heading = 0
    for number, line in read_lines(path, faults):
        where = f"{path}:{number}"
        if number == 1 and line.lower().split("\t") in (["caption", "url"], ["caption", "image_url"]):
            heading = 1
            continue
        caption, *urls = line.split("\t")
        if len(urls) == 1 and urls[0].strip():
            yield Row(number - 1 - heading, where, urls[0].strip(), caption)
        else:
            faults.add(where, f"a caption, one tab and a URL are wanted, not {line!r:.60}")
