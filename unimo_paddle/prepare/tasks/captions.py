"""COCO captions: Karpathy's file (and our scenes, in the same format), and the released archive."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unimo_paddle.console import say
from unimo_paddle.data.object_tags import object_tags
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.tasks.karpathy import Entry, find_dataset, read_entries
from unimo_paddle.prepare.tasks.reader import Options
from unimo_paddle.prepare.tasks.released_lines import fields_of, listed_files, number, token_ids
from unimo_paddle.prepare.tasks.sources import noted, words
from unimo_paddle.records import Record

if TYPE_CHECKING:
    from unimo_paddle.regions import RegionStore

_NAMES = ("dataset_coco.json", "dataset.json")
_TAG_FILES = ("coco_object_*_tot.ids", "*/coco_object_*_tot.ids")
_PREFIX = 9              # letters before COCO's number in the archive's image ids


def read_karpathy_captions(source: Path, options: Options) -> Iterator[tuple[str, Record]]:
    """In train one record a caption, else one an image; all captions of the image are references, their case kept.

    tags: with a region store, the names of the classes that it saw with some confidence, the surest first.
    """
    store = _open(options.regions)
    for entry in read_entries(find_dataset(source, _NAMES), options.faults):
        with noted(options.faults):
            yield from ((entry.split, record) for record in _records(entry, store, options))


def tags_in_store(store: RegionStore, image: str) -> str | None:
    """Return the names of the classes seen in an image; None where there is none, or no such image."""
    if image not in store:
        return None
    seen = store.read_encoded(image).arrays   # the best class comes first
    return object_tags(seen["class_ids"][:, 0].astype(np.int64), seen["class_probs"][:, 0].astype(np.float32),
                       store.meta.classes)  # fmt: skip


def _open(path: Path | None) -> RegionStore | None:
    if path is None:
        return None
    from unimo_paddle.regions import RegionStore

    return RegionStore(path)


def _records(entry: Entry, store: RegionStore | None, options: Options) -> Iterator[Record]:
    if not entry.sentences:
        raise UserError(f"{entry.place}: the image has no caption")
    tags = tags_in_store(store, entry.image) if store is not None else None
    tags = words(tags, options.lowercase) if tags else None
    references = tuple(raw for _, raw in entry.sentences)
    if entry.split != "train":
        yield Record(id=entry.image, image=entry.image, tags=tags, references=references)
        return
    for name, raw in entry.sentences:
        target = words(raw, options.lowercase)
        yield Record(id=name, image=entry.image, tags=tags, target=target, references=references)


def read_coco_release(source: Path, options: Options) -> Iterator[tuple[str, Record]]:
    """Lines of 16 fields: image, caption, token ids; then what we make ourselves, and the image's regions.

    tags: those of coco_object_*_tot.ids, where it is there.  references, of dev and test: the words of Karpathy's file
    where it lies there as well, else of the archive's own captions, which need --tokenizer; an image may have none.
    """
    tags, said = _read_tags(source, options), _karpathy_references(source, options)
    judged: dict[str, dict[str, tuple[str, ...]]] = {}   # split -> image -> references
    for split, place, (image, name, ids) in _release_lines(source, options):
        with noted(options.faults):
            key = _coco_number(image, place)
            if split == "train":
                target = token_ids(ids, f"{place}: the caption")
                yield split, Record(id=name, image=image, tags=tags.get(key), target=target)
                continue
            more = (_decoded(ids, place, options),) if ids.strip() and key not in said else ()
            images = judged.setdefault(split, {})
            images[image] = images.get(image, said.get(key, ())) + more
    for split, images in judged.items():
        bare = sum(not references for references in images.values())
        if bare:
            say(f"{split}: {bare:,} images have no captions to be judged by; put {_NAMES[0]} into {source}")
        for image, references in images.items():
            key = _coco_number(image, split)
            yield split, Record(id=key, image=image, tags=tags.get(key), references=references)


def _release_lines(source: Path, options: Options) -> Iterator[tuple[str, str, list[str]]]:
    """Yield split, FILE:LINE, and the image's id, the caption's and its token ids."""
    for split, path in listed_files(source):
        yield from ((split, place, fields) for place, fields in fields_of(path, 16, 3, options.faults))


def _coco_number(image: str, place: str) -> str:
    return str(number(image[_PREFIX:], f"{place}: the image's id {image[:40]!r} behind its {_PREFIX} letters"))


def _decoded(ids: str, place: str, options: Options) -> str:
    if options.tokenizer is None:
        raise UserError(f"{place}: the caption is token ids; name the folder of the released vocabulary (--tokenizer), "
                        f"or put {_NAMES[0]} into the archive's folder")
    return " ".join(_decoder(options.tokenizer)(token_ids(ids, f"{place}: the caption")).split())


@functools.cache
def _decoder(folder: Path) -> Callable[[Iterable[int]], str]:
    from unimo_paddle.data.tokenizer import load_tokenizer

    return load_tokenizer(folder).decode


def _read_tags(source: Path, options: Options) -> Mapping[str, tuple[int, ...]]:
    """Return COCO's number -> ids of an archive's object tags; UserError when there are two files of them."""
    paths = sorted({path for pattern in _TAG_FILES for path in source.glob(pattern)})
    if len(paths) > 1:
        raise UserError(f"{paths[0]} and {paths[1]} are two files of object tags; keep the one for the model's size in "
                        f"{source}: 0.35 is the base model's, 0.2 the large one's")
    tags = {}
    for path in paths:
        for place, (image, ids, *_) in fields_of(path, 4, 4, options.faults):
            with noted(options.faults):
                if ids.strip():
                    key = str(number(image, f"{place}: the image's number"))
                    tags[key] = token_ids(ids, f"{place}: the tags", is_framed=False)
    return tags


def _karpathy_references(source: Path, options: Options) -> Mapping[str, tuple[str, ...]]:
    """Return COCO's number -> captions as people wrote them; nothing without Karpathy's file."""
    path = source / _NAMES[0]
    if not path.is_file():
        return {}
    return {entry.image: tuple(raw for _, raw in entry.sentences) for entry in read_entries(path, options.faults)}
