"""SST-2, CoLA, MNLI, STS-B: GLUE's own tables and the archives', good and malformed."""

import gzip
from pathlib import Path

import pytest

from tests.prepare.tasks.task_folder import prepare, write
from unimo_paddle.errors import UserError
from unimo_paddle.records import Record, TaskData

SST2 = {
    "train.tsv": "sentence\tlabel\nHide new secretions \t0\nA \"gorgeous  film\t1\n",
    "dev.tsv": "sentence\tlabel\nit 's a charming journey . \t1\n",
    "test.tsv": "index\tsentence\n0\tuneasy mishmash\n1\tno answers\n",
}
COLA = {
    "train.tsv": "gj04\t1\t\tOur friends won't buy this.\ngj04\t0\t*\tThem won't.\n",
    "dev.tsv": "gj04\t1\t\tThe sailors rode the breeze.\n",
    "test.tsv": "index\tsentence\n0\tBill whistled past.\n",
}
_HEAD = "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\t"
MNLI_HEAD = _HEAD + "sentence2_parse\tsentence1\tsentence2\tlabel1\tgold_label\n"
MNLI_TEST = _HEAD + "sentence2_parse\tsentence1\tsentence2\n"


def mnli_row(index: int, first: str, second: str, *labels: str) -> str:
    return "\t".join([str(index), "1", "1n", "fiction", "( a )", "( b )", "(ROOT a)", "(ROOT b)", first, second,
                      *labels]) + "\n"  # fmt: skip


MNLI = {
    "train.tsv": MNLI_HEAD + mnli_row(0, "A man.", "A person.", "neutral", "entailment"),
    "dev_matched.tsv": MNLI_HEAD + mnli_row(0, "m", "n", "neutral", "neutral"),
    "dev_mismatched.tsv": MNLI_HEAD + mnli_row(0, "mm", "n", "x", "contradiction"),
    "test_matched.tsv": MNLI_TEST + mnli_row(9, "t", "u"),
    "test_mismatched.tsv": MNLI_TEST + mnli_row(8, "v", "w"),
}
_STSB = "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2"
STSB = {
    "train.tsv": f"{_STSB}\tscore\n0\tcaptions\tMSRvid\t2012\t1\tnone\tnone\tA plane.\tAn air plane.\t5.000\n",
    "dev.tsv": f"{_STSB}\tscore\n0\tcaptions\tMSRvid\t2012\t1\tnone\tnone\tA hat.\tA dog.\t0.25\n",
    "test.tsv": f"{_STSB}\n0\tcaptions\tMSRvid\t2012\t1\tnone\tnone\tA girl.\tA girl.\n",
}
RELEASE = "text_a\ttext_b\tlabel\nA b\tC d\t2\nE\tF\t0\n"


def test_sst2(tmp_path: Path) -> None:
    found = prepare("sst2", write(tmp_path / "in", SST2), tmp_path / "out")
    assert found == {
        "train": [Record("0", text="hide new secretions", label="negative"),
                  Record("1", text='a "gorgeous film', label="positive")],
        "dev": [Record("0", text="it 's a charming journey .", label="positive")],
        "test": [Record("0", text="uneasy mishmash"), Record("1", text="no answers")],
    }  # fmt: skip
    assert TaskData(tmp_path / "out").labels == ("negative", "positive")


def test_case_can_be_kept(tmp_path: Path) -> None:
    found = prepare("sst2", write(tmp_path / "in", SST2), tmp_path / "out", "--no-lowercase")
    assert found["train"][0].text == "Hide new secretions"


def test_cola(tmp_path: Path) -> None:
    found = prepare("cola", write(tmp_path / "in", COLA), tmp_path / "out")
    assert [(one.id, one.text, one.label) for one in found["train"]] == [
        ("0", "our friends won't buy this.", "acceptable"), ("1", "them won't.", "unacceptable")]  # fmt: skip
    assert found["test"] == [Record("0", text="bill whistled past.")]


def test_mnli(tmp_path: Path) -> None:
    found = prepare("mnli", write(tmp_path / "in", MNLI), tmp_path / "out")
    assert list(found) == ["dev_m", "dev_mm", "test_m", "test_mm", "train"]
    assert found["train"] == [Record("0", text="a man.", text_b="a person.", label="entailment")]
    assert (found["dev_m"][0].label, found["dev_mm"][0].label) == ("neutral", "contradiction")
    assert found["test_m"] == [Record("9", text="t", text_b="u")]


def test_stsb(tmp_path: Path) -> None:
    found = prepare("stsb", write(tmp_path / "in", STSB), tmp_path / "out")
    assert found["train"] == [Record("0", text="a plane.", text_b="an air plane.", label=5.0)]
    assert found["dev"][0].label == 0.25 and found["test"][0].label is None


