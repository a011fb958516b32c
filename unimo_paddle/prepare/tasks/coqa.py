"""CoQA as it is published: passages, each with a dialogue about it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unimo_paddle.errors import UserError
from unimo_paddle.files import read_json
from unimo_paddle.prepare.tasks.reader import Options
from unimo_paddle.prepare.tasks.sources import articles, filled, member, noted, split_files, words
from unimo_paddle.records import Record

_SPLITS = {"train": ("coqa-train-v1.0.json", "train.json"), "dev": ("coqa-dev-v1.0.json", "dev.json")}


def read_coqa(source: Path, options: Options) -> Iterator[tuple[str, Record]]:
    """One record an answer: the passage, all turns up to its question, and the answer in free words.

    id: STORY/TURN.  references: in dev the answers of all people asked.  group: where the passage is from, since the
    official scorer judges each source apart as well.
    """
    for split, path in split_files(source, _SPLITS):
        for number, story in enumerate(articles(read_json(path), path)):
            with noted(options.faults):
                for record in _dialogue(story, f"{path}: data[{number}]", options):
                    yield split, record


def _dialogue(story: Any, place: str, options: Options) -> Iterator[Record]:
    name = member(story, "id", str, place)
    place = f"{place} ({name})"
    passage = words(filled(member(story, "story", str, place), f"{place}: story"), options.lowercase)
    questions, answers = member(story, "questions", list, place), member(story, "answers", list, place)
    others = member(story, "additional_answers", dict, place) if "additional_answers" in story else {}
    people = [("answers", answers), *others.items()]
    for who, said in people:
        if not isinstance(said, list) or len(said) != len(questions):
            raise UserError(f"{place}: {who} is no list of {len(questions)} answers, one to each question")
    turns: list[str] = []
    for turn, question in enumerate(questions):
        here = f"{place}: turn {turn + 1}"
        turns.append(_said(question, f"{here}: question", options))
        first, *more = [_said(said[turn], f"{here}: answer", options) for _, said in people]
        yield Record(
            id=f"{name}/{turn + 1}", text=passage, turns=tuple(turns), target=first,
            references=(first, *more) if more else (), group=story.get("source"),
        )
        turns.append(first)


def _said(told: Any, place: str, options: Options) -> str:
    return words(filled(member(told, "input_text", str, place), place), options.lowercase)
