"""Measure how fast neighbours are found, and how that grows: python -m tests.prepare.neighbours.measure captions 10000

The first word is captions, captions-faiss, images, images-faiss, sentences or sentences-faiss; then sizes, each
measured in a process of its own. Every query asks for 100 neighbours.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.prepare.neighbours import corpora
from unimo_paddle.prepare.neighbours.embeddings import Embeddings, SentenceIndex, related
from unimo_paddle.prepare.neighbours.images import ImageIndex
from unimo_paddle.prepare.neighbours.ivf import Limits
from unimo_paddle.prepare.rewriting.similar_captions import SimilarIndex, build_index

QUERIES, NEIGHBOURS = 2_500, 100


class Drawn:
    """A stand-in for a sentence encoder, which costs nothing: each text a point near one of 2,000 centres."""

    name, width = "drawn", 384

    def encode(self, texts):
        centres = np.random.default_rng(1).standard_normal((2_000, self.width), np.float32)
        rng = np.random.default_rng(len(texts))
        found = centres[rng.integers(2_000, size=len(texts))]
        found += 0.8 * rng.standard_normal(found.shape, np.float32)
        return found / np.linalg.norm(found, axis=1, keepdims=True)


def measure_captions(size: int, folder: Path, limits: Limits):
    texts = corpora.captions(size)
    start = time.perf_counter()
    build_index(texts, [f"i{row // 5}" for row in range(size)], folder / "index", limits)
    built = time.perf_counter() - start
    index = SimilarIndex.open(folder / "index")
    return built, lambda: index.similar(range(min(QUERIES, size)), NEIGHBOURS), index.note


def measure_images(size: int, folder: Path, limits: Limits):
    store = corpora.region_store(folder / "store", size, classes=1_600)
    start = time.perf_counter()
    index = ImageIndex.build(store, store.ids, folder / "index", limits)
    built = time.perf_counter() - start
    return built, lambda: index.nearest(store, store.ids[:QUERIES], NEIGHBOURS), index.note


def measure_sentences(size: int, folder: Path, limits: Limits):
    from unimo_paddle.corpus import Text

    encoder = Drawn()
    embeddings = Embeddings.prepare(folder / "vectors", "key", size, encoder)
    for part in embeddings.todo:
        embeddings.write(part, [""] * len(part), encoder)
    start = time.perf_counter()
    index = SentenceIndex.build(folder / "vectors", limits)
    built = time.perf_counter() - start
    records = [Text("", f"sentence number {row} of the collection") for row in range(size)]
    return built, lambda: related(index, encoder, ["a dog"] * QUERIES, records, NEIGHBOURS), index.note


def measure(what: str, size: int) -> str:
    limit = 1 if what.endswith("-faiss") else 10**9
    limits = Limits(exact_up_to=limit, candidates=400 if what.startswith("sentences") else 1_000)
    way = {"captions": measure_captions, "images": measure_images, "sentences": measure_sentences}[what.split("-")[0]]
    with tempfile.TemporaryDirectory() as folder:
        built, ask, note = way(size, Path(folder), limits)
        start = time.perf_counter()
        asked = len(ask())
        seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return f"{what} {size:,}: index {built:.1f} s, {asked / seconds:,.0f} queries/s, peak {peak:,} MiB; {note}"


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(measure(sys.argv[1], int(sys.argv[2])))
    for each in sys.argv[2:] if len(sys.argv) > 3 else []:
        subprocess.run([sys.executable, "-m", "tests.prepare.neighbours.measure", sys.argv[1], each], check=True)
