"""SBU captions: sbu-captions-all.json, the two text files of the first release, or a folder of img2dataset."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from unimo_paddle.errors import UserError
from unimo_paddle.files import read_json, read_text, sha256_of
from unimo_paddle.prepare.faults import Faults
from unimo_paddle.prepare.ingest.held_out import held_out_flickr30k
from unimo_paddle.prepare.ingest.img2dataset import expect_no_images, ingest_img2dataset
from unimo_paddle.prepare.ingest.web_pairs import Row, WebPairs, ingest_web_pairs

URLS, CAPTIONS = "SBU_captioned_photo_dataset_urls.txt", "SBU_captioned_photo_dataset_captions.txt"
_FLICKR = re.compile(r"/(\d+)_[0-9a-f]+")   # http://static.flickr.com/2723/4385058960_b0f291553e.jpg


def ingest_sbu(corpus: Path, sources: Sequence[Path], images: Path | None, *, exclude_flickr30k: Path | None = None,
               first_row: int = 0, split: str = "train", name: str | None = None,
               skip_faulty: bool = False) -> dict[str, dict[str, int]]:
    """Take the rows that have a picture into the corpus; return the corpus's counts by split.

    sources: sbu-captions-all.json; or SBU_captioned_photo_dataset_urls.txt and .._captions.txt, or their folder;
    then images is the folder of the pictures (web_pairs.py tells how they may be named). Or a folder of img2dataset.
    exclude_flickr30k: Karpathy's dataset_flickr30k.json, whose val and test pictures are left out; both are Flickr's.
    Raises UserError with every fault: `file: captions[3]: ...`.
    """
    name = name or "sbu"
    held_out = held_out_flickr30k(exclude_flickr30k) if exclude_flickr30k else frozenset()

    def is_excluded(url: str) -> bool:
        match = _FLICKR.search(url)
        return bool(match) and int(match[1]) in held_out   # type: ignore[index]

    first = sources[0]
    if first.is_dir() and not (first / URLS).is_file():
        expect_no_images(first, images)
        return ingest_img2dataset(corpus, first, name, is_excluded=is_excluded, split=split, skip_faulty=skip_faulty)
    if images is None:
        raise UserError(f"--images: the folder of the pictures of {first} is wanted")
    files = [first / URLS, first / CAPTIONS] if first.is_dir() else list(sources)
    rows = _read_json(files[0]) if len(files) == 1 else _read_texts(files)
    mark = " ".join([*map(sha256_of, files), sha256_of(exclude_flickr30k) if exclude_flickr30k else "-"])
    return ingest_web_pairs(corpus, WebPairs(name, mark, rows, is_excluded), images, first_row=first_row, split=split,
                            skip_faulty=skip_faulty)


def _read_json(path: Path) -> Callable[[Faults], Iterator[Row]]:
    value = read_json(path)
    lists = [value.get(key) if isinstance(value, dict) else None for key in ("image_urls", "captions")]
    if not all(isinstance(one, list) for one in lists):
        raise UserError(f"{path}: an object with the lists `image_urls` and `captions` is wanted")
    return _parallel(lists, f"{path}: image_urls", f"{path}: captions", "[{}]", 0)


def _read_texts(files: list[Path]) -> Callable[[Faults], Iterator[Row]]:
    if len(files) != 2 or "url" not in files[0].name.lower() or "caption" not in files[1].name.lower():
        raise UserError(f"--from {' '.join(map(str, files))}: {URLS} and then {CAPTIONS} are wanted")
    lists = [read_text(file).removesuffix("\n").split("\n") for file in files]
    return _parallel(lists, str(files[0]), str(files[1]), ":{}", 1)


def _parallel(lists: list[Any], urls: str, captions: str, place: str, first: int) -> Callable[[Faults], Iterator[Row]]:
    if len(lists[0]) != len(lists[1]):
        raise UserError(f"{urls} has {len(lists[0]):,} entries and {captions} {len(lists[1]):,}: they run in parallel, "
                        f"so one is cut or of another release")

    def rows(faults: Faults) -> Iterator[Row]:
        for number, (url, caption) in enumerate(zip(*lists, strict=True)):
            if isinstance(url, str) and url.strip():
                yield Row(number, captions + place.format(number + first), url.strip(), caption)
            else:
                faults.add(urls + place.format(number + first), f"a URL is wanted, not {url!r:.60}")

    return rows
