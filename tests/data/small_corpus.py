"""A corpus of 21 pairs with everything that training draws from, small enough to be known by heart."""

from pathlib import Path

import numpy as np

from unimo_paddle.corpus import Corpus, CorpusWriter, Negative, Neighbours, Pair, Rewrites, Text
from unimo_paddle.corpus_derived import DerivedWriter, columns_of, write_slice
from unimo_paddle.data.examples import PairSettings
from unimo_paddle.regions import Regions, RegionStore, RegionStoreWriter, StoreMeta

IMAGES, CAPTIONS, SENTENCES = 7, 3, 40
SETTINGS = PairSettings(
    rows=100, multiple=4,  # four pairs a step, of up to 25 rows each
    max_tokens=40, max_regions=5, positives=2, negatives=3, retrieved_images=2, retrieved_texts=3
)


def caption(pair: int) -> str:
    return f"a photo of {pair} dogs and one cat near pond {pair}"


def sentence(row: int) -> str:
    return f"document {row} tells of a dog"


def rewrites_of(pair: int) -> Rewrites:
    """Pair 0 has none at all, pair 1 too few, the others more negatives than a step takes."""
    positives, negatives = {0: (0, 0), 1: (1, 2)}.get(pair, (2, 6))
    return Rewrites(
        tuple(f"right {pair} number {k}" for k in range(positives)),
        tuple(Negative(f"wrong {pair} number {k}", "word", "") for k in range(negatives)),
    )


def neighbours_of(pair: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Ids of images `found0` to `found9`, and rows of sentences: pair 0 has none, pair 1 too few, the others more."""
    images, texts = {0: (0, 0), 1: (1, 2)}.get(pair, (5, 6))
    rows = tuple((3 * pair + k) % SENTENCES for k in range(texts))
    return tuple(f"found{(pair + k) % 10}" for k in range(images)), rows


def write_corpus(path: Path) -> Corpus:
    """Split `train`: pairs, rewrites, sentences, neighbours of both kinds, in several shards each."""
    with CorpusWriter(path, "captions", "1", rows_per_shard=12) as writer:
        for i in range(IMAGES * CAPTIONS):
            writer.add("train", Pair(f"pair{i}", f"image{i // CAPTIONS}", caption(i)))
    with CorpusWriter(path, "sentences-train", "1", rows_per_shard=15) as writer:
        for row in range(SENTENCES):
            writer.add("train", Text(f"s{row}", sentence(row)), "sentences")
    rows = [(rewrites_of(i), *map(_scored, neighbours_of(i))) for i in range(IMAGES * CAPTIONS)]
    for k, collection in enumerate(("rewrites", "retrieved_images", "retrieved_texts")):
        with DerivedWriter(path, collection, "train", "1", rows_per_slice=5) as derived:
            for part in derived.todo:
                derived.commit(write_slice(part, columns_of(collection, [rows[i][k] for i in part.rows])))
    return Corpus(path)


def _scored(keys: tuple[str | int, ...]) -> Neighbours:
    return Neighbours(keys, tuple(1 / (1 + place) for place in range(len(keys))))


def regions_of(number: int) -> Regions:
    """2 + number regions, at most 9; every number of their features is number + 1."""
    n = min(2 + number, 9)
    boxes = np.array([[10 * i, 0, 10 * i + 8, 30] for i in range(n)], np.float32)
    return Regions(np.full((n, 4), number + 1, np.float32), boxes, np.full((n, 3), 1 / 3, np.float32), 200, 100)


def write_store(
    path: Path,
    name: str,
    images: int,
    first: int = 0,
    family: str = "test",
    classes: tuple[str, ...] = ("__background__", "dog", "cat"),
) -> RegionStore:
    """Images `name0`, `name1`, ..., which have the regions of the numbers from `first` on."""
    with RegionStoreWriter(path, StoreMeta(family, 4, classes, 2, "none"), images_per_shard=3) as writer:
        for k in range(images):
            writer.append(f"{name}{k}", regions_of(first + k))
    return RegionStore(path)
