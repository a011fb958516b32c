"""VQA v2 as it is published: questions, and ten people's answers to each; our scenes are in the same format."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unimo_paddle.console import say
from unimo_paddle.errors import UserError
from unimo_paddle.files import read_json
from unimo_paddle.prepare.tasks.answers import soft_scores, vocabulary
from unimo_paddle.prepare.tasks.reader import Options
from unimo_paddle.prepare.tasks.sources import filled, member, noted, words
from unimo_paddle.records import Record

_QUESTIONS = re.compile(r"(v2_)?OpenEnded_(mscoco_)?(?P<split>[a-z-]+?)(20\d\d)?_questions\.json")
_ANSWERS = re.compile(r"(v2_)?(mscoco_)?(?P<split>[a-z-]+?)(20\d\d)?_annotations\.json")
_RENAMED = {"val": "dev"}
_ORDER = ("train", "dev", "test")
_LEARNT_FROM = ("train", "dev")   # the vocabulary; the paper trains on both when it asks the test server


@dataclass(frozen=True)
class _Answered:
    """What ten people said, what most of them did, and the question's kind: yes/no, number, other."""

    said: tuple[str, ...]
    most_said: str
    kind: str


def read_vqa(source: Path, options: Options) -> Iterator[tuple[str, Record]]:
    """One record a question. answers: the soft scores of those in the vocabulary (answers.py); references: all ten;
    target: the answer with the highest score, for those who write answers.

    Questions without annotations, as those of the test server, have neither. Training questions that no answer of the
    vocabulary fits are left out and counted; in the other splits they stay.
    """
    questions, annotations = _files(source, _QUESTIONS), _files(source, _ANSWERS)
    if not questions:
        raise UserError(f"{source} holds no v2_OpenEnded_mscoco_train2014_questions.json or the like")
    odd = [path for split, path in annotations.items() if split not in questions]
    if odd:
        raise UserError(f"{odd[0]} has no questions beside it; both are wanted")
    answered = {split: _read_answers(path, options) for split, path in annotations.items()}
    known = frozenset(vocabulary(one.most_said for split in _LEARNT_FROM for one in answered.get(split, {}).values()))
    if "train" in questions:
        say(f"{len(known):,} answers to choose from")
    for split in sorted(questions, key=lambda one: (*_ORDER, one).index(one)):
        records = _records(split, questions[split], answered.get(split), known, options)
        yield from ((split, record) for record in records)


def _records(split: str, path: Path, answered: Mapping[int, _Answered] | None, known: frozenset[str],
             options: Options) -> Iterator[Record]:  # fmt: skip
    outside = 0
    for number, told in enumerate(member(read_json(path), "questions", list, str(path))):
        with noted(options.faults):
            record = _record(told, f"{path}: questions[{number}]", answered, known, options)
            if split == "train" and not record.answers:
                outside += 1
            else:
                yield record
    if outside:
        say(f"{path}: {outside:,} questions are left out, for none of their answers can be chosen")


def _record(told: Any, place: str, answered: Mapping[int, _Answered] | None, known: frozenset[str],
            options: Options) -> Record:  # fmt: skip
    question, image = _number(told, "question_id", place), _number(told, "image_id", place)
    text = words(filled(member(told, "question", str, place), f"{place}: question"), options.lowercase)
    if answered is None:
        return Record(id=str(question), image=str(image), text=text)
    if question not in answered:
        raise UserError(f"{place}: no annotation has the question_id {question}; do the two files belong together?")
    one = answered[question]
    scores = soft_scores(one.said, known)
    return Record(
        id=str(question), image=str(image), text=text, answers=scores, references=one.said, group=one.kind,
        target=max(scores, key=lambda answer: scores[answer], default=None),
    )  # fmt: skip


def _read_answers(path: Path, options: Options) -> dict[int, _Answered]:
    """Return question -> answers; equal texts are kept once, for there are millions.

    The public set's are lower-case, which the official score counts on: it compares unanimous answers as written.
    """
    answered = {}
    for number, told in enumerate(member(read_json(path), "annotations", list, str(path))):
        place = f"{path}: annotations[{number}]"
        with noted(options.faults):
            listed = member(told, "answers", list, place)
            said = tuple(member(one, "answer", str, f"{place}.answers[{k}]") for k, one in enumerate(listed))
            said = tuple(map(str.lower, said)) if options.lowercase else said
            if not said:
                raise UserError(f"{place}: answers is empty; those of ten people are wanted")
            most, kind = (member(told, name, str, place) for name in ("multiple_choice_answer", "answer_type"))
            answered[_number(told, "question_id", place)] = _Answered(
                tuple(map(sys.intern, said)), sys.intern(most), sys.intern(kind)
            )
    return answered


def _number(told: Any, name: str, place: str) -> int:
    value = told.get(name) if isinstance(told, dict) else None
    if not isinstance(value, int) or isinstance(value, bool):
        raise UserError(f"{place}: {name} is {value!r}; a whole number is wanted")
    return value


def _files(source: Path, pattern: re.Pattern[str]) -> dict[str, Path]:
    """Return split -> file, in a folder or the folders in it; UserError when two are of one split."""
    found: dict[str, Path] = {}
    for path in sorted([*source.glob("*.json"), *source.glob("*/*.json")]):
        match = pattern.fullmatch(path.name)
        if not match:
            continue
        split = _RENAMED.get(match["split"], match["split"])
        if split in found:
            raise UserError(f"{found[split]} and {path} are both of the split {split}; keep one of them in {source}")
        found[split] = path
    return found
