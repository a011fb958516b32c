"""The small world's scenes as graphs of words: what the constructed tasks are told from. No picture is read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from unimo_paddle.errors import UserError
from unimo_paddle.files import read_json, read_text
from unimo_paddle.prepare.small_world.language import noun_phrase, pick
from unimo_paddle.prepare.small_world.reviewed import KIN

SIZES = ("small", "large")
COLOURS = ("black", "blue", "brown", "green", "purple", "red", "white", "yellow")
# Words that cover other classes as well: a scene without the class may still show one.
_WIDE = {"airplane", "bird", "flower", "mailbox", "mushroom", "toy"}
_SINGLE = "thing"   # of no wider kind

Relation = tuple[int, str, int]


@dataclass(frozen=True)
class Thing:
    """name: its class.  words: size and attributes, as they are spoken.  wider: e.g. "bird"; "thing" when none."""

    name: str
    words: tuple[str, ...]
    wider: str

    @property
    def size(self) -> str:
        """Return "small", "large" or ""."""
        return next((word for word in self.words if word in SIZES), "")

    @property
    def colour(self) -> str:
        """Return its only colour, or ""."""
        found = [word for word in self.words if word in COLOURS]
        return found[0] if len(found) == 1 else ""

    def without(self, *words: str) -> str:
        """Return "red apple" for a small red apple without `small`."""
        return noun_phrase([word for word in self.words if word not in words], self.name)


@dataclass(frozen=True)
class Caption:
    """A sentence of a scene. names: the classes that it names."""

    text: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Graph:
    """A scene. relations: all that are certain, both ways.  background: its phrase."""

    id: int
    split: str
    things: tuple[Thing, ...]
    relations: tuple[Relation, ...]
    background: str
    captions: tuple[Caption, ...]


@dataclass(frozen=True)
class Scenes:
    """All scenes of a world, in its order."""

    source: str
    graphs: tuple[Graph, ...]

    def of(self, *splits: str) -> list[Graph]:
        """Return the scenes of some splits."""
        return [graph for graph in self.graphs if graph.split in splits]

    @cached_property
    def kinds(self) -> dict[str, str]:
        """Class -> its wider word, sorted by class."""
        return dict(sorted({thing.name: thing.wider for graph in self.graphs for thing in graph.things}.items()))

    def absent(self, there: Sequence[Thing], rng: np.random.Generator, background: str = "") -> str:
        """Draw a class that nobody could see among these things: of no kind of theirs, sharing no word with them.

        Raises UserError when the world has none.
        """
        names = {thing.name for thing in there}
        wider = {thing.wider for thing in there} - {_SINGLE}
        near = {one for kin in KIN if names & set(kin) for one in kin} | _WIDE | names
        words = _stems(" ".join((*names, background)))
        fitting = [name for name, kind in self.kinds.items()
                   if name not in near and kind not in wider and not words & _stems(name)]
        if not fitting:
            raise UserError(f"the world has no class that a scene with {', '.join(sorted(names))} certainly lacks; "
                            f"make a larger one with tools/prepare.py scenes")
        return pick(rng, fitting)


def read_scenes(folder: Path) -> Scenes:
    """Read a folder that tools/prepare.py scenes made. Raises UserError when it is none."""
    if not (folder / "scenes.json").is_file():
        raise UserError(f"--scenes: {folder} holds no scenes.json; make a small world with tools/prepare.py scenes")
    try:
        return _scenes(folder)
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise UserError(f"--scenes: {folder} is damaged ({type(error).__name__}: {error}); make it again with "
                        f"tools/prepare.py scenes") from None


def _scenes(folder: Path) -> Scenes:
    manifest, genome = read_json(folder / "scenes.json"), folder / "visual_genome"
    categories = read_json(folder / "coco" / "instances_train.json")["categories"]
    wider = {one["name"]: one["supercategory"] for one in categories}
    things = {one["image_id"]: one["attributes"] for one in read_json(genome / "attributes.json")}
    relations = {one["image_id"]: one["relationships"] for one in read_json(genome / "relationships.json")}
    captions, backgrounds = _captions(folder, [(one["image_id"], one["background"]) for one in manifest["scenes"]])
    graphs = []
    for one in manifest["scenes"]:
        number = one["image_id"]
        places = {thing["object_id"]: place for place, thing in enumerate(things[number])}
        graphs.append(Graph(
            number, one["split"],
            tuple(Thing(each["name"], tuple(each["attributes"]), wider[each["name"]]) for each in things[number]),
            tuple((places[each["subject"]["object_id"]], each["predicate"], places[each["object"]["object_id"]])
                  for each in relations[number]),
            backgrounds[one["background"]], captions[number]))  # fmt: skip
    return Scenes(manifest["source"], tuple(graphs))


def _captions(folder: Path, scenes: Sequence[tuple[int, str]]) -> tuple[dict[int, tuple[Caption, ...]], dict[str, str]]:
    """Return scene -> its captions, and key of a background -> its phrase, which some caption tells."""
    lines: list[Any] = [json.loads(line) for line in read_text(folder / "caption_graphs.jsonl").splitlines()]
    each = len(lines) // len(scenes)
    found: dict[int, tuple[Caption, ...]] = {}
    phrases = {key: "an empty background" for _, key in scenes}
    for place, (number, key) in enumerate(scenes):
        mine = lines[place * each : (place + 1) * each]
        found[number] = tuple(Caption(one["caption"], tuple(one["objects"])) for one in mine)
        phrases[key] = next((one["background"] for one in mine if one["background"]), phrases[key])
    return found, phrases


@lru_cache(maxsize=4096)
def _stems(text: str) -> frozenset[str]:
    return frozenset(word.lower().rstrip("s") for word in text.split())
