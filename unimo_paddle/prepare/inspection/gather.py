"""Everything that a corpus holds about one pair, gathered from its collections."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from unimo_paddle.corpus import Corpus, Image, Negative, Neighbours, Pair, Paraphrases, Rewrites
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.inspection.search import Place, find_images, find_pair, pairs_of_image
from unimo_paddle.prepare.rewriting.english import normalise
from unimo_paddle.prepare.rewriting.scene_graph import SceneGraph
from unimo_paddle.regions import RegionStore

Value = TypeVar("Value")


@dataclass(frozen=True)
class Positive:
    """A sentence that says the same. origin: who wrote it, "" when not recorded; score: cosine to the caption."""

    text: str
    origin: str
    score: float | None


@dataclass(frozen=True)
class NearText:
    """A caption or a sentence near the caption. key: its pair's or its own id."""

    key: str
    text: str
    score: float


@dataclass(frozen=True)
class NearImage:
    """An image near the pair's. image: None when this corpus does not know the id."""

    key: str
    image: Image | None
    score: float


@dataclass(frozen=True)
class Box:
    """What the detector saw. x1, y1, x2, y2: pixels; name: the likeliest class, with its probability."""

    x1: float
    y1: float
    x2: float
    y2: float
    name: str
    probability: float


@dataclass(frozen=True)
class PairView:
    """All that is known of a pair. A part that the corpus lacks is None, and `absent` says why, by collection.

    captions: the other captions of the image.  boxes: largest first, in pixels of an image of `box_frame` (w, h).
    """

    corpus: Path
    split: str
    row: int
    pair: Pair
    captions: tuple[str, ...]
    image: Image | None
    graph: SceneGraph | None
    positives: tuple[Positive, ...] | None
    negatives: tuple[Negative, ...] | None
    paraphrases: tuple[Positive, ...] | None
    similar: tuple[NearText, ...] | None
    retrieved_images: tuple[NearImage, ...] | None
    retrieved_texts: tuple[NearText, ...] | None
    boxes: tuple[Box, ...] | None
    box_frame: tuple[int, int] = (0, 0)
    absent: Mapping[str, str] = field(default_factory=dict)


def gather(corpus: Corpus, pair_id: str, store: RegionStore | None) -> PairView:
    """Return everything about a pair; UserError, with the nearest ids, when no pair has this id."""
    place = find_pair(corpus, pair_id)
    pair = corpus.pairs(place.split)[place.row]
    parts = _Parts(corpus, place)
    paraphrases, rewrites = parts.read("paraphrases", _paraphrases), parts.read("rewrites", lambda value: value)
    boxes, frame = _boxes(store, pair.image_id, parts.absent)
    others = (row for row in pairs_of_image(corpus, place.split, pair.image_id) if row != place.row)
    return PairView(
        corpus=corpus.path, split=place.split, row=place.row, pair=pair,
        captions=tuple(corpus.pairs(place.split)[row].caption for row in others),
        image=find_images(corpus, [pair.image_id]).get(pair.image_id),
        graph=parts.read("graphs", lambda value: _graph(value, pair)),
        positives=_positives(rewrites, paraphrases), negatives=rewrites.negatives if rewrites else None,
        paraphrases=paraphrases,
        similar=parts.read("similar", lambda value: _captions(corpus, place.split, value)),
        retrieved_images=parts.read("retrieved_images", lambda value: _images(corpus, value)),
        retrieved_texts=parts.read("retrieved_texts", lambda value: _sentences(corpus, place.split, value)),
        boxes=boxes, box_frame=frame, absent=parts.absent)


class _Parts:
    """The rows that stand beside one pair, and why some do not."""

    def __init__(self, corpus: Corpus, place: Place) -> None:
        self.absent: dict[str, str] = {}
        self._corpus, self._place = corpus, place

    def read(self, collection: str, make: Callable[[Any], Value]) -> Value | None:
        """Return what `make` does with the pair's row; None, and a reason noted, when there is no sound one."""
        try:
            return make(self._corpus.derived(collection, self._place.split)[self._place.row])
        except UserError as error:
            self.absent[collection] = str(error)
            return None


def _graph(text: str, pair: Pair) -> SceneGraph:
    try:
        return SceneGraph.from_json(text)
    except ValueError as error:
        raise UserError(f"the scene graph of pair {pair.id!r} cannot be read: {error}; rewrite the corpus") from None


def _paraphrases(found: Paraphrases) -> tuple[Positive, ...]:
    return tuple(map(Positive, found.texts, found.origins, found.scores))


def _positives(rewrites: Rewrites | None, paraphrases: Sequence[Positive] | None) -> tuple[Positive, ...] | None:
    """Give each positive the score that it had among the paraphrases."""
    if rewrites is None:
        return None
    scores = {normalise(each.text): each.score for each in paraphrases or ()}
    origins = rewrites.origins or ("",) * len(rewrites.positives)
    return tuple(Positive(text, origin, scores.get(normalise(text)))
                 for text, origin in zip(rewrites.positives, origins, strict=True))


def _captions(corpus: Corpus, split: str, near: Neighbours) -> tuple[NearText, ...]:
    pairs = corpus.pairs(split)
    return tuple(NearText(pairs[row].id, pairs[row].caption, score) for row, score in _rows(near, len(pairs)))


def _sentences(corpus: Corpus, split: str, near: Neighbours) -> tuple[NearText, ...]:
    sentences = corpus.sentences(split)
    return tuple(NearText(sentences[row].id, sentences[row].text, score) for row, score in _rows(near, len(sentences)))


def _rows(near: Neighbours, count: int) -> Iterator[tuple[int, float]]:
    for key, score in zip(near.keys, near.scores, strict=True):
        if not 0 <= int(key) < count:
            raise UserError(f"a neighbour is row {key} of {count}; tools/prepare.py validate tells how many are wrong")
        yield int(key), score


def _images(corpus: Corpus, near: Neighbours) -> tuple[NearImage, ...]:
    keys = [str(key) for key in near.keys]
    images = find_images(corpus, keys)
    return tuple(NearImage(key, images.get(key), score) for key, score in zip(keys, near.scores, strict=True))


def _boxes(store: RegionStore | None, image_id: str,
           absent: dict[str, str]) -> tuple[tuple[Box, ...] | None, tuple[int, int]]:
    if store is None or image_id not in store:
        absent["boxes"] = (f"image {image_id!r} is not in the region store {store.path}" if store else
                           "no boxes: give a region store with --regions STORE")
        return None, (0, 0)
    regions = store.read(image_id)
    best = regions.class_probs[:, 1:].argmax(axis=1) + 1
    boxes = [Box(x1, y1, x2, y2, store.meta.classes[index], float(row[index])) for (x1, y1, x2, y2), row, index
             in zip(regions.boxes.tolist(), regions.class_probs, best, strict=True)]
    largest_first = sorted(boxes, key=lambda box: (box.x1 - box.x2) * (box.y2 - box.y1))
    return tuple(largest_first), (regions.width, regions.height)
