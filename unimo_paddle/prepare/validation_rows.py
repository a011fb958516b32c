"""What can be wrong with one pair's rewrites, graph or neighbours: pure functions that yield (kind, detail)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.corpus import Negative, Neighbours, Pair, Paraphrases, Records, Rewrites
from unimo_paddle.prepare.rewriting.english import normalise
from unimo_paddle.prepare.rewriting.scene_graph import SceneGraph

LEVELS = ("sentence", "phrase", "word")
Problem = tuple[str, str]   # kind, a key of PROBLEMS, and the value that is wrong
PROBLEMS = {   # kind -> what is counted; each has to be 0
    "shard": "shards that are missing, cut or damaged",
    "stale": "collections that are unfinished or older than the pairs",
    "caption": "captions that are empty",
    "text": "documents and sentences that are empty",
    "empty": "rewrites that are empty",
    "copy": "positives that equal the caption",
    "positive": "negatives that equal a positive",
    "true": "negatives that equal a caption of the same image",
    "doubled": "negatives that a pair has twice",
    "doubled positive": "positives that a pair has twice",
    "level": "negatives of a level that is not known",
    "graph": "scene graphs that cannot be read or leave the caption",
    "range": "neighbours that do not exist",
    "own": "neighbours that are the pair's own image",
    "twice": "neighbours that a pair has twice",
    "order": "lists of neighbours or paraphrases that are not ordered by score",
    "uneven": "lists that should be of one length and are not",
}


class ImageCaptions:
    """What the captions of each image say, whatever the order of the pairs: hashes, 32 bytes a pair."""

    def __init__(self, pairs: Records[Pair]) -> None:
        both = np.fromiter(((hashed(pair.image_id), hashed(normalise(pair.caption))) for pair in pairs),
                           dtype=[("image", np.uint64), ("caption", np.uint64)], count=len(pairs))
        self.images: NDArray[np.uint64] = both["image"]   # [pairs], in the order of the rows
        self._sorted = np.sort(both, order="image")

    def of(self, image_id: str) -> set[int]:
        """Return the hashes of the normalised captions of an image."""
        image = np.uint64(hashed(image_id))
        first, last = (self._sorted["image"].searchsorted(image, side) for side in ("left", "right"))
        return set(self._sorted["caption"][first:last].tolist())


def hashed(text: str) -> int:
    """Return 64 bits that two texts share by chance once in 10^19 comparisons."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


@dataclass(frozen=True)
class Context:
    """What a row is checked against. sentences: how many the split has."""

    captions: ImageCaptions
    sentences: int


def check_rewrites(pair: Pair, found: Rewrites, context: Context) -> Iterator[Problem]:
    """Texts that only differ in capitals, blanks and punctuation count as equal."""
    positives = [normalise(text) for text in found.positives]
    if found.origins and len(found.origins) != len(positives):
        yield "uneven", f"{len(positives)} positives, {len(found.origins)} origins"
    own = normalise(pair.caption)
    for text, plain in zip(found.positives, positives, strict=True):
        yield from _text_faults(text, plain, [("copy", plain == own)])
    yield from (("doubled positive", text) for text in _repeated(positives))
    yield from _negatives(found.negatives, set(positives), context.captions.of(pair.image_id))


def _negatives(negatives: Sequence[Negative], positives: set[str], captions: set[int]) -> Iterator[Problem]:
    plains = [normalise(each.text) for each in negatives]
    for each, plain in zip(negatives, plains, strict=True):
        yield from _text_faults(each.text, plain, [("positive", plain in positives),
                                                   ("true", hashed(plain) in captions)])
        if each.level not in LEVELS:
            yield "level", each.level
    yield from (("doubled", text) for text in _repeated(plains))


def _text_faults(text: str, plain: str, faults: Sequence[tuple[str, bool]]) -> Iterator[Problem]:
    """Yield what is wrong; a text without words, e.g. "!", is equal to none."""
    if not text.strip():
        yield "empty", repr(text)
    yield from ((kind, text) for kind, is_wrong in faults if is_wrong and plain)


def _repeated(texts: Sequence[str]) -> Iterator[str]:
    yield from (text for text, count in Counter(texts).items() if text for _ in range(count - 1))


def check_paraphrases(pair: Pair, found: Paraphrases, context: Context) -> Iterator[Problem]:
    """None may be empty or equal the caption; the best comes first."""
    if not len(found.texts) == len(found.origins) == len(found.scores):
        yield "uneven", f"{len(found.texts)} texts, {len(found.origins)} origins, {len(found.scores)} scores"
    for text in found.texts:
        plain = normalise(text)
        yield from _text_faults(text, plain, [("copy", plain == normalise(pair.caption))])
    yield from _order(found.scores)


def check_graph(pair: Pair, text: str, context: Context) -> Iterator[Problem]:
    """A graph must be one, and its nodes stand within the caption."""
    try:
        graph = SceneGraph.from_json(text)
    except ValueError as error:
        yield "graph", str(error)
        return
    spans = [span for thing in graph.things for span in (thing.span, thing.phrase)]
    spans += [each.span for each in graph.attributes] + [span for each in graph.relations for span in each.spans]
    outside = [span for span in spans if span.end > len(pair.caption)]
    if outside:
        yield "graph", f"{outside[0]} in a caption of {len(pair.caption)} characters"


def check_similar(pair: Pair, found: Neighbours, context: Context) -> Iterator[Problem]:
    """Neighbours are rows of the same split, none of them a caption of the same image."""
    images = context.captions.images
    yield from _rows(found, len(images))
    own = hashed(pair.image_id)
    yield from (("own", f"row {key}") for key in found.keys
                if isinstance(key, int) and 0 <= key < len(images) and int(images[key]) == own)


def check_texts(pair: Pair, found: Neighbours, context: Context) -> Iterator[Problem]:
    """Neighbours are rows of the split's sentences."""
    yield from _rows(found, context.sentences)


def check_images(pair: Pair, found: Neighbours, context: Context) -> Iterator[Problem]:
    """Neighbours are ids of images, none of them the pair's."""
    yield from _scores(found)
    yield from (("own", str(key)) for key in found.keys if key == pair.image_id)


def _rows(found: Neighbours, count: int) -> Iterator[Problem]:
    yield from _scores(found)
    yield from (("range", f"row {key} of {count}") for key in found.keys if not 0 <= int(key) < count)


def _scores(found: Neighbours) -> Iterator[Problem]:
    if len(found.keys) != len(found.scores):
        yield "uneven", f"{len(found.keys)} neighbours, {len(found.scores)} scores"
    yield from (("twice", str(key)) for key, count in Counter(found.keys).items() for _ in range(count - 1))
    yield from _order(found.scores)


def _order(scores: Sequence[float]) -> Iterator[Problem]:
    """Written so that a score that is no number is out of order too."""
    wrong = [step for step in pairwise([*scores, *scores[-1:]]) if not step[0] >= step[1]]
    if wrong:
        yield "order", f"{wrong[0][0]}, {wrong[0][1]}"


CHECKS: dict[str, Callable[..., Iterator[Problem]]] = {   # collection -> what checks a row of it
    "graphs": check_graph, "paraphrases": check_paraphrases, "similar": check_similar, "rewrites": check_rewrites,
    "retrieved_images": check_images, "retrieved_texts": check_texts,
}
