"""The constructed tasks in the JSON of CoQA and of SQuAD 1.1 with the list of test articles for question generation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unimo_paddle.files import atomic_write
from unimo_paddle.prepare.tasks.constructed import asking
from unimo_paddle.prepare.tasks.constructed.dialogue import UNKNOWN, Dialogue, Turn
from unimo_paddle.prepare.tasks.constructed.glue_files import MARK, Counts
from unimo_paddle.prepare.tasks.constructed.scenes import Graph, Scenes
from unimo_paddle.prepare.tasks.constructed.telling import Told, tell
from unimo_paddle.prepare.tasks.squad_qg import TITLES

_PICTURES = ("the first picture", "the second picture")
_SHARE_OF_TWO = 0.5
_MOST_DEV = 160   # dialogues, of about six questions each
_ARTICLES = (("train", "train", 5), ("dev", "val", 8), ("test", "test", 4))   # split, the world's, questions of a scene
_PEOPLE = 3       # who answer as well in CoQA's dev set

Json = dict[str, Any]


def write_coqa(scenes: Scenes, folder: Path, seed: int) -> Counts:
    """Write CoQA's two files. CoQA publishes no test split: dev tells scenes of val and, as far as needed, of test."""
    counts = {}
    for split, graphs, most in (("train", scenes.of("train"), None), ("dev", scenes.of("val", "test"), _MOST_DEV)):
        stories = [_story(scenes, graphs, split == "dev", seed) for graphs in _grouped(graphs, seed)[:most]]
        _write(folder / f"coqa-{split}-v1.0.json", {"version": f"1.0 {MARK}", "data": stories})
        counts[split] = sum(len(story["questions"]) for story in stories)
    return counts


def _grouped(graphs: Sequence[Graph], seed: int) -> list[tuple[Graph, ...]]:
    """Take the scenes one or two at a time; two when no noun of the one is a noun of the other."""
    rng, groups, place = np.random.default_rng((seed, 4)), [], 0
    while place < len(graphs):
        pair = tuple(graphs[place : place + 2])
        heads = [thing.name.split()[-1] for graph in pair for thing in graph.things]
        together = len(pair) == 2 and rng.random() < _SHARE_OF_TWO and len(set(heads)) == len(heads)
        groups.append(pair if together else pair[:1])
        place += len(groups[-1])
    return groups


def _story(scenes: Scenes, graphs: Sequence[Graph], is_dev: bool, seed: int) -> Json:
    rng = np.random.default_rng((seed, graphs[0].id, 4))
    names = _PICTURES if len(graphs) == 2 else ("the picture",)
    told = [tell(graph, rng, where) for graph, where in zip(graphs, names, strict=True)]
    passage = " ".join([*(["There are two pictures."] if len(told) == 2 else []), *(one.text for one in told)])
    turns = Dialogue(scenes, told, rng).run()
    name = f"{MARK}_{'_'.join(str(graph.id) for graph in graphs)}"
    story: Json = {"source": f"{MARK}_{'two_scenes' if len(told) == 2 else 'one_scene'}", "id": name,
             "filename": f"{name}.txt", "story": passage,
             "questions": [{"input_text": turn.question, "turn_id": k} for k, turn in enumerate(turns, 1)],
             "answers": [_answer(turn, k, 0, passage) for k, turn in enumerate(turns, 1)]}  # fmt: skip
    if is_dev:
        story["additional_answers"] = {
            str(person): [_answer(turn, k, person + 1, passage) for k, turn in enumerate(turns, 1)]
            for person in range(_PEOPLE)}  # fmt: skip
    return {**story, "name": f"{name}.txt"}


def _answer(turn: Turn, number: int, person: int, passage: str) -> Json:
    """Return what a person says: the first one as usual, the next ones in other words."""
    start = passage.index(turn.evidence) if turn.evidence else -1
    return {"span_start": start, "span_end": start + len(turn.evidence) if turn.evidence else -1,
            "span_text": turn.evidence or UNKNOWN, "input_text": turn.answers[person % len(turn.answers)],
            "turn_id": number}  # fmt: skip


def write_squad_qg(scenes: Scenes, folder: Path, seed: int) -> Counts:
    """Write train-v1.1.json, with the test articles, dev-v1.1.json, and doclist-test.txt that names them."""
    parts = {split: list(_articles(scenes.of(scene_split), each, seed))
             for split, scene_split, each in _ARTICLES}  # fmt: skip
    for split, articles in (("train", parts["train"] + parts["test"]), ("dev", parts["dev"])):
        _write(folder / f"{split}-v1.1.json", {"data": articles, "version": f"1.1 {MARK}"})
    with atomic_write(folder / TITLES, "w") as file:
        file.writelines(f"{article['title']}\n" for article in parts["test"])
    return {split: sum(len(article["paragraphs"][0]["qas"]) for article in articles)
            for split, articles in parts.items()}  # fmt: skip


def _articles(graphs: Sequence[Graph], each: int, seed: int) -> Iterator[Json]:
    for graph in graphs:
        rng = np.random.default_rng((seed, graph.id, 5))
        told: Told = tell(graph, rng)
        name = f"{MARK}_{graph.id}"
        asked = asking.write_questions(told, each, rng)
        qas = [{"answers": [{"answer_start": one.start, "text": one.answer}], "question": one.question,
                "id": f"{name}_{k}"} for k, one in enumerate(asked)]  # fmt: skip
        yield {"title": name, "paragraphs": [{"context": told.text, "qas": qas}]}


def _write(path: Path, value: Json) -> None:
    """On one line, as the published files are."""
    with atomic_write(path, "w") as file:
        json.dump(value, file, ensure_ascii=False)
        file.write("\n")
