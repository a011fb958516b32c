"""Captions to find pictures by and the other way round: Karpathy's file, the released archive, our scenes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unimo_paddle.errors import UserError
from unimo_paddle.files import read_json
from unimo_paddle.prepare.tasks.karpathy import find_dataset, read_entries
from unimo_paddle.prepare.tasks.reader import Options
from unimo_paddle.prepare.tasks.released_lines import fields_of, number, token_ids
from unimo_paddle.prepare.tasks.sources import member, noted, split_files, words
from unimo_paddle.records import Record

_NAMES = ("dataset_flickr30k.json", "dataset.json", "dataset_coco.json")
_ANSWERS = "retrieval"   # folder, beside the captions or above, of SPLIT.json: {"caption_images": {caption: [images]}}
_RELEASED = {"train": ("train.ids",), "dev": ("val.all.ids",), "test": ("test.all.ids",)}


def read_karpathy_retrieval(source: Path, options: Options) -> Iterator[tuple[str, Record]]:
    """One record a caption. images: all others that it is true of, where the folder `retrieval` tells; public sets do
    not, so that there a caption's own image alone counts, as in what is published.
    """
    path = find_dataset(source, _NAMES)
    answers = _read_answers(path)
    for entry in read_entries(path, options.faults):
        for sentence, raw in entry.sentences:
            others = tuple(image for image in answers.get(sentence, ()) if image != entry.image)
            yield entry.split, Record(
                id=sentence, image=entry.image, images=others, text=words(raw, options.lowercase)
            )


def read_flickr30k_release(source: Path, options: Options) -> Iterator[tuple[str, Record]]:
    """Lines of 5 fields: token ids, two that we make ourselves, name of the image, id of the sentence."""
    folder = source / "flickr30k-textids"
    for split, path in split_files(folder if folder.is_dir() else source, _RELEASED):
        for place, (ids, _, _, image, sentence) in fields_of(path, 5, 5, options.faults):
            with noted(options.faults):
                name = str(number(image, f"{place}: the image's name"))
                caption = str(number(sentence, f"{place}: the sentence's id"))
                yield split, Record(id=caption, image=name, text=token_ids(ids, f"{place}: the caption"))


def _read_answers(dataset: Path) -> dict[str, tuple[str, ...]]:
    """Return caption -> images that it is true of, of all splits that have such a file."""
    answers: dict[str, tuple[str, ...]] = {}
    folder = next((up / _ANSWERS for up in (dataset.parent, dataset.parent.parent) if (up / _ANSWERS).is_dir()), None)
    for path in sorted(folder.glob("*.json")) if folder else ():
        told = member(read_json(path), "caption_images", dict, str(path))
        answers |= {caption: _images(images, f"{path}: caption {caption}") for caption, images in told.items()}
    return answers


def _images(told: Any, place: str) -> tuple[str, ...]:
    if not isinstance(told, list) or not all(isinstance(one, (int, str)) and not isinstance(one, bool) for one in told):
        raise UserError(f"{place} is no list of image ids")
    return tuple(map(str, told))
