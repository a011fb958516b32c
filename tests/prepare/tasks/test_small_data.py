"""Small real data: the scored sentences of a package, titles of Debian's packages; splits that keep groups together."""

import gzip
import io
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from unimo_paddle.errors import UserError
from unimo_paddle.prepare.command import parser
from unimo_paddle.prepare.tasks import small_sentiment, small_titles
from unimo_paddle.prepare.tasks.small_data import split_by_group
from unimo_paddle.prepare.tasks.small_sentiment import FILE, fetch, read_scores, read_sentiment
from unimo_paddle.prepare.tasks.small_titles import MOST_A_FAMILY, Description, descriptions, read_titles
from unimo_paddle.records import Record, TaskData

LINES = {"tweets_GroundTruth.txt": "1\t2.5\tGood &amp; Nice\r\n2\t-0.2\tHm.\r\n3\t-4\tBad\r\n4\t-3\tgood & nice\r\n",
         "amazonReviewSnippets_GroundTruth.txt": "7_1\t0.5\tIt \"works\".\n7_2\t-0.5\tIt\tdoes not.\n"}  # fmt: skip


def tar(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def package(path: Path, lines: dict[str, str]) -> Path:
    inside = tar({f"hutto_ICWSM_2014/{name}": text.encode() for name, text in lines.items()})
    path.write_bytes(tar({"vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz": inside,
                          "vaderSentiment-3.3.2/setup.py": b"raise SystemExit"}))  # fmt: skip
    return path


def test_scores_are_read_from_the_tar_within_the_package(tmp_path):
    assert list(read_scores(package(tmp_path / FILE, LINES), True)) == [
        ("tweets/1", Record(id="tweets/1", text="good & nice", label=2.5)),
        ("tweets/2", Record(id="tweets/2", text="hm.", label=-0.2)),
        ("tweets/3", Record(id="tweets/3", text="bad", label=-4.0)),
        ("amazonReviewSnippets/7", Record(id="amazonReviewSnippets/7_1", text='it "works".', label=0.5)),
        ("amazonReviewSnippets/7", Record(id="amazonReviewSnippets/7_2", text="it does not.", label=-0.5)),
    ]


def test_the_undecided_have_no_side(tmp_path):
    found = [record for _, record in read_sentiment(package(tmp_path / FILE, LINES), False)]
    assert [(record.text, record.label) for record in found] == [
        ("Good & Nice", "positive"), ("Bad", "negative"), ('It "works".', "positive"), ("It does not.", "negative"),
    ]  # fmt: skip


@pytest.mark.parametrize("line", ["1\tx\tGood", "1\t5\tGood", "1\tnan\tGood", "1\tGood", "Good"])
def test_a_line_without_a_score_is_named(tmp_path, line):
    path = package(tmp_path / FILE, {"tweets_GroundTruth.txt": f"1\t2\tFine\n{line}\n"})
    with pytest.raises(UserError, match=r"3.3.2.tar.gz: tweets_GroundTruth.txt:2: an id, a score from -4 to 4"):
        list(read_scores(path, True))


def test_another_file_is_refused(tmp_path):
    (tmp_path / "cut.tar.gz").write_bytes(package(tmp_path / FILE, LINES).read_bytes()[:100])
    (tmp_path / "other.tar.gz").write_bytes(tar({"a.txt": b"a"}))
    with pytest.raises(UserError, match=r"cut.tar.gz cannot be read"):
        list(read_scores(tmp_path / "cut.tar.gz", True))
    with pytest.raises(UserError, match=r"other.tar.gz holds no hutto_ICWSM_2014.tar.gz"):
        list(read_scores(tmp_path / "other.tar.gz", True))
    with pytest.raises(UserError, match=r"absent.tar.gz cannot be read"):
        list(read_scores(tmp_path / "absent.tar.gz", True))


def test_pip_fetches_the_package_once(tmp_path, monkeypatch):
    asked = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        assert "--hash=sha256:" in Path(command[-1]).read_text()
        package(Path(command[command.index("--dest") + 1]) / FILE, LINES)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(small_sentiment.subprocess, "run", run)
    assert fetch(tmp_path) == fetch(tmp_path) == tmp_path / "vader" / FILE
    assert len(asked) == 1
    assert asked[0][:4] == [sys.executable, "-m", "pip", "download"]
    assert "--require-hashes" in asked[0]
    assert list((tmp_path / "vader").iterdir()) == [tmp_path / "vader" / FILE]


def test_what_pip_complains_of_is_told_and_nothing_is_left(tmp_path, monkeypatch):
    complaint = "WARNING: x\nERROR: No matching distribution found for vaderSentiment==3.3.2\n"
    monkeypatch.setattr(small_sentiment.subprocess, "run",
                        lambda command, **_: subprocess.CompletedProcess(command, 1, "", complaint))  # fmt: skip
    with pytest.raises(UserError, match=r"vaderSentiment 3.3.2: No matching distribution .*; check the network"):
        fetch(tmp_path)
    assert list(tmp_path.iterdir()) == []


LONG = "is a program that does one thing and does it really well, which is rare"
STANZA = f"""Package: frob
Description-md5: 0
Description-en: Frobnicates files
 Frob {LONG}
 among programs.
 .
 It has a second paragraph.

Package: frob
Description-md5: 1
Description-en: Frobnicates again
 Frob of another release {LONG}

Package: short
Description-en: Too short
 Very short.

Package: bare
Description-en: Nothing but a title

Package: old
Description-en: transitional package
 Old {LONG}

Package: copy
Description-en: The same text
 Frob {LONG} among
 programs.
"""


def test_descriptions_are_split_into_paragraphs():
    first, short, *_ = descriptions(STANZA.splitlines())
    assert first == Description("frob", "Frobnicates files", (f"Frob {LONG} among programs.",
                                                            "It has a second paragraph."))  # fmt: skip
    assert short.package == "short"


def test_paragraphs_become_titles(tmp_path):
    (tmp_path / "list").write_text(STANZA)
    assert list(read_titles(tmp_path / "list", True)) == [
        ("frob is a program that", Record(id="frob", text=f"frob {LONG} among programs.", target="frobnicates files"))
    ]


def test_a_family_of_descriptions_is_cut(tmp_path):
    many = (f"Package: p{k}\nDescription-en: pack number {k}\n The language pack of {LONG}, {k}\n" for k in range(40))
    (tmp_path / "list").write_text("\n".join(many))
    found = list(read_titles(tmp_path / "list", True))
    assert len(found) == MOST_A_FAMILY
    assert {group for group, _ in found} == {"the language pack of is"}


def test_apts_lists_are_read_by_apt(tmp_path, monkeypatch):
    monkeypatch.setattr(small_titles, "LISTS", tmp_path)
    with pytest.raises(UserError, match="holds no descriptions of packages: run apt-get update"):
        list(read_titles(None, True))
    for name, text in (("a_Translation-en.lz4", STANZA), ("b_Translation-en.lz4", STANZA)):
        (tmp_path / name).write_bytes(gzip.compress(text.encode()))
    helper = tmp_path / "helper"
    helper.write_text('#!/bin/sh\ntest "$1" = cat-file && exec gzip -dc <"$2"\n')
    helper.chmod(0o755)
    monkeypatch.setattr(small_titles, "_HELPER", str(helper))
    assert [record.id for _, record in read_titles(None, True)] == ["frob"]
    helper.write_text("#!/bin/sh\necho broken >&2; exit 1\n")
    with pytest.raises(UserError, match="a_Translation-en.lz4 cannot be read: broken; run apt-get update"):
        list(read_titles(None, True))


def test_groups_stay_together_and_splits_are_the_same_on_every_run():
    def grouped() -> Iterator[tuple[str, Record]]:
        return ((f"g{k // 3}", Record(id=str(k), text="x")) for k in range(6000))

    first = [(split, record.id) for split, record in split_by_group(grouped())]
    assert first == [(split, record.id) for split, record in split_by_group(grouped())]
    assert [split for split, _ in first] == sorted((split for split, _ in first), key=["train", "dev", "test"].index)
    of_group: dict[int, set[str]] = {}
    for split, name in first:
        of_group.setdefault(int(name) // 3, set()).add(split)
    assert all(len(splits) == 1 for splits in of_group.values())
    counts = {split: sum(one == split for one, _ in first) / 6000 for split in ("train", "dev", "test")}
    assert counts == pytest.approx({"train": 0.8, "dev": 0.1, "test": 0.1}, abs=0.03)


def test_the_command_makes_a_folder_that_training_reads(tmp_path, capsys):
    lines = "".join(f"{k}\t{(-1) ** k * 2}\tSentence number {k}\n" for k in range(200))
    source = package(tmp_path / FILE, {"tweets_GroundTruth.txt": lines})
    words = ["small-task", "sentiment", "--from", str(source), "--to", str(tmp_path / "to")]
    args = parser("").parse_args(words)
    assert args.run(args) == 0
    data = TaskData(tmp_path / "to")
    assert data.task == "custom_classification"
    assert data.labels == ("negative", "positive")
    assert sum(len(data.records(split)) for split in ("train", "dev", "test")) == 200
    assert ", for custom_classification" in capsys.readouterr().out
