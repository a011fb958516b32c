"""SNLI-VE: the published JSON lines and the released archive's lines."""

import gzip
import json
from typing import Any

import pytest

from tests.prepare.tasks.task_folder import prepare, write
from tests.region_tools.foreign import entailment, found
from unimo_paddle.errors import UserError
from unimo_paddle.records import Record


def told(number: int = 0, label: str = "entailment", **more: Any) -> dict[str, Any]:
    return {"annotator_labels": [label], "captionID": "36979.jpg#0", "gold_label": label,
            "pairID": f"36979.jpg#0r{number}e", "sentence1": "A man.",
            "sentence1_binary_parse": "", "sentence2": "A  Person.", "Flickr30K_ID": "36979",
            **more}  # fmt: skip


def lines(*entries: Any) -> str:
    return "".join(json.dumps(one) + "\n" for one in entries)


def test_each_line_is_a_record(tmp_path, capsys):
    files = {"snli_ve_train.jsonl": lines(told(), told(1, "-"), told(2, "neutral", Flickr30K_ID="000000000012")),
             "snli_ve_dev.jsonl.gz": gzip.compress(lines(told(3, "contradiction")).encode())}  # fmt: skip
    assert prepare("snli_ve", write(tmp_path / "from", files), tmp_path / "to") == {
        "train": [Record(id="36979.jpg#0r0e", image="36979", text="a person.", label="entailment"),
                  Record(id="36979.jpg#0r2e", image="12", text="a person.", label="neutral")],
        "dev": [Record(id="36979.jpg#0r3e", image="36979", text="a person.", label="contradiction")],
    }  # fmt: skip
    assert "snli_ve_train.jsonl: 1 lines without an agreed label are left out" in capsys.readouterr().out


BAD = [
    (lines(told(), told(1, "maybe")), r"train.jsonl:2: gold_label is 'maybe'; one of contradiction, entailment"),
    (lines(told(sentence2=" ")), r"train.jsonl:1: sentence2 is empty"),
    (lines(told(Flickr30K_ID="")), r"train.jsonl:1: Flickr30K_ID is empty"),
    (lines({"gold_label": "neutral"}), r"train.jsonl:1: there is no 'sentence2', only 'gold_label'"),
    ("{\n", r"train.jsonl:1: this is no JSON"),
    ("[]\n", r"train.jsonl:1: a JSON object is wanted, not list"),
    (b"\xff\n", r"train.jsonl:1: byte 0 \(0xff\) is not UTF-8"),
]


@pytest.mark.parametrize(("text", "fault"), BAD)
def test_what_is_malformed_is_named(tmp_path, text, fault):
    with pytest.raises(UserError, match=fault):
        prepare("snli_ve", write(tmp_path / "from", {"snli_ve_train.jsonl": text}), tmp_path / "to")


def test_a_folder_without_the_files_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"holds no snli_ve_train.jsonl, snli_ve_dev.jsonl \.\."):
        prepare("snli_ve", write(tmp_path / "from", {"x": ""}), tmp_path / "to")


def line(number: int, name: str = "d1", label: str = "2", text: str = "0 5 2") -> str:
    return entailment(found(f"{number}", number), text).replace(";d1;2;", f";{name};{label};", 1)


def archive(listed: list[str]) -> dict[str, str | bytes]:
    return {"bbox100/train_filelist": "data/SNLI-VE/bbox100/part-00.gz\n", "bbox100/dev_filelist": "part-01\n",
            "bbox100/part-00.gz": gzip.compress("".join(f"{one}\n" for one in listed).encode()),
            "bbox100/part-01": line(7, "d9", "0", "0 8 9 2") + "\n"}  # fmt: skip


def test_the_archives_numbers_become_the_classes_names(tmp_path):
    source = write(tmp_path / "from", archive([line(5), line(5, "d2", "1")]))
    assert prepare("snli_ve", source, tmp_path / "to") == {
        "train": [Record(id="d1", image="5", text=(5,), label="neutral"),
                  Record(id="d2", image="5", text=(5,), label="entailment")],
        "dev": [Record(id="d9", image="7", text=(8, 9), label="contradiction")],
    }  # fmt: skip


BAD_LINES = [
    (line(5, label="3"), r"part-00.gz:1: the label is 3; a class from 0 to 2 is wanted"),
    (line(5, label="x"), r"part-00.gz:1: the label is 'x'; a whole number is wanted"),
    (line(5, text=""), r"part-00.gz:1: the hypothesis does not begin with"),
    ("1;2;3", r"part-00.gz:1: the line has 3 fields between `;`, not 14"),
]


@pytest.mark.parametrize(("text", "fault"), BAD_LINES)
def test_the_archives_faults_are_named(tmp_path, text, fault):
    with pytest.raises(UserError, match=fault):
        prepare("snli_ve", write(tmp_path / "from", archive([text])), tmp_path / "to", "--layout", "release")


def test_a_file_that_a_filelist_names_must_be_there(tmp_path):
    files = {name: text for name, text in archive([line(5)]).items() if not name.endswith("part-01")}
    with pytest.raises(UserError, match="part-01 does not exist, neither as it is nor beside the list"):
        prepare("snli_ve", write(tmp_path / "from", files), tmp_path / "to", "--layout", "release")


def test_an_archive_without_filelists_is_refused(tmp_path):
    with pytest.raises(UserError, match="holds no train_filelist"):
        prepare("snli_ve", write(tmp_path / "from", {"x": ""}), tmp_path / "to", "--layout", "release")
