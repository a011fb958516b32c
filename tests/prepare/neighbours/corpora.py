"""Captions and regions by the thousand, for tests and for `measure.py`: nobody's, but distributed like real ones."""

import re
from pathlib import Path

import numpy as np

from unimo_paddle.regions import Regions, RegionStore, RegionStoreWriter, StoreMeta

TEMPLATES = (
    "a {a} {n} {v} a {n} {p} the {n}", "a {n} {v} {p} a {a} {n}", "two {n} and a {n} are {v} {p} the {n} with {n}",
    "the {n} of a {a} {a} {n} {v} near {n}", "a {a} {n} and {n} {p} a {n} while a {n} {v} it",
    "there is a {n} {p} the {n}", "a {n} is {v} a {n} in {n} on a {a} {n} {p} {n}",
)  # fmt: skip
WORDS = {"n": 6_000, "v": 1_500, "a": 2_400, "p": 30}  # nouns, verbs, adjectives, prepositions: about 10,000 in all
OWN = 60  # words of each kind that a topic has of its own
TOPICS = 400


def captions(count: int, seed: int = 0, share: float = 0.7) -> list[str]:
    """Captions of templates; Zipf's law for words and topics, `share` of a caption's words are its topic's own."""
    rng, world = np.random.default_rng((seed, count)), np.random.default_rng(99)
    topics = zipf(rng, TOPICS, count)
    draws = {}
    for kind, words in WORDS.items():
        own = np.stack([zipf(world, words, OWN) for _ in range(TOPICS)])
        chosen = own[topics[:, None], zipf(rng, OWN, (count, 8))]
        anyones = zipf(rng, words, (count, 8))
        draws[kind] = np.where(rng.random((count, 8)) < share, chosen, anyones).tolist()
    picks = rng.integers(len(TEMPLATES), size=count).tolist()
    return [_fill(TEMPLATES[pick], {kind: iter(draws[kind][i]) for kind in WORDS}) for i, pick in enumerate(picks)]


def zipf(rng: np.random.Generator, words: int, size):
    weights = 1 / (np.arange(words) + 2.7)
    return rng.choice(words, size=size, p=weights / weights.sum())


def region_store(path: Path, images: int, classes: int = 40, seed: int = 0, prefix: str = "c") -> RegionStore:
    """A store of images with 1 to 6 regions of 4 numbers each; classes by Zipf's law, two probable ones a region."""
    rng = np.random.default_rng((seed, images))
    meta = StoreMeta("test", 4, ("background", *(f"thing{i}" for i in range(1, classes))), min(5, classes), "d" * 64)
    with RegionStoreWriter(path, meta, 5_000) as writer:
        for image in range(images):
            writer.append(f"{prefix}{image}", _regions(rng, int(rng.integers(1, 7)), classes))
    return RegionStore(path)


def _regions(rng: np.random.Generator, count: int, classes: int) -> Regions:
    probs = np.full((count, classes), 0.02 / classes, np.float32)
    first, second = zipf(rng, classes - 1, count) + 1, rng.integers(classes, size=count)
    sure = rng.uniform(0.3, 0.98, count).astype(np.float32)
    np.add.at(probs, (np.arange(count), first), sure)
    np.add.at(probs, (np.arange(count), second), 0.98 - sure)
    boxes = np.tile(np.array([0, 0, 8, 8], np.float32), (count, 1))
    return Regions(np.ones((count, 4), np.float32), boxes, probs, 16, 16)


def _fill(template: str, words: dict) -> str:
    return re.sub(r"\{(\w)\}", lambda match: f"{match[1]}{next(words[match[1]])}", template)
