"""The corpus folder: what comes back, what a kill leaves, what damage is told."""

import hashlib
import json
import multiprocessing
import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest

from unimo_paddle.corpus import Corpus, CorpusWriter, Image, Pair, Text
from unimo_paddle.errors import UserError

PAIRS = [Pair(f"p{i}", f"i{i // 3}", f"caption {i} ✓ 猫") for i in range(25)]


def write(path: Path, records: list, source: str = "a", fingerprint: str = "f", rows: int = 10) -> None:
    with CorpusWriter(path, source, fingerprint, rows_per_shard=rows) as writer:
        for split, record in records:
            writer.add(split, record)


def contents(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(path.iterdir())}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    write(tmp_path / "c", [("train", pair) for pair in PAIRS] + [("dev", PAIRS[0]), ("dev", Text("t", "a\nb"))])
    return tmp_path / "c"


def test_records_come_back_over_shard_borders_by_any_index(corpus: Path) -> None:
    opened = Corpus(corpus)
    train = opened.pairs("train")
    assert opened.splits == ("train", "dev")
    assert [shard.rows for shard in train.shards] == [10, 10, 5]
    assert list(train) == PAIRS
    assert train[np.int64(10)] == PAIRS[10] and train[-1] == PAIRS[24] and train[8:12] == PAIRS[8:12]
    assert train.column("caption") == [pair.caption for pair in PAIRS]
    assert list(opened.texts("dev")) == [Text("t", "a\nb")]
    assert len(opened.texts("train")) == 0
    for wrong in (25, -26):
        with pytest.raises(IndexError):
            train[wrong]
    with pytest.raises(UserError, match="no split 'test'; it has train, dev"):
        opened.pairs("test")


