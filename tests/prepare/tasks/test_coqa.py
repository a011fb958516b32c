"""CoQA's JSON: turns, references of several people, malformed dialogues."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tests.prepare.tasks.task_folder import prepare, write
from unimo_paddle.errors import UserError
from unimo_paddle.records import Record


def said(*texts: str) -> list[dict[str, Any]]:
    return [{"input_text": text, "span_start": 0, "span_end": 3, "span_text": "x", "turn_id": turn}
            for turn, text in enumerate(texts, start=1)]  # fmt: skip


STORY = {"source": "mctest", "id": "3dr", "filename": "mc.txt", "story": "Once upon a time\n a Cat lived. ",
         "questions": said("Who lived?", "When?"), "answers": said("A Cat", "once"), "name": "mc"}  # fmt: skip
JUDGED = {**STORY, "additional_answers": {"0": said("the cat", "long ago"), "1": said("cat", "once upon a time")}}


def source(folder: Path, train: Any = STORY, **others: Any) -> Path:
    stories = {"coqa-train-v1.0.json": train, **others}
    return write(folder, {name: json.dumps({"version": "1.0", "data": [one]}) for name, one in stories.items()})


def test_every_answer_is_a_record(tmp_path: Path) -> None:
    found = prepare("coqa", source(tmp_path / "in", **{"coqa-dev-v1.0.json": JUDGED}), tmp_path / "out")
    passage = "once upon a time a cat lived."
    assert found["train"] == [
        Record("3dr/1", text=passage, turns=("who lived?",), target="a cat", group="mctest"),
        Record("3dr/2", text=passage, turns=("who lived?", "a cat", "when?"), target="once", group="mctest"),
    ]
    assert [one.references for one in found["dev"]] == [
        ("a cat", "the cat", "cat"), ("once", "long ago", "once upon a time")]  # fmt: skip


def change(*path: Any, value: Any) -> dict[str, Any]:
    story: dict[str, Any] = copy.deepcopy(JUDGED)
    place: Any = story
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return story


@pytest.mark.parametrize(("story", "fault"), [
    (change("answers", 1, "input_text", value=" "), r"train-v1.0.json: data\[0\] \(3dr\): turn 2: answer is empty"),
    (change("questions", 0, "input_text", value=""), "turn 1: question is empty"),
    (change("story", value=""), r"data\[0\] \(3dr\): story is empty"),
    (change("questions", value=said("a")), r"answers is no list of 1 answers"),
    (change("additional_answers", "1", value=said("a")), r"\(3dr\): 1 is no list of 2 answers"),
    (change("answers", 0, value={"text": "a"}), "turn 1: answer: there is no 'input_text', only 'text'"),
    (change("answers", value="a"), "'answers' is 'a'; a list is wanted"),
    (change("id", value=7), r"data\[0\]: 'id' is 7; a text is wanted"),
    ("a story", r"data\[0\]: an object is wanted, not 'a story'"),
])  # fmt: skip
def test_malformed_dialogues(tmp_path: Path, story: Any, fault: str) -> None:
    with pytest.raises(UserError, match=fault):
        prepare("coqa", source(tmp_path / "in", story), tmp_path / "out")


def test_no_json_and_bad_bytes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"json: line 1 column \d+ is not JSON"):
        prepare("coqa", write(tmp_path / "a", {"coqa-train-v1.0.json": '{"data": [,]}'}), tmp_path / "out")
    with pytest.raises(UserError, match=r"byte 2 is not UTF-8"):
        prepare("coqa", write(tmp_path / "b", {"coqa-train-v1.0.json": b'{"\xff": 1}'}), tmp_path / "out")
