"""CNN/DailyMail and Gigaword in each layout, and files that do not belong together."""

import gzip
import json
import struct
from pathlib import Path

import pytest

from tests.prepare.tasks.task_folder import prepare, write
from unimo_paddle.errors import UserError
from unimo_paddle.records import Record

LINES = {"train.source": "A  cat sat.\nDogs bark.\n", "train.target": "Cat sat\nBark\n",
         "val.source": "x\n", "val.target": "y\n"}  # fmt: skip


def test_files_line_by_line(tmp_path: Path) -> None:
    found = prepare("cnndm", write(tmp_path / "in", LINES), tmp_path / "out")
    assert found == {
        "train": [Record("0", text="a cat sat.", target="cat sat"), Record("1", text="dogs bark.", target="bark")],
        "dev": [Record("0", text="x", target="y")],
    }


def test_marked_sentences_are_lines_of_the_reference(tmp_path: Path) -> None:
    files = {"test.txt.src": "An article .\n", "test.txt.tgt.tagged": "<t> One . </t> <t> Two . </t>\n"}
    found = prepare("cnndm", write(tmp_path / "in", files), tmp_path / "out")
    assert found["test"] == [Record("0", text="an article .", target="one . two .", references=("one .\ntwo .",))]


def test_gigawords_archive(tmp_path: Path) -> None:
    files = {
        "train/train.article.txt.gz": gzip.compress(b"us stocks fell\nrain\n"),
        "train/train.title.txt.gz": gzip.compress(b"stocks fall\nit rains\n"),
        "train/valid.article.filter.txt": "d\n", "train/valid.title.filter.txt": "e\n",
        "Giga/input.txt": "japan 's\n", "Giga/task1_ref0.txt": "japan\n", "Giga/task1_ref1.txt": "in japan\n",
    }  # fmt: skip
    found = prepare("gigaword", write(tmp_path / "in", files), tmp_path / "out")
    assert {split: len(records) for split, records in found.items()} == {"train": 2, "dev": 1, "test": 1}
    assert found["test"] == [Record("0", text="japan 's", target="japan", references=("japan", "in japan"))]


def test_a_file_an_article(tmp_path: Path) -> None:
    article = {"id": "h", "article": ["One .", "Two ."], "abstract": ["Short .", "And sweet ."]}
    files = {f"val/{number}.json": json.dumps(article | {"id": str(number)}) for number in (0, 2, 10)}
    found = prepare("cnndm", write(tmp_path / "in", files), tmp_path / "out")
    assert [one.id for one in found["dev"]] == ["0", "1", "2"]
    assert found["dev"][0].text == "one . two ." and found["dev"][0].references == ("short .\nand sweet .",)


def packed(number: int, content: bytes) -> bytes:
    """A member of a protobuf message: tag, length, bytes."""
    size, length = len(content), b""
    while size > 0x7F:
        length, size = length + bytes([size & 0x7F | 0x80]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def example(**features: bytes) -> bytes:
    entries = [packed(1, packed(1, name.encode()) + packed(2, packed(1, packed(1, value))))
               for name, value in features.items()]  # fmt: skip
    message = packed(1, b"".join(entries))
    return struct.pack("<q", len(message)) + message


def test_finished_files(tmp_path: Path) -> None:
    long = b"word " * 100
    files: dict[str, str | bytes] = {
        "train.bin": example(article=long, abstract=b"<s> Fine . </s> <s> Good . </s>", id=b"1"),
        "chunked/test_000.bin": example(article=b"a", abstract=b"<s> b </s>"),
        "chunked/test_001.bin": example(article=b"c", abstract=b"<s> d </s>"),
    }
    found = prepare("cnndm", write(tmp_path / "in", files), tmp_path / "out")
    assert found["train"] == [Record("0", text=long.decode().strip(), target="fine . good .",
                                     references=("fine .\ngood .",))]  # fmt: skip
    assert [(one.id, one.text, one.target) for one in found["test"]] == [("0", "a", "b"), ("1", "c", "d")]


@pytest.mark.parametrize(("files", "fault"), [
    ({"train.source": "a\nb\n", "train.target": "c\n"}, "train.target:2: the line is empty or absent"),
    ({"train.source": "a\n", "train.target": "c\nd\n"}, "train.source:2: the line is empty or absent"),
    ({"train.source": "a\nb\n", "train.target": "c\n \n"}, "train.target:2: the line is empty or absent"),
    ({"train.source": b"a\n\xff\n", "train.target": "c\nd\n"}, "train.source:2: byte 0 .0xff. is not UTF-8"),
    ({"train.source": "a\n", "train.target": "<t> </t>\n"}, "train.source:1: the summary is empty"),
    ({"train.source": "a\n"}, "train.source has no train.target beside it"),
    ({"Giga/input.txt": "a\n"}, "input.txt has no task1_ref0.txt beside it"),
    ({"train/0.json": '{"article": ["a"]}'}, "0.json: abstract is no list of sentences"),
    ({"train.bin": example(article=b"a")}, "example 0: there is no 'abstract', only article"),
    ({"train.bin": example(article=b"a", abstract=b"\xff")}, "example 0: abstract: byte 0 is not UTF-8"),
    ({"train.bin": example(article=b"", abstract=b"a")}, "example 0: the text is empty"),
    ({"train.bin": example(article=b"a", abstract=b"b")[:-1]}, "example 0: the file is cut here"),
    ({"train.bin": struct.pack("<q", 3) + b"\x0a\x7f\x00"}, "example 0: this is no TensorFlow example"),
    ({"train.bin": b"abc"}, "example 0: the file is cut here"),
    ({"train.csv": "a\n"}, "holds no train.source and train.target, nor the like"),
])  # fmt: skip
def test_files_that_do_not_fit(tmp_path: Path, files: dict[str, str | bytes], fault: str) -> None:
    with pytest.raises(UserError, match=fault):
        prepare("cnndm", write(tmp_path / "in", files), tmp_path / "out")