def test_manifest_counts_and_checksums_are_those_of_the_files(corpus: Path) -> None:
    manifest = json.loads((corpus / "corpus.json").read_text())
    assert manifest["schema"] == 2
    assert manifest["counts"] == {"train": {"pairs": 25}, "dev": {"pairs": 1, "texts": 1}}
    for shard in manifest["shards"]:
        data = (corpus / shard["file"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (shard["bytes"], shard["sha256"])
    assert Corpus(corpus).verify() == []


def test_images_move_with_the_corpus_when_they_lie_beside_it(tmp_path: Path) -> None:
    outside = tmp_path.parent / "far" / "b.jpg"
    write(tmp_path / "world" / "c", [("train", Image("a", tmp_path / "world" / "img" / "a.jpg", 3, 2)),
                                     ("train", Image("b", outside, 3, 2))])
    (tmp_path / "world").rename(tmp_path / "moved")
    images = Corpus(tmp_path / "moved" / "c").images("train")
    assert images[0] == Image("a", tmp_path / "moved" / "img" / "a.jpg", 3, 2)
    assert images[1].path == outside


def test_long_texts_close_a_shard_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unimo_paddle.corpus.CHARACTERS_PER_SHARD", 100)
    write(tmp_path, [("train", Text(str(i), "x" * 40)) for i in range(7)], rows=1000)
    assert [shard.rows for shard in Corpus(tmp_path).texts("train").shards] == [3, 3, 1]


def test_interrupted_run_goes_on_to_the_same_bytes(corpus: Path, tmp_path: Path) -> None:
    records = [("train", pair) for pair in PAIRS] + [("dev", PAIRS[0]), ("dev", Text("t", "a\nb"))]
    half = tmp_path / "half"
    with pytest.raises(RuntimeError), CorpusWriter(half, "a", "f", rows_per_shard=10) as writer:
        for split, record in records[:17]:
            writer.add(split, record)
        raise RuntimeError("killed")
    with pytest.raises(UserError, match="ingest of 'a' was interrupted; run the same command again"):
        Corpus(half)
    (half / ".tmp-pairs-train-00001.arrow-xyz").write_bytes(b"cut")     # killed while writing
    (half / "pairs-train-00001.arrow").write_bytes(b"not in the manifest")   # killed before the manifest
    first = (half / "pairs-train-00000.arrow").stat().st_mtime_ns
    write(half, records)
    assert contents(half) == contents(corpus)
    assert (half / "pairs-train-00000.arrow").stat().st_mtime_ns == first   # kept, not written again


def _write_slowly(path: Path) -> None:
    with CorpusWriter(path, "a", "f", rows_per_shard=5) as writer:
        for number, pair in enumerate(PAIRS):
            writer.add("train", pair)
            if number == 12:
                os.kill(os.getpid(), signal.SIGKILL)


def test_kill_9_loses_nothing_and_frees_the_lock(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=_write_slowly, args=(tmp_path / "k",))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert len(list((tmp_path / "k").glob("pairs-*.arrow"))) == 2
    write(tmp_path / "k", [("train", pair) for pair in PAIRS], rows=5)
    assert list(Corpus(tmp_path / "k").pairs("train")) == PAIRS


def test_second_source_is_added_and_a_changed_one_refused(corpus: Path) -> None:
    more = [("train", Pair("q", "i", "more"))]
    write(corpus, more, source="b")
    assert list(Corpus(corpus).pairs("train")) == [*PAIRS, more[0][1]]
    before = contents(corpus)
    write(corpus, [], source="b")   # complete already: nothing happens
    assert contents(corpus) == before
    with pytest.raises(UserError, match="holds another source 'b' already"):
        CorpusWriter(corpus, "b", "other contents")
    with CorpusWriter(corpus, "c", "f") as writer:
        assert set(writer.other_ids("pairs")) == {"q", *(pair.id for pair in PAIRS)}


def test_unfinished_source_with_another_content_starts_over(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), CorpusWriter(tmp_path, "a", "old", rows_per_shard=2) as writer:
        for pair in PAIRS[:9]:
            writer.add("train", pair)
        raise RuntimeError
    write(tmp_path, [("train", PAIRS[20])], fingerprint="new")
    assert list(Corpus(tmp_path).pairs("train")) == [PAIRS[20]]
    assert len(list(tmp_path.glob("*.arrow"))) == 1


def test_abandon_leaves_the_other_sources_alone(corpus: Path) -> None:
    before = contents(corpus)
    with pytest.raises(RuntimeError), CorpusWriter(corpus, "b", "f", rows_per_shard=1) as writer:
        writer.add("train", Pair("q", "i", "bad"))
        writer.abandon()
        raise RuntimeError
    assert contents(corpus) == before


def test_two_writers_at_once_are_refused(corpus: Path) -> None:
    with CorpusWriter(corpus, "b", "f"), pytest.raises(UserError, match="another process is writing"):
        CorpusWriter(corpus, "c", "f")
    CorpusWriter(corpus, "b", "f").__exit__(None, None, None)


def test_missing_and_cut_shards_are_all_named_on_opening(corpus: Path) -> None:
    (corpus / "pairs-train-00000.arrow").unlink()
    cut = corpus / "pairs-train-00002.arrow"
    cut.write_bytes(cut.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"00000\.arrow is missing\n.*00002\.arrow is cut or grown: \d+ bytes"):
        Corpus(corpus)


def test_a_flipped_bit_is_found_on_first_use_and_by_verify(corpus: Path) -> None:
    damaged = corpus / "pairs-train-00001.arrow"
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.write_bytes(data)
    opened = Corpus(corpus)
    assert opened.pairs("train")[9] == PAIRS[9]
    with pytest.raises(UserError, match=r"00001\.arrow is damaged"):
        opened.pairs("train")[10]
    assert [fault for fault in opened.verify() if "00001.arrow" in fault] == opened.verify() != []


@pytest.mark.parametrize(("text", "message"), [
    (None, "is no corpus: it has no corpus.json"),
    ("{", "is not JSON"),
    ("[]", "schema is None, this version reads 2"),
    ('{"schema": 1}', "schema is 1, this version reads 2; make the corpus anew, in another folder, with: tools/prep"),
    ('{"schema": 3}', "schema is 3, this version reads 2"),
    ('{"schema": 2, "shards": [{"file": "x"}], "sources": {}}', "is not a corpus manifest"),
    ('{"schema": 2, "shards": 3, "sources": {}}', "is not a corpus manifest"),
])
def test_bad_manifests_are_refused(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "corpus.json").write_text(text)
    with pytest.raises(UserError, match=message):
        Corpus(tmp_path)


@pytest.mark.parametrize(("key", "value", "message"), [
    ("split", 7, "shards[1].split is 7, not letters, digits, _ . -"),
    ("split", "../x", "shards[1].split is '../x', not letters"),
    ("rows", -3, "shards[1].rows is -3, not a number from 0 up"),
    ("rows", True, "shards[1].rows is True, not a number"),
    ("bytes", "3", "shards[1].bytes is '3', not a number"),
    ("file", "../x", "shards[1].file is '../x', not the name of a shard in this folder"),
    ("file", "pairs-/../../x-00000.arrow", "shards[1].file is 'pairs-/.."),
    ("collection", ["pairs"], "shards[1].collection is ['pairs'], not one of texts, images, pairs"),
    ("sha256", "abc", "shards[1].sha256 is 'abc', not 64 hexadecimal digits"),
    ("counts", {"a": None}, "shards[1].counts is {'a': None}, not an object of numbers"),
    ("color", 1, "shards[1].color is no key that this version knows"),
])
def test_a_manifest_changed_by_hand_names_shard_and_key(corpus: Path, key: str, value: object, message: str) -> None:
    manifest = json.loads((corpus / "corpus.json").read_text())
    manifest["shards"][1][key] = value
    (corpus / "corpus.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=r"corpus\.json is not a corpus manifest:\n  " + re.escape(message)) as caught:
        Corpus(corpus)
    assert str(caught.value).endswith("make the corpus anew with: tools/prepare.py ingest")


def test_faults_of_a_manifest_are_told_together(corpus: Path) -> None:
    manifest = json.loads((corpus / "corpus.json").read_text())
    del manifest["shards"][0]["rows"]
    manifest["shards"][2] = 5
    manifest["sources"] = {"a": {"fingerprint": "f", "complete": "yes"}}
    (corpus / "corpus.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=r"shards\[0\]\.rows is missing\n  shards\[2\] is 5, not an object\n"):
        Corpus(corpus)
    manifest["shards"] = []
    (corpus / "corpus.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=r"sources\['a'\]\.complete is 'yes', not true or false"):
        Corpus(corpus)
    (corpus / "corpus.json").write_text(json.dumps(manifest | {"shards": [{}] * 10}))   # 7 keys are missing in each
    with pytest.raises(UserError, match=r"shards\[2\]\.sha256 is missing\n  and 50 more\n") as caught:
        Corpus(corpus)
    assert "__init__" not in str(caught.value)


@pytest.mark.parametrize(("key", "value", "message"), [
    ("rows", 30, r"00001\.arrow has 10 rows, but `rows` of this shard in corpus\.json is 30"),
    ("rows", 2, r"00001\.arrow has 10 rows, but `rows` of this shard in corpus\.json is 2"),
    ("collection", "texts", r"has the columns id, image_id, caption, but `collection` of this shard .* is texts"),
])
def test_a_shard_that_the_manifest_describes_wrongly(corpus: Path, key: str, value: object, message: str) -> None:
    manifest = json.loads((corpus / "corpus.json").read_text())
    assert manifest["shards"][1]["file"] == "pairs-train-00001.arrow"
    manifest["shards"][1][key] = value
    (corpus / "corpus.json").write_text(json.dumps(manifest))
    opened = Corpus(corpus)
    with pytest.raises(UserError, match=message):
        list(opened.texts("train") if key == "collection" else opened.pairs("train"))
    assert re.search(message, "\n".join(opened.verify()))


@pytest.mark.parametrize(("line", "message"), [
    (b"junk{\n", r"corpus\.journal: line 2 is not JSON: b'junk\{"),
    (b"\xff\n", r"corpus\.journal: line 2 is not JSON"),
    (b"[" * 100_000 + b"\n", r"corpus\.journal: line 2 is not JSON"),
    (b"3\n", r"corpus\.journal is damaged:\n  line 2 is 3, not an object\n"),
    (b'{"file": "../x"}\n', r"line 2\.rows is missing\n(.*\n)*  line 2\.file is '\.\./x', not the name of a shard"),
])
def test_a_damaged_journal_is_named_and_its_removal_helps(tmp_path: Path, line: bytes, message: str) -> None:
    records = [("train", pair) for pair in PAIRS]
    with pytest.raises(RuntimeError), CorpusWriter(tmp_path, "a", "f", rows_per_shard=10) as writer:
        for split, record in records[:12]:
            writer.add(split, record)
        raise RuntimeError("killed")
    with (tmp_path / "corpus.journal").open("ab") as file:
        file.write(line)
    with pytest.raises(UserError, match=message) as caught:
        write(tmp_path, records)
    assert str(caught.value).endswith("remove this file and run the same command again; what it lists is made once "
                                      "more")
    (tmp_path / "corpus.journal").unlink()
    write(tmp_path, records)
    assert list(Corpus(tmp_path).pairs("train")) == PAIRS


def test_a_corpus_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "c"):
        with pytest.raises(UserError, match=f"the corpus {path} is or lies below a file; name a folder"):
            CorpusWriter(path, "a", "f")


def test_the_systems_refusal_is_an_os_error(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    before = contents(corpus)
    writer = CorpusWriter(corpus, "b", "f", rows_per_shard=2)
    writer.add("train", PAIRS[0])
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        writer.add("train", PAIRS[1])
    monkeypatch.undo()
    writer.abandon()
    writer.__exit__(OSError, None, None)
    assert contents(corpus) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_permission(corpus: Path) -> None:
    corpus.chmod(0o500)
    try:
        with pytest.raises(PermissionError):
            CorpusWriter(corpus, "b", "f")
    finally:
        corpus.chmod(0o700)
