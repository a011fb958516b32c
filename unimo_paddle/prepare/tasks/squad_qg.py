"""SQuAD 1.1 turned round: from a passage and an answer to the question.

The splits are those of Du et al. 2017 (75,722 / 10,570 / 11,877 questions): SQuAD's dev set is dev, and the articles
that their doclist-test.txt names leave SQuAD's training set for test. Their raw/{train,dev,test}.json do as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from unimo_paddle.errors import UserError
from unimo_paddle.files import read_json, read_text
from unimo_paddle.prepare.tasks.reader import Options
from unimo_paddle.prepare.tasks.sources import articles, filled, member, noted, split_files, words
from unimo_paddle.records import Record

TITLES = "doclist-test.txt"
_SPLITS = {"train": ("train-v1.1.json", "train.json"), "dev": ("dev-v1.1.json", "dev.json"), "test": ("test.json",)}


def read_squad_qg(source: Path, options: Options) -> Iterator[tuple[str, Record]]:
    """text: the passage; text_b: the first answer given; target: the question.

    references: in dev and test, all questions that were asked of the same passage and answer, as the published scorer
    counts them.  Raises UserError when neither test.json nor the list of the test articles is there.
    """
    held: list[tuple[str, Any]] = []
    files = split_files(source, _SPLITS)
    titles = set() if "test" in dict(files) else _titles(source)
    for split, path in files:
        found = list(_places(articles(read_json(path), path), path))
        if split == "train" and titles:
            held = [one for one in found if _title(*one) in titles]
            found = [one for one in found if _title(*one) not in titles]
            _expect_all(titles, held, source)
        yield from ((split, record) for record in _records(found, split, options))
    yield from (("test", record) for record in _records(held, "test", options))


def _titles(source: Path) -> set[str]:
    path = source / TITLES
    if not path.is_file():
        raise UserError(f"{source} has neither test.json nor {TITLES}, which names the articles of the test split; it "
                        f"is in the data folder of github.com/xinyadu/nqg")
    return {unquote(line.strip()) for line in read_text(path).split("\n") if line.strip()}


def _places(found: list[Any], path: Path) -> Iterator[tuple[str, Any]]:
    return ((f"{path}: data[{number}]", article) for number, article in enumerate(found))


def _title(place: str, article: Any) -> str:
    return unquote(member(article, "title", str, place))


def _expect_all(titles: set[str], held: list[tuple[str, Any]], source: Path) -> None:
    lacking = sorted(titles - {_title(*one) for one in held})
    if lacking:
        raise UserError(f"{source / TITLES}: {len(lacking)} of {len(titles)} articles are not in the training set, "
                        f"such as {lacking[0]!r}; is it SQuAD 1.1's train-v1.1.json?")


def _records(found: list[tuple[str, Any]], split: str, options: Options) -> Iterator[Record]:
    read = _questions(found, options)
    if split == "train":
        yield from read
        return
    records = list(read)
    asked: dict[tuple[Any, Any], list[str]] = defaultdict(list)
    for record in records:
        asked[record.text, record.text_b].append(str(record.target))
    for record in records:
        others = dict.fromkeys(asked[record.text, record.text_b])
        yield replace(record, references=tuple(others)) if len(others) > 1 else record


def _questions(found: list[tuple[str, Any]], options: Options) -> Iterator[Record]:
    for place, article in found:
        for number, paragraph in enumerate(member(article, "paragraphs", list, place)):
            here = f"{place}.paragraphs[{number}]"
            passage = words(filled(member(paragraph, "context", str, here), f"{here}: context"), options.lowercase)
            for index, question in enumerate(member(paragraph, "qas", list, here)):
                with noted(options.faults):
                    yield _question(passage, question, f"{here}.qas[{index}]", options)


def _question(passage: str, told: Any, place: str, options: Options) -> Record:
    name = member(told, "id", str, place)
    place = f"{place} ({name})"
    answers = member(told, "answers", list, place)
    if not answers:
        raise UserError(f"{place}: answers is empty; one is wanted, as in SQuAD 1.1")
    answer = filled(member(answers[0], "text", str, f"{place}.answers[0]"), f"{place}: answer")
    question = filled(member(told, "question", str, place), f"{place}: question")
    low = options.lowercase
    return Record(id=name, text=passage, text_b=words(answer, low), target=words(question, low))
