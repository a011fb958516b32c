"""Which images and texts of a split belong together, and wrong partners for each, drawn among the others.

A text is true of its record's image, of the record's other `images`, and of all images that a text of the same words is
true of, whatever the case: none of these is ever a wrong partner.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from unimo_paddle.data.encode import Bools, ImageRow, Ints, TextRow
from unimo_paddle.data.task_batch import MatchPart
from unimo_paddle.errors import UserError
from unimo_paddle.records import Records, Text


class _Groups(NamedTuple):
    """Numbers by the number of their group: those of group g are values[starts[g] : starts[g + 1]]."""

    starts: Ints
    values: Ints

    def of(self, group: int) -> Ints:
        return self.values[self.starts[group] : self.starts[group + 1]]


@dataclass(frozen=True)
class Drawn:
    """One record with its wrong partners. image: number of its own; images, image_pool: numbers of wrong images, int64
    [k] and [p]; texts, text_pool: rows of wrong texts, int64 [k] and [p]."""

    row: int
    image: int
    images: Ints
    image_pool: Ints
    texts: Ints
    text_pool: Ints


class Partners:
    """What is true of what in a split. names: ids of the images, in order of their numbers.  image_of: int64 [N], the
    number of each record's own image.

    Holds about 50 bytes a record.  negatives: wrong partners of each kind that a record gets; pool: more of them.
    Raises UserError naming file and line of a record that there are not enough for.
    """

    def __init__(self, records: Records, negatives: int, pool: int) -> None:
        self._negatives, self._pool = negatives, pool
        images, words = dict[Hashable, int](), dict[Hashable, int]()
        own, said, also = list[int](), list[int](), list[tuple[int, str]]()
        for record in records:
            assert record.image is not None and record.text is not None, record.id
            own.append(images.setdefault(record.image, len(images)))
            said.append(words.setdefault(_key(record.text), len(words)))
            also += [(said[-1], image) for image in record.images]
        self.names = [str(name) for name in images]
        self.image_of, self._words = np.array(own, np.int64), np.array(said, np.int64)
        others = np.array([(one, images[image]) for one, image in also if image in images], np.int64).reshape(-1, 2)
        edges = np.unique(np.concatenate([np.stack([self._words, self.image_of], axis=1), others]), axis=0)
        self._images_of_words = _grouped(edges[:, 0], edges[:, 1], len(words))
        self._words_of_image = _grouped(edges[:, 1], edges[:, 0], len(images))
        self._rows_of_words = _grouped(self._words, np.arange(len(own)), len(words))
        self._require_enough(records)

    def draw(self, rows: Ints, rngs: Sequence[np.random.Generator], rng: np.random.Generator) -> list[Drawn]:
        """Draw for all records of a step: with a generator of its own for each, and one for what they share: the pool
        is drawn once, and each has the first of it that are wrong for it."""
        true_images = [self._images_of_words.of(words) for words in self._words[rows]]
        true_rows = [self._true_rows(image) for image in self.image_of[rows]]
        images = self._wrong(len(self.names), true_images, rngs, rng)
        texts = self._wrong(len(self._words), true_rows, rngs, rng)
        own = zip(rows.tolist(), self.image_of[rows].tolist(), images, texts, strict=True)
        return [Drawn(row, image, *of_images, *of_texts) for row, image, of_images, of_texts in own]

    def truths(self) -> Bools:
        """Return which text is true of which image, bool [records, images]."""
        found = np.zeros((len(self._words), len(self.names)), np.bool_)
        for row, words in enumerate(self._words.tolist()):
            found[row, self._images_of_words.of(words)] = True
        return found

    def is_true(self, image: int, row: int) -> bool:
        """Tell whether a record's text is true of an image."""
        return image in self._images_of_words.of(self._words[row])

    def _wrong(
        self, count: int, true: Sequence[Ints], rngs: Sequence[np.random.Generator], rng: np.random.Generator
    ) -> list[tuple[Ints, Ints]]:
        """Draw wrong partners and a pool of numbers below count for each example. true: what neither may hold."""
        chosen = [_choose(count, one, self._negatives, own) for one, own in zip(true, rngs, strict=True)]
        enough = self._pool + self._negatives + max(map(len, true)) if self._pool else 0
        pool = rng.choice(count, min(count, enough), replace=False)
        return [(own, _without(pool, one, own)[: self._pool]) for one, own in zip(true, chosen, strict=True)]

    def _true_rows(self, image: int) -> Ints:
        """Return the records whose text is true of an image."""
        return np.concatenate([self._rows_of_words.of(words) for words in self._words_of_image.of(image)])

    def _require_enough(self, records: Records) -> None:
        true_images = np.diff(self._images_of_words.starts)[self._words]
        rows_of_words = np.diff(self._rows_of_words.starts)
        groups = self._words_of_image
        true_rows = np.add.reduceat(rows_of_words[groups.values], groups.starts[:-1])[self.image_of]
        needed = self._negatives + self._pool
        for what, count, true in (("images", len(self.names), true_images), ("texts", len(self._words), true_rows)):
            row = int(true.argmax())
            if count - true[row] < needed:
                raise UserError(
                    f"{records.place(row)}: {true[row]} of the split's {count} {what} are true here, which leaves "
                    f"{count - true[row]} wrong ones; data.negatives {self._negatives} and data.pool {self._pool} "
                    f"take {needed}: lower them, or add data"
                )


