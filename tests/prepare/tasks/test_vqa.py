"""VQA v2's JSON under the names of the download: soft scores, the answers' vocabulary, splits, malformed files."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.prepare.tasks.task_folder import prepare, write
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.tasks.answers import LEAST, soft_scores, vocabulary
from unimo_paddle.records import Record, TaskData

Answers = list[str]


def question(number: int, text: str = "Is it  a Dog?") -> dict[str, Any]:
    return {"image_id": number // 1000, "question": text, "question_id": number}


def annotation(number: int, answers: Answers, most: str | None = None, kind: str = "other") -> dict[str, Any]:
    listed = [{"answer": one, "answer_confidence": "yes", "answer_id": k} for k, one in enumerate(answers, 1)]
    return {"image_id": number // 1000, "question_id": number, "question_type": "is it", "answer_type": kind,
            "multiple_choice_answer": most or answers[0], "answers": listed}  # fmt: skip


def files(
    split: str, questions: list[Any], annotations: list[Any] | None = None, prefix: str = "v2_"
) -> dict[str, str]:
    head = {"info": {"version": "2.0"}, "data_type": "mscoco", "data_subtype": split, "license": {"name": ""}}
    made = {f"{prefix}OpenEnded_mscoco_{split}_questions.json": json.dumps(
        {**head, "task_type": "Open-Ended", "questions": questions})}  # fmt: skip
    if annotations is not None:
        made[f"{prefix}mscoco_{split}_annotations.json"] = json.dumps({**head, "annotations": annotations})
    return made


def download(annotations: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    made: dict[str, str] = {}
    for split, listed in annotations.items():
        made |= files(split, [question(one["question_id"]) for one in listed], listed)
    return made


def test_questions_get_soft_scores_of_answers_that_are_frequent_in_train_and_val(tmp_path, capsys):
    often = [annotation(9000 + k, ["a dog"] * 10) for k in range(LEAST - 1)]
    asked = {"train2014": [*often, annotation(1000, ["cat"] * 10)],
             "val2014": [annotation(42001, ["dog", "dog", "cat", "puppy", *["cow"] * 6], "Dog.", "other"),
                         annotation(42002, ["cow"] * 10, kind="number")]}  # fmt: skip
    source = write(tmp_path / "from", download(asked) | files("test-dev2015", [question(7001, "Who?")]))
    found = prepare("vqa", source, tmp_path / "to")
    assert {split: len(records) for split, records in found.items()} == {"train": LEAST - 1, "dev": 2, "test-dev": 1}
    assert found["dev"][0] == Record(
        id="42001", image="42", text="is it a dog?", answers={"dog": 0.6}, group="other", target="dog",
        references=("dog", "dog", "cat", "puppy", *["cow"] * 6),
    )  # fmt: skip
    assert found["dev"][1].answers == {}, "kept: it is judged, though it cannot be right"
    assert found["dev"][1].references == ("cow",) * 10
    assert found["test-dev"] == [Record(id="7001", image="7", text="who?")]
    assert TaskData(tmp_path / "to").labels == ("dog",)
    said = capsys.readouterr().out
    assert "1 answers to choose from" in said
    assert "1 questions are left out" in said


def test_case_is_kept_on_request(tmp_path):
    source = write(tmp_path / "from", files("val2014", [question(1000)], [annotation(1000, ["UK"] * 10)]))
    assert prepare("vqa", source, tmp_path / "to", "--no-lowercase")["dev"][0] == Record(
        id="1000", image="1", text="Is it a Dog?", references=("UK",) * 10, group="other"
    )


def test_the_vocabulary_counts_normalised_answers():
    said = ["two dogs", "2 dogs."] * 4 + ["The 2 dogs"] + ["rare"] * (LEAST - 1) + ["the"] * 20
    assert vocabulary(said) == ("2 dogs",)


@pytest.mark.parametrize(("count", "score"), [(1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (10, 1.0)])
def test_a_soft_score_is_three_tenths_a_person_and_at_most_one(count, score):
    answers = ["yes"] * count + ["odd"] * (10 - count)
    assert soft_scores(answers, {"yes"}) == {"yes": score}


def test_answers_that_mean_the_same_count_together():
    assert soft_scores(["a hat", "the hat", "Hat", *["cap"] * 7], {"hat", "cap"}) == {"cap": 1.0, "hat": 0.9}


BAD = [
    ({"questions": [question(1000, " ")]}, r"v2_Open.*train2014_questions.json: questions\[0\]: question is empty"),
    ({"questions": [{**question(1000), "image_id": "7"}]}, r"questions\[0\]: image_id is '7'; a whole number"),
    ({"questions": [question(1000), 3]}, r"questions\[1\]: question_id is None"),
    ({"questions": [question(1000), question(2000)]}, r"questions\[1\]: no annotation has the question_id 2000"),
    ({"annotations": [{**annotation(1000, ["x"]), "answers": []}]}, r"annotations\[0\]: answers is empty"),
    ({"annotations": [{**annotation(1000, ["x"]), "answers": [{"answer": 4}]}]}, r"answers\[0\]: 'answer' is 4"),
    ({"annotations": [{"question_id": 1000}]}, r"annotations\[0\]: there is no 'answers', only 'question_id'"),
]


@pytest.mark.parametrize(("changed", "fault"), BAD)
def test_what_is_malformed_is_named(tmp_path, changed, fault):
    told = {"questions": [question(1000)], "annotations": [annotation(1000, ["x"] * 10)], **changed}
    source = write(tmp_path / "from", files("train2014", told["questions"], told["annotations"]))
    with pytest.raises(UserError, match=fault):
        prepare("vqa", source, tmp_path / "to")
    assert not (tmp_path / "to").exists()


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    good = files("val2014", [question(1000)], [annotation(1000, ["x"] * 10)])
    write(tmp_path / "alone", {name: text for name, text in good.items() if "annotations" in name})
    with pytest.raises(UserError, match="holds no v2_OpenEnded_mscoco_train2014_questions.json"):
        prepare("vqa", tmp_path / "alone", tmp_path / "to")
    write(tmp_path / "both", good | files("val2014", [question(1000)], [], prefix=""))
    with pytest.raises(UserError, match="are both of the split dev; keep one"):
        prepare("vqa", tmp_path / "both", tmp_path / "to")


def test_images_that_the_store_lacks_are_listed(tmp_path, stored):
    asked = [annotation(1000 * image, ["yes"] * 10) for image in range(1, 10)]
    source = write(tmp_path / "from", download({"train2014": asked}))
    with pytest.raises(UserError, match=r"lacks 7 images, 7 records'.*: 3, 4, 5, 6, 7 \.\.; the list is"):
        prepare("vqa", source, tmp_path / "to", "--regions", stored(["1", "2"]))
    listed: Path = tmp_path / "to.missing_images.txt"
    assert listed.read_text().split() == list("3456789")
