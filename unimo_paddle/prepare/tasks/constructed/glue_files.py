"""The constructed tasks in the tables of GLUE: MNLI, CoLA and STS-B, with all their columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from unimo_paddle.files import atomic_write
from unimo_paddle.prepare.tasks.constructed import cola, mnli, stsb
from unimo_paddle.prepare.tasks.constructed.scenes import Graph, Scenes

MARK = "constructed"   # told in every field that names a source
_MNLI = ("index", "promptID", "pairID", "genre", "sentence1_binary_parse", "sentence2_binary_parse",
         "sentence1_parse", "sentence2_parse", "sentence1", "sentence2")  # fmt: skip
_STSB = ("index", "genre", "filename", "year", "old_index", "source1", "source2", "sentence1", "sentence2")
_YEAR = "2024"         # of the small world's format, as its COCO files tell it
_PEOPLE = 5            # whose labels MNLI's dev tables list

Counts = dict[str, int]


def write_mnli(scenes: Scenes, folder: Path, seed: int) -> Counts:
    """Write MNLI's five tables; the mismatched ones show combinations that train never shows.

    The columns of parses hold the words without structure.
    """
    unseen = scenes.of("composition")
    half = (len(unseen) + 1) // 2
    parts = {"train": ("scenes", scenes.of("train"), 5), "dev_matched": ("scenes", scenes.of("val"), 8),
             "dev_mismatched": ("composition", unseen[:half], 6), "test_matched": ("scenes", scenes.of("test"), 3),
             "test_mismatched": ("composition", unseen[half:], 6)}  # fmt: skip
    counts: Counts = {}
    for split, (kind, graphs, each) in parts.items():
        people = () if split.startswith("test") else ("label1",) if split == "train" else _people()
        columns = (*_MNLI, *people, *(("gold_label",) if people else ()))
        rows = _mnli_rows(scenes, graphs, each, f"{MARK}_{kind}", len(people), seed)
        counts[split] = _write_table(folder / f"{split}.tsv", columns, rows)
    return counts


def _people() -> tuple[str, ...]:
    return tuple(f"label{person}" for person in range(1, _PEOPLE + 1))


def _mnli_rows(scenes: Scenes, graphs: Sequence[Graph], each: int, genre: str, people: int,
               seed: int) -> Iterable[Sequence[str]]:  # fmt: skip
    number = 0
    for graph in graphs:
        found = mnli.write_pairs(scenes, graph, each, np.random.default_rng((seed, graph.id, 1)))
        for place, (premise, hypothesis, label) in enumerate(found):
            texts = (premise, hypothesis)
            words = [one.replace(",", " ,").replace(".", " .") for one in texts]
            labels = [label] * (people + 1 if people else 0)
            yield (str(number), str(graph.id), f"{graph.id}-{place}{label[0] if people else ''}", genre,
                   *(f"( {one} )" for one in words), *(f"(ROOT {one})" for one in words), *texts, *labels)  # fmt: skip
            number += 1


def write_cola(scenes: Scenes, folder: Path, seed: int) -> Counts:
    """Write CoLA's three tables; a sentence of one, before its fault, is in no other."""
    seen: set[str] = set()
    counts: Counts = {}
    for split, scene_split, each in (("train", "train", 5), ("dev", "val", 8), ("test", "test", 4)):
        rng = np.random.default_rng((seed, len(counts), 2))
        found = cola.write_sentences(scenes.of(scene_split), each, seen, rng)
        if split == "test":
            rows = [(str(number), one.text) for number, one in enumerate(found)]
            counts[split] = _write_table(folder / "test.tsv", ("index", "sentence"), rows)
        else:
            rated = [(MARK, "01"[one.fault == ""], "*" if one.fault else "", one.text) for one in found]
            counts[split] = _write_table(folder / f"{split}.tsv", (), rated)
    return counts


def write_stsb(scenes: Scenes, folder: Path, seed: int) -> Counts:
    """Write STS-B's three tables; the scores are the overlap of the two graphs that are told."""
    counts: Counts = {}
    for split, scene_split, each in (("train", "train", 5), ("dev", "val", 8), ("test", "test", 3)):
        rng = np.random.default_rng((seed, len(counts), 3))
        found = list(stsb.write_pairs(scenes, scenes.of(scene_split), each, rng))
        columns = _STSB if split == "test" else (*_STSB, "score")
        rows = [(str(number), MARK, "small_world", _YEAR, f"{number:04d}", "none", "none", one.first, one.second,
                 f"{one.score:.3f}")[: len(columns)] for number, one in enumerate(found)]  # fmt: skip
        counts[split] = _write_table(folder / f"{split}.tsv", columns, rows)
    return counts


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> int:
    """Write rows below a line of columns, or without one; return their number."""
    lines = ["\t".join(row) for row in rows]
    with atomic_write(path, "w") as file:
        file.writelines(f"{line}\n" for line in (["\t".join(columns)] if columns else []) + lines)
    return len(lines)
