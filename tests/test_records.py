"""Records: what is written comes back, and a line that is none is named with its place."""

import json

import pytest

from unimo_paddle.errors import UserError
from unimo_paddle.records import Record, Records, TaskData, to_line

FULL = Record(
    id="7", image="im", images=("other",), text="a dog", text_b=(5, 6), turns=("who?", (7, 8)), tags="dog sofa",
    label=2.5, target="yes", references=("yes", "Yes."), answers={"yes": 1.0, "no": 0.3}, group="yes/no",
)  # fmt: skip


def opened(tmp_path, *lines):
    path = tmp_path / "train.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="surrogatepass")
    return Records(path)


def test_a_record_comes_back_as_it_was_written(tmp_path):
    some = [FULL, Record(id="é 中 😀", text="naïve"), Record(id="3", label="cat")]
    found = opened(tmp_path, *map(to_line, some))
    assert list(found) == some and len(found) == 3 and found[1:] == some[1:]
    assert set(json.loads(to_line(some[2]))) == {"id", "label"}, "what is empty is not written"


def test_blank_lines_count_in_places_alone(tmp_path):
    found = opened(tmp_path, to_line(Record(id="1")), "", "  ", to_line(Record(id="2")))
    assert [one.id for one in found] == ["1", "2"]
    assert found.place(1).endswith("train.jsonl:4")
    assert [one.id for one in found.first(1)] == ["1"] and len(found.first(9)) == 2


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("{", "no JSON"),
        ("[1]", "a JSON object is wanted, not list"),
        ('{"text": "a"}', "id is None"),
        ('{"id": 4}', "id is 4"),
        ('{"id": "1", "colour": "red"}', "colour is no field of a record"),
        ('{"id": "1", "text": 4}', "text is 4; a text, or a list of token ids"),
        ('{"id": "1", "text": [1, true]}', "a list of token ids"),
        ('{"id": "1", "references": "a"}', "a list of texts is wanted"),
        ('{"id": "1", "turns": [1]}', "the current question last"),
        ('{"id": "1", "label": true}', "label is true"),
        ('{"id": "1", "label": ""}', "the name of a class, or a finite number"),
        ('{"id": "1", "label": NaN}', "a finite number"),
        ('{"id": "1", "label": 1e999}', "a finite number"),
        ('{"id": "1", "label": ' + "9" * 400 + "}", "a finite number"),
        ('{"id": "1", "answers": {"yes": 2}}', "score from 0 to 1"),
        ('{"id": "1", "text": "bad \\ud83d half"}', "half a surrogate pair"),
    ],
)
def test_a_line_that_is_no_record_is_named(tmp_path, line, part):
    with pytest.raises(UserError) as error:
        opened(tmp_path, to_line(Record(id="0")), line)
    assert f"train.jsonl:2: {''}" in str(error.value) and part in str(error.value)


def test_a_whole_surrogate_pair_is_a_letter(tmp_path):
    assert opened(tmp_path, '{"id": "1", "text": "\\ud83d\\ude00"}')[0].text == "😀"


def test_ids_come_once_and_files_hold_something(tmp_path):
    with pytest.raises(UserError, match=r"train.jsonl:2: id '1' is line 1's already"):
        opened(tmp_path, to_line(Record(id="1")), to_line(Record(id="1")))
    for lines in ([], ["", " "]):
        with pytest.raises(UserError, match="is empty|holds no record"):
            opened(tmp_path, *lines)
    with pytest.raises(UserError, match="does not exist"):
        Records(tmp_path / "dev.jsonl")


def test_a_folder_tells_its_splits_and_labels(tmp_path):
    opened(tmp_path, to_line(Record(id="1")))
    data = TaskData(tmp_path)
    assert (data.splits, data.labels, data.lowercase) == (["train"], (), False)
    with pytest.raises(UserError, match=r"has no split 'dev'; it has train"):
        data.records("dev")
    (tmp_path / "task.json").write_text('{"version": 1, "task": "x", "labels": ["b", "a"], "lowercase": true}')
    assert (TaskData(tmp_path).labels, TaskData(tmp_path).lowercase) == (("b", "a"), True)
    for told in ("[]", '{"labels": [1]}', '{"labels": ["a", "a"]}'):
        (tmp_path / "task.json").write_text(told)
        with pytest.raises(UserError, match=r"task.json.*prepare the task again"):
            TaskData(tmp_path)
    with pytest.raises(UserError, match="is no folder"):
        TaskData(tmp_path / "none")
