"""The archives' tables of token ids: mapped through the released vocabulary, good and malformed."""

from pathlib import Path

import pytest

from tests.prepare.tasks.task_folder import prepare, write
from unimo_paddle.errors import UserError
from unimo_paddle.records import Record

VOCABULARY = "[CLS]\n[PAD]\n[SEP]\n[UNK]\n13\n262\n11\n257\n[MASK]\n"   # 13 -> 4, 262 -> 5, 11 -> 6, 257 -> 7


@pytest.fixture
def vocabulary(tmp_path: Path) -> Path:
    return write(tmp_path / "vocabulary", {"unimo_en.vocab.txt": VOCABULARY})


def test_a_summary(tmp_path: Path, vocabulary: Path) -> None:
    files = {"train.tsv": "src\ttgt\n13 262\t11\n257\t13 13\n", "dev.2k.tsv": "src\ttgt\n13\t11\n",
             "test.tsv": "tgt\tsrc\n\t257\n"}  # fmt: skip
    found = prepare("cnndm", write(tmp_path / "in", files), tmp_path / "out", "--tokenizer", vocabulary)
    assert found == {
        "train": [Record("0", text=(4, 5), target=(6,)), Record("1", text=(7,), target=(4, 4))],
        "dev": [Record("0", text=(4,), target=(6,))],
        "test": [Record("0", text=(7,))],
    }


def test_the_dev_set_that_the_release_judged_by_comes_first(tmp_path: Path, vocabulary: Path) -> None:
    files = {"dev.tsv": "src\ttgt\n13\t13\n", "dev.20k.tsv": "src\ttgt\n11\t11\n"}
    found = prepare("gigaword", write(tmp_path / "in", files), tmp_path / "out", "--tokenizer", vocabulary)
    assert found["dev"][0].text == (6,)


def test_a_separator_stays_within_a_source_that_is_no_dialogue(tmp_path: Path, vocabulary: Path) -> None:
    files = {"train.tsv": "src\ttgt\n13 [SEP] 262\t11\n"}
    found = prepare("squad_qg", write(tmp_path / "in", files), tmp_path / "out", "--tokenizer", vocabulary)
    assert found["train"][0].text == (4, 2, 5)


def test_a_dialogue(tmp_path: Path, vocabulary: Path) -> None:
    files = {"train.tsv": "src\tknowledge\ttgt\n13 262 [SEP] 11 [SEP] 257\t262 11\t13\n"}
    found = prepare("coqa", write(tmp_path / "in", files), tmp_path / "out", "--tokenizer", vocabulary)
    assert found["train"] == [Record("0", text=(5, 6), turns=((4, 5), (6,), (7,)), target=(4,))]


@pytest.mark.parametrize(("table", "fault"), [
    ("src\ttgt\n13\t11\n13\t\n", "train.tsv:3: tgt is empty"),
    ("src\ttgt\n \t11\n", "train.tsv:2: src is empty"),
    ("src\ttgt\n13 the\t11\n", "train.tsv:2: src has 'the', which is no token of the vocabulary"),
    ("src\ttgt\n13\n", "train.tsv:2: the row has 1 fields"),
    ("src\n13\n", "train.tsv:1: there is no column 'tgt'"),
    ("src\tmore\ttgt\n13\t13\t13\n", "train.tsv:1: one column beside 'tgt' and 'knowledge' .*'src', 'more'"),
    ("src\tknowledge\ttgt\n13 [SEP]  [SEP] 11\t13\t13\n", "train.tsv:2: a turn of src is empty"),
])  # fmt: skip
def test_malformed_tables(tmp_path: Path, vocabulary: Path, table: str, fault: str) -> None:
    with pytest.raises(UserError, match=fault):
        prepare("cnndm", write(tmp_path / "in", {"train.tsv": table}), tmp_path / "out", "--tokenizer", vocabulary,
                "--layout", "release")  # fmt: skip


def test_the_vocabulary_is_asked_for(tmp_path: Path) -> None:
    source = write(tmp_path / "in", {"train.tsv": "src\ttgt\n13\t11\n"})
    with pytest.raises(UserError, match="--tokenizer"):
        prepare("cnndm", source, tmp_path / "out")
    with pytest.raises(UserError, match="has neither tokenizer.json nor vocab.txt"):
        prepare("cnndm", source, tmp_path / "out", "--tokenizer", source)