def match_part(drawn: Sequence[Drawn], images: dict[int, ImageRow], texts: dict[int, TextRow]) -> MatchPart:
    """Lay out a micro-batch. images: by number; texts: by row; those that it shows, which are held once."""
    image_numbers, text_rows = list(images), list(texts)
    places = [{number: place for place, number in enumerate(one)} for one in (image_numbers, text_rows)]
    pairs = []
    for one in drawn:
        wrong_images = [(number, one.row) for number in one.images.tolist()]
        wrong_texts = [(one.image, row) for row in one.texts.tolist()]
        together = [(one.image, one.row), *wrong_images, *wrong_texts]
        pairs.append([(places[0][image], places[1][row]) for image, row in together])
    return MatchPart(
        images=tuple(images.values()),
        texts=tuple(texts.values()),
        pairs=np.array(pairs, np.int64),
        image_pool=_placed([one.image_pool for one in drawn], places[0]),
        text_pool=_placed([one.text_pool for one in drawn], places[1]),
    )


def shown(drawn: Sequence[Drawn]) -> tuple[list[int], list[int]]:
    """Return the numbers of all images and the rows of all texts that a micro-batch shows, each once, sorted."""
    images = {number for one in drawn for number in (one.image, *one.images.tolist(), *one.image_pool.tolist())}
    rows = {row for one in drawn for row in (one.row, *one.texts.tolist(), *one.text_pool.tolist())}
    return sorted(images), sorted(rows)


def _placed(pools: Sequence[Ints], place_of: dict[int, int]) -> Ints:
    """Return int64 [B, p]."""
    return np.array([[place_of[one] for one in pool.tolist()] for pool in pools], np.int64).reshape(len(pools), -1)


def _choose(count: int, without: Ints, wanted: int, rng: np.random.Generator) -> Ints:
    """Return `wanted` different numbers below count, in random order, none of `without`."""
    return _without(rng.choice(count, min(count, wanted + len(without)), replace=False), without)[:wanted]


def _without(numbers: Ints, *gone: Ints) -> Ints:
    is_kept: Bools = ~np.isin(numbers, np.concatenate(gone))
    return numbers[is_kept]


def _grouped(groups: Ints, values: Ints, count: int) -> _Groups:
    starts = np.concatenate([[0], np.cumsum(np.bincount(groups, minlength=count))])
    return _Groups(starts.astype(np.int64), values[np.argsort(groups, kind="stable")])


def _key(text: Text) -> Hashable:
    """Equal for texts of the same words, whatever their case."""
    return " ".join(text.lower().split()) if isinstance(text, str) else text
