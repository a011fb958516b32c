"""A small corpus that has every collection, with texts that try to break what shows them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from unimo_paddle.corpus import CorpusWriter, Image, Negative, Neighbours, Pair, Paraphrases, Rewrites, Text
from unimo_paddle.corpus_derived import DerivedWriter, columns_of, write_slice
from unimo_paddle.prepare.rewriting.scene_graph import Attribute, Relation, SceneGraph, Span, Thing
from unimo_paddle.region_shards import Regions, StoreMeta
from unimo_paddle.regions import RegionStoreWriter

LEVELS = ("sentence", "phrase", "word")
HOSTILE = "<script>document.title='broken'</script> <img src=x onerror=alert(1)> & \"quoted\" \u202egnp.txe \x1b[31m"
ARABIC = "كلب صغير يجلس على أريكة حمراء بجانب نافذة"
CAPTIONS = ("A small dog sits on a red sofa.", "A dog on a couch.", "Two cats near a blue car", HOSTILE, ARABIC,
            "very long caption " * 60, "x" * 300, "犬と猫 🐕", "A bird.", "A horse to the left of a tree")
IMAGES = 5   # two captions each


def pairs() -> list[Pair]:
    """Pair `i0:0` has the first caption, `i0:1` the second, `i1:0` the third."""
    return [Pair(f"i{k // 2}:{k % 2}", f"i{k // 2}", caption) for k, caption in enumerate(CAPTIONS)]


def graph() -> SceneGraph:
    """The graph of the first caption."""
    dog = Thing(Span(8, 11), "dog", "singular", Span(2, 11))
    sofa = Thing(Span(26, 30), "sofa", "singular", Span(22, 30))
    return SceneGraph((dog, sofa), (Attribute(Span(2, 7), "small", 0), Attribute(Span(22, 25), "red", 1)),
                      (Relation((Span(12, 19),), "sit on", 0, 1),))


def rewrites(each: int = 2) -> list[Rewrites]:
    """Each pair has a positive and `each` negatives of every level; those of the first pair exchange its words."""
    rows = [Rewrites((f"says the same {k}",), tuple(Negative(f"{level} {n} of {k}", level, f"object: {k} -> {n}")
                                                      for level in LEVELS for n in range(each)), ("apertium:spa",))
            for k in range(len(CAPTIONS))]
    changes = {"sentence": ("A small dog sleeps under a green table {}.", "similarity 0.83"),
               "phrase": ("A large brown cow {} sits on a red sofa.", "object: small dog -> large brown cow"),
               "word": ("A small cat{} sits on a red sofa.", "object: dog -> cat")}
    own = [Negative(changes[level][0].format(n), level, changes[level][1]) for level in LEVELS for n in range(each)]
    rows[0] = Rewrites(("A small dog is sitting on a red sofa.", "A dog on a couch.", HOSTILE), tuple(own),
                       ("apertium:spa", "caption", "neural:opus"))
    return rows


def neighbours(keys: Sequence[Any], count: int) -> list[Neighbours]:
    """Give each pair the same keys with falling scores."""
    return [Neighbours(tuple(keys), tuple(0.9 - 0.5 * i / len(keys) for i in range(len(keys))))] * count


def derived(each: int = 2) -> dict[str, list[Any]]:
    """Return the rows of every derived collection."""
    n = len(CAPTIONS)
    texts = ("A small dog is sitting on a red sofa.", "A little dog sits.")
    first = Paraphrases(texts, ("apertium:spa",) * 2, (0.97, 0.9))
    return {
        "graphs": [graph().to_json(), *[SceneGraph().to_json()] * (n - 1)],
        "paraphrases": [first, *[Paraphrases((f"says the same {k}",), ("apertium:spa",), (0.9,)) for k in range(1, n)]],
        "similar": [Neighbours(tuple((2 * (k // 2) + 2 + i) % n for i in range(n - 2)),
                               tuple(0.8 - 0.05 * i for i in range(n - 2))) for k in range(n)],
        "rewrites": rewrites(each),
        "retrieved_images": neighbours([f"single{k}" for k in range(20)] + ["elsewhere"], n),
        "retrieved_texts": neighbours(range(len(CAPTIONS) + 15), n),
    }


def write_corpus(root: Path, rows: dict[str, list[Any]] | None = None) -> Path:
    """Write pictures, records and derived collections below root; return the corpus. rows: in place of `derived()`."""
    corpus, rng = root / "corpus", np.random.default_rng(1)
    (root / "images").mkdir(parents=True)
    with CorpusWriter(corpus, "small", "1", rows_per_shard=6) as writer:
        for name in [*(f"i{k}" for k in range(IMAGES)), *(f"single{k}" for k in range(20))]:
            writer.add("train", _image(root / "images" / f"{name}.jpg", rng))
        for pair in pairs():
            writer.add("train", pair)
    with CorpusWriter(corpus, "sentences-train", "1") as writer:
        for k, text in enumerate([*CAPTIONS, *(f"Sentence number {k} of the text corpus." for k in range(15))]):
            writer.add("train", Text(f"book.txt:{k}", text), "sentences")
    for collection, values in (derived() if rows is None else rows).items():
        write_derived(corpus, collection, values)
    return corpus


def write_derived(corpus: Path, collection: str, rows: Sequence[Any]) -> None:
    """Write a derived collection of the split train, in slices of four pairs."""
    with DerivedWriter(corpus, collection, "train", repr(rows), rows_per_slice=4) as writer:
        for part in writer.todo:
            mine = rows[part.rows.start:part.rows.stop]
            writer.commit(write_slice(part, columns_of(collection, mine)))


def write_store(path: Path, names: Sequence[str] = ("dog", "sofa", "window, pane")) -> Path:
    """Write a region store that has three boxes for image i0."""
    classes = ("background", *names)
    probs = np.full((3, 4), 0.05, np.float32) + 0.8 * np.eye(4, dtype=np.float32)[[1, 2, 3]]
    boxes = np.array([[40, 60, 150, 190], [10, 80, 300, 230], [200, 4, 318, 70]], np.float32)
    regions = Regions(np.zeros((3, 4), np.float32), boxes, probs, 320, 240)
    with RegionStoreWriter(path, StoreMeta("test", 4, classes, 4, "0" * 64), 10) as writer:
        writer.append("i0", regions)
    return path


def _image(path: Path, rng: np.random.Generator) -> Image:
    pixels = cv2.resize(rng.integers(0, 255, (6, 8, 3), np.uint8), (320, 240), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(path), pixels)
    return Image(path.stem, path, 320, 240)
