"""Judges the scene-graph parser on captions whose true graphs are known: the small world's caption_graphs.jsonl."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unimo_paddle.errors import UserError
from unimo_paddle.files import read_text
from unimo_paddle.prepare.rewriting.parser import Parser
from unimo_paddle.prepare.rewriting.scene_graph import SceneGraph, Thing

KINDS = ("objects", "object names", "attributes", "relations")
SHOWN = 10
# Words for one relation; the true graphs use the right-hand ones.
_SAME = {"over": "above", "under": "below", "beneath": "below", "underneath": "below"}

Fact = tuple[str, ...]


@dataclass(frozen=True)
class Truth:
    """What a caption says, by a file's line.

    objects: names.  attributes: (object's index, word).  relations: (index, relation, index).  background: a phrase of
    the caption that is not judged, or "".
    """

    caption: str
    objects: tuple[str, ...]
    attributes: tuple[tuple[int, str], ...]
    relations: tuple[tuple[int, str, int], ...]
    background: str


@dataclass(frozen=True)
class Tally:
    """Facts found and true, found and false, and not found."""

    right: int
    wrong: int
    missed: int

    @property
    def precision(self) -> float:
        """The part of the found facts that is true; 1 when none was found."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        """The part of the true facts that was found; 1 when there is none."""
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return 2 * self.right / max(1, 2 * self.right + self.wrong + self.missed) if self.right else 0.0


@dataclass(frozen=True)
class Score:
    """A tally for each of KINDS; faults: the commonest for each kind, with how often; captions a second on one core.

    objects: by the last word of the name ("hydrant").  object names: the whole ("fire hydrant").  attributes and
    relations: with their objects by the last word.
    """

    captions: int
    tallies: dict[str, Tally]
    faults: dict[str, tuple[tuple[str, int], ...]]
    speed: float

    def table(self) -> str:
        """Return the score for people: a line a kind, then the commonest faults of each."""
        lines = [f"{self.captions:,} captions, {self.speed:.0f} captions/s",
                 f"{'':14}{'precision':>10}{'recall':>10}{'F1':>10}{'true facts':>12}"]
        lines += [f"{kind:14}{tally.precision:>10.3f}{tally.recall:>10.3f}{tally.f1:>10.3f}"
                  f"{tally.right + tally.missed:>12,}" for kind, tally in self.tallies.items()]
        lines += [f"{kind}: {fault} ({count})" for kind, faults in self.faults.items() for fault, count in faults]
        return "\n".join(lines)


def judge(graphs_file: Path, limit: int = 0) -> Score:
    """Parse the captions of a file of true graphs (the first `limit`; 0: all) and return the score.

    Raises UserError for a file that is missing or holds another thing than true graphs.
    """
    truths = read_truths(graphs_file)
    return score(truths[:limit] if limit else truths, Parser().parse)


def score(truths: Sequence[Truth], parse: Callable[[Sequence[str]], list[SceneGraph]]) -> Score:
    """Return how well a parser finds the true facts; each caption of several equal ones counts."""
    begun = time.perf_counter()
    graphs = parse([truth.caption for truth in truths])
    speed = len({truth.caption for truth in truths}) / max(time.perf_counter() - begun, 1e-9)
    right, wrong, missed = Counter[str](), Counter[str](), Counter[str]()
    faults: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    for truth, graph in zip(truths, graphs, strict=True):
        for kind, true, found in _facts(truth, graph):
            right[kind] += (true & found).total()
            wrong[kind] += (found - true).total()
            missed[kind] += (true - found).total()
            faults[kind].update(_told(kind, true, found))
    tallies = {kind: Tally(right[kind], wrong[kind], missed[kind]) for kind in KINDS}
    return Score(len(truths), tallies, {kind: tuple(faults[kind].most_common(SHOWN)) for kind in KINDS}, speed)


def read_truths(path: Path) -> list[Truth]:
    """Return the true graphs of a file.

    Raises UserError that names the line which is none, and what is wrong with it.
    """
    truths = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        try:
            truths.append(_truth(json.loads(line)))
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise UserError(f"{path}:{number}: this is no true graph of a caption ({type(error).__name__}: {error}); "
                            "`tools/prepare.py scenes` writes such a file, caption_graphs.jsonl") from error
    if not truths:
        raise UserError(f"{path} is empty; a line for each caption is wanted")
    return truths


def _truth(row: Any) -> Truth:
    objects = tuple(str(name) for name in row["objects"])
    attributes = tuple((int(index), str(word)) for index, word in row["attributes"])
    relations = tuple((int(first), str(name), int(second)) for first, name, second in row["relations"])
    for index in [index for index, _ in attributes] + [k for first, _, second in relations for k in (first, second)]:
        if not 0 <= index < len(objects):
            raise IndexError(f"there is no object {index} among {len(objects)}")
    return Truth(str(row["caption"]), objects, attributes, relations, str(row.get("background", "")))


def _facts(truth: Truth, graph: SceneGraph) -> Iterable[tuple[str, Counter[Fact], Counter[Fact]]]:
    """Yield (kind, true facts, found facts)."""
    heads = [_head(name) for name in truth.objects]
    judged = [not _in_background(thing, truth) for thing in graph.things]
    found = [_head(thing.name) for thing in graph.things]
    yield "objects", Counter((head,) for head in heads), Counter(
        (head,) for head, counts in zip(found, judged, strict=True) if counts)
    yield "object names", Counter((name.lower(),) for name in truth.objects), Counter(
        (thing.name,) for thing, counts in zip(graph.things, judged, strict=True) if counts)
    # "Indian" of "Indian blackbuck" may be called a part of the name or an attribute: neither right nor wrong.
    names = {(head, word) for head, name in zip(heads, truth.objects, strict=True) for word in name.lower().split()}
    yield "attributes", Counter((heads[k], word.lower()) for k, word in truth.attributes), Counter(
        (found[each.thing], each.name) for each in graph.attributes
        if judged[each.thing] and (found[each.thing], each.name) not in names)
    yield "relations", Counter((heads[i], _same(name), heads[j]) for i, name, j in truth.relations), Counter(
        (found[each.subject], _same(each.name), found[each.object]) for each in graph.relations
        if judged[each.subject] and judged[each.object])


def _in_background(thing: Thing, truth: Truth) -> bool:
    """Tell whether a thing was named in the phrase that is not judged."""
    start = truth.caption.rfind(truth.background) if truth.background else -1
    return 0 <= start <= thing.span.start < start + len(truth.background)


def _head(name: str) -> str:
    """Return the word that bears a name: "fire hydrant" -> "hydrant", "ear of corn" -> "ear"."""
    return name.lower().partition(" of ")[0].split(" ")[-1]


def _same(relation: str) -> str:
    return _SAME.get(relation, relation)


def _told(kind: str, true: Counter[Fact], found: Counter[Fact]) -> Iterable[str]:
    """Yield the faults of a caption; of a relation only its name, for its things are hardly ever the same."""
    for sign, facts in (("missed", true - found), ("false", found - true)):
        for fact in facts.elements():
            yield f"{sign} {fact[1] if kind == 'relations' else ' '.join(reversed(fact))}"
