"""SQuAD's JSON as question generation: the authors' split, references, malformed questions."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.prepare.tasks.task_folder import prepare, write
from unimo_paddle.errors import UserError
from unimo_paddle.records import Record


def asked(name: str, question: str, *answers: str) -> dict[str, Any]:
    return {"id": name, "question": question, "answers": [{"text": one, "answer_start": 0} for one in answers]}


def article(title: str, context: str, *questions: Any) -> dict[str, Any]:
    return {"title": title, "paragraphs": [{"context": context, "qas": list(questions)}]}


TRAIN = [article("Oxygen", "Oxygen is a gas.", asked("1", "What is it? ", "a gas")),
         article("Saint_Barth%C3%A9lemy", "An island.", asked("2", "What?", "An island"),
                 asked("3", "Which?", "island"))]  # fmt: skip
DEV = [article("Warsaw", "The capital  of Poland.", asked("4", "What is the capital?", "capital", "The capital"),
               asked("5", "What  is Warsaw?", "Capital"), asked("6", "Of what?", "Poland"))]  # fmt: skip


def source(folder: Path, train: Any = TRAIN, titles: str | None = "Saint_Barthélemy\n") -> Path:
    files = {name: json.dumps({"version": "1.1", "data": data})
             for name, data in (("train-v1.1.json", train), ("dev-v1.1.json", DEV))}  # fmt: skip
    return write(folder, files | ({} if titles is None else {"doclist-test.txt": titles}))


def test_the_list_of_articles_makes_the_test_split(tmp_path: Path) -> None:
    found = prepare("squad_qg", source(tmp_path / "in"), tmp_path / "out")
    assert found["train"] == [Record("1", text="oxygen is a gas.", text_b="a gas", target="what is it?")]
    assert [one.id for one in found["test"]] == ["2", "3"]


def test_questions_with_the_same_passage_and_answer_are_references_of_each_other(tmp_path: Path) -> None:
    found = prepare("squad_qg", source(tmp_path / "in"), tmp_path / "out")
    both = ("what is the capital?", "what is warsaw?")
    assert [one.references for one in found["dev"]] == [both, both, ()]
    assert [one.target for one in found["dev"]] == [*both, "of what?"]


def test_the_authors_own_files(tmp_path: Path) -> None:
    files = {"train.json": json.dumps(TRAIN[:1]), "test.json": json.dumps(DEV)}
    found = prepare("squad_qg", write(tmp_path / "in", files), tmp_path / "out", "--no-lowercase")
    assert {split: len(records) for split, records in found.items()} == {"train": 1, "test": 3}
    assert found["train"][0].text == "Oxygen is a gas."


def test_without_the_list_of_articles(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has neither test.json nor doclist-test.txt"):
        prepare("squad_qg", source(tmp_path / "a", titles=None), tmp_path / "out")
    with pytest.raises(UserError, match="1 of 2 articles are not in the training set, such as 'Nowhere'"):
        prepare("squad_qg", source(tmp_path / "b", titles="Oxygen\nNowhere\n"), tmp_path / "out")


@pytest.mark.parametrize(("train", "fault"), [
    ([article("Oxygen", "gas", asked("1", " ", "gas"))],
     r"train-v1.1.json: data\[0\].paragraphs\[0\].qas\[0\] \(1\): question is empty"),
    ([article("Oxygen", "gas", asked("1", "q"))], r"\(1\): answers is empty; one is wanted"),
    ([article("Oxygen", "gas", asked("1", "q", ""))], r"\(1\): answer is empty"),
    ([article("Oxygen", "", asked("1", "q", "a"))], r"paragraphs\[0\]: context is empty"),
    ([{"title": "Oxygen"}], r"data\[0\]: there is no 'paragraphs', only 'title'"),
    ([article("Oxygen", "gas", asked("1", "q", "a"), asked("1", "q", "a"))], "train: two records have the id '1'"),
])  # fmt: skip
def test_malformed_questions(tmp_path: Path, train: Any, fault: str) -> None:
    held = article("Held", "x", asked("0", "q", "a"))
    with pytest.raises(UserError, match=fault):
        prepare("squad_qg", source(tmp_path / "in", [*train, held], "Held"), tmp_path / "out")