def test_packed_files(tmp_path: Path) -> None:
    packed = {f"{name}.gz": gzip.compress(content.encode()) for name, content in SST2.items()}
    assert len(prepare("sst2", write(tmp_path / "in", packed), tmp_path / "out")["train"]) == 2


def test_release_mnli_has_folders(tmp_path: Path) -> None:
    files = dict.fromkeys(("train.tsv", "m/dev.tsv", "m/test.tsv", "mm/dev.tsv", "mm/test.tsv"), RELEASE)
    found = prepare("mnli", write(tmp_path / "in", files), tmp_path / "out")  # its layout is told by the columns
    assert found["dev_mm"] == [Record("0", text="a b", text_b="c d", label="neutral"),
                               Record("1", text="e", text_b="f", label="contradiction")]  # fmt: skip
    assert [one.label for one in found["test_m"]] == [None, None], "a dummy label of a test split was believed"


def test_release_of_one_text_and_of_a_number(tmp_path: Path) -> None:
    single = write(tmp_path / "a", {"train.tsv": "text_a\tlabel\tqid\nGood film\t1\t7\n"})
    assert prepare("sst2", single, tmp_path / "b") == {"train": [Record("0", text="good film", label="positive")]}
    pairs = write(tmp_path / "c", {"train.tsv": "text_a\ttext_b\tlabel\nx\ty\t3.2\n"})
    assert prepare("stsb", pairs, tmp_path / "d")["train"] == [Record("0", text="x", text_b="y", label=3.2)]


@pytest.mark.parametrize(("task", "table", "fault"), [
    ("sst2", "sentence\tlabel\nfine\t1\nbad\t2\n", r"train.tsv:3: label is '2'; 0 \(negative\) or 1 \(positive\)"),
    ("sst2", "sentence\tlabel\nfine\t1\n \t1\n", "train.tsv:3: sentence is empty"),
    ("sst2", "sentence\tlabel\nfine\n", "train.tsv:2: the row has 1 fields, 2 are wanted"),
    ("sst2", "sentence\tlabel\na\tb\t1\n", "train.tsv:2: the row has 3 fields, 2 are wanted"),
    ("sst2", "phrase\tlabel\nfine\t1\n", "train.tsv:1: there is no column 'sentence', only 'phrase', 'label'"),
    ("sst2", "", "train.tsv:1: there is no column 'sentence'"),
    ("sst2", b"sentence\tlabel\nna\xefve\t1\n", r"train.tsv:2: byte 2 \(0xef\) is not UTF-8"),
    ("stsb", "sentence1\tsentence2\tscore\na\tb\tnan\n", "train.tsv:2: score is 'nan'; a number is wanted"),
    ("mnli", MNLI_HEAD + mnli_row(0, "a", "b", "x", "-"), "train.tsv:2: gold_label is '-'; contradiction, entailment"),
    ("cola", "gj04\t1\tno mark\n", "train.tsv:1: the row has 3 fields, 4 are wanted"),
    ("sst2", "text_a\tlabel\ttext_c\na\t1\tb\n", "train.tsv:1: column 'text_c' is unknown; label, qid, text_a may"),
    ("sst2", "text_a\ttext_b\tlabel\na\tb\t1\n", "train.tsv:1: column 'text_b' is unknown"),
    ("mnli", "text_a\tlabel\na\t1\n", "train.tsv:1: there is no column 'text_b'"),
])  # fmt: skip
def test_malformed_tables(tmp_path: Path, task: str, table: str | bytes, fault: str) -> None:
    with pytest.raises(UserError, match=fault):
        prepare(task, write(tmp_path / "in", {"train.tsv": table}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_all_faults_are_told_at_once_and_can_be_left_out(tmp_path: Path, capsys) -> None:
    source = write(tmp_path / "in", {"train.tsv": "sentence\tlabel\nfine\t1\nbad\t2\nshort\ngood\t0\n"})
    with pytest.raises(UserError, match=r"2 records are faulty(.|\n)*tsv:3: (.|\n)*tsv:4: "):
        prepare("sst2", source, tmp_path / "out")
    found = prepare("sst2", source, tmp_path / "out", "--skip-faulty")
    assert [one.id for one in found["train"]] == ["0", "3"]
    assert "2 faulty records were left out" in capsys.readouterr().out


def test_a_folder_without_the_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds none of train.tsv, dev.tsv, test.tsv"):
        prepare("sst2", write(tmp_path / "in", {"other.txt": ""}), tmp_path / "out")
