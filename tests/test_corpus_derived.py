"""Collections beside the pairs: what comes back, whatever the order of the work, a kill, or damage."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from unimo_paddle.corpus import Corpus, CorpusWriter, Negative, Neighbours, Pair, Paraphrases, Rewrites, Text
from unimo_paddle.corpus_derived import DerivedWriter, Slice, columns_of, read_slice_pairs, write_slice
from unimo_paddle.corpus_sources import JOURNAL
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.ingest.intake import take

PAIRS = [Pair(f"p{i}", f"i{i // 3}", f"caption {i} 猫") for i in range(25)]
ROWS = {
    "graphs": [f'{{"number":{i}}}' for i in range(25)],
    "paraphrases": [Paraphrases((f"a {i}", "b")[: i % 3], ("apertium:spa", "human:fr")[: i % 3],
                                (0.5, 0.25)[: i % 3]) for i in range(25)],
    "similar": [Neighbours((i, 2**40)[: i % 3], (0.75, 0.125)[: i % 3]) for i in range(25)],
    "rewrites": [Rewrites((f"+{i}",) * (i % 3), (Negative(f"-{i}", "word", "object: a -> b"),) * (i % 2),
                          ("caption",) * (i % 3)) for i in range(25)],
    "retrieved_images": [Neighbours((f"i{i}", "x")[: i % 3], (0.5, 0.25)[: i % 3]) for i in range(25)],
    "retrieved_texts": [Neighbours((i, 3)[: i % 3], (0.5, 0.25)[: i % 3]) for i in range(25)],
}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    add(tmp_path / "c", PAIRS)
    return tmp_path / "c"


def add(path: Path, pairs: list[Pair], source: str = "a") -> None:
    with CorpusWriter(path, source, "f", rows_per_shard=10) as writer:
        for pair in pairs:
            writer.add("train", pair)


def writer_of(path: Path, collection: str = "graphs", fingerprint: str = "f", rows: int = 4) -> DerivedWriter:
    return DerivedWriter(path, collection, "train", fingerprint, rows_per_slice=rows)


def make(part: Slice):
    rows = ROWS[part.collection][part.rows.start:part.rows.stop]
    return write_slice(part, columns_of(part.collection, rows), {"rows": len(rows)})


def write(path: Path, collection: str = "graphs", fingerprint: str = "f") -> None:
    with writer_of(path, collection, fingerprint) as writer:
        for part in writer.todo:
            writer.commit(make(part))


def contents(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(path.iterdir())}


@pytest.mark.parametrize("collection", ROWS)
def test_rows_come_back_in_the_order_of_the_pairs(corpus: Path, collection: str) -> None:
    opened = Corpus(corpus)
    assert not opened.has(collection, "train")
    command = "retrieve --corpus .* --images STORE" if collection.startswith("retrieved") else "rewrite --corpus"
    with pytest.raises(UserError, match=rf"no {collection} that belong to them; make .*tools/prepare\.py {command}"):
        getattr(opened, collection)("train")
    write(corpus, collection)
    opened = Corpus(corpus)
    records = getattr(opened, collection)("train")
    assert opened.has(collection, "train") and list(records) == ROWS[collection]
    assert records[13] == ROWS[collection][13] and records[np.int64(-1)] == ROWS[collection][24]
    assert opened.manifest.counts() == {"train": {"pairs": 25, collection: 25}}
    assert opened.verify() == []
    with pytest.raises(UserError, match="no split 'dev'"):
        opened.derived(collection, "dev")


def test_slices_cover_each_pair_once_and_cross_no_shard(corpus: Path) -> None:
    with writer_of(corpus) as writer:
        slices = writer.todo
        assert [(part.start, part.stop, part.first) for part in slices] == [
            (0, 4, 0), (4, 8, 4), (8, 10, 8), (0, 4, 10), (4, 8, 14), (8, 10, 18), (0, 4, 20), (4, 5, 24)]
        assert [len(part.rows) for part in slices] == [4, 4, 2, 4, 4, 2, 4, 1]
        assert str(slices[3]) == "graphs of pairs 10 to 13 of train"
        assert slices[3].file.startswith("graphs-train-00001-00000-")
        for part in slices:
            ids, image_ids, captions = read_slice_pairs(part)
            assert list(map(Pair, ids, image_ids, captions)) == PAIRS[part.rows.start:part.rows.stop]
        assert not writer.finished
    assert not Corpus(corpus).has("graphs", "train")   # left before the end: unfinished, not wrongly complete


def test_the_order_of_the_work_leaves_no_trace(corpus: Path, tmp_path: Path) -> None:
    add(tmp_path / "d", PAIRS)
    write(corpus)
    with writer_of(tmp_path / "d") as writer:
        todo = writer.todo
        for number in np.random.default_rng(0).permutation(len(todo)):
            writer.commit(make(todo[number]))
        assert writer.counts == {"rows": 25} and not writer.todo
    assert contents(tmp_path / "d") == contents(corpus)


def test_a_stopped_run_goes_on_and_does_nothing_twice(corpus: Path, tmp_path: Path) -> None:
    add(tmp_path / "whole", PAIRS)
    write(tmp_path / "whole")
    with pytest.raises(RuntimeError), writer_of(corpus) as writer:
        parts = writer.todo
        writer.commit(make(parts[5]))
        writer.commit(make(parts[1]))
        make(parts[2])   # written by a worker, never entered
        (corpus / f".tmp-{parts[3].file}-xyz").write_bytes(b"half")
        raise RuntimeError("killed")
    assert len(Corpus(corpus).pairs("train")) == 25   # the pairs can be read in the meantime
    with (corpus / JOURNAL).open("ab") as file:
        file.write(b'{"file": "cut by a power fail')
    kept = {parts[i].file: (corpus / parts[i].file).stat().st_mtime_ns for i in (1, 5)}
    add(corpus, [], source="empty")   # another writer in between keeps what was entered, and tidies up
    with writer_of(corpus) as writer:
        assert writer.todo == [part for part in parts if part.file not in kept]
        for part in writer.todo:
            writer.commit(make(part))
    assert {name: (corpus / name).stat().st_mtime_ns for name in kept} == kept
    assert contents(corpus).keys() == contents(tmp_path / "whole").keys()
    assert list(Corpus(corpus).graphs("train")) == ROWS["graphs"]
    before = contents(corpus)
    with writer_of(corpus) as writer:
        assert writer.finished and writer.todo == [] and writer.counts == {"rows": 25}
    assert contents(corpus) == before


def test_a_journal_that_was_taken_over_already_is_not_taken_twice(corpus: Path) -> None:
    with pytest.raises(RuntimeError), writer_of(corpus) as writer:
        writer.commit(make(writer.todo[0]))
        raise RuntimeError
    journal = (corpus / JOURNAL).read_bytes()
    with pytest.raises(RuntimeError), writer_of(corpus):
        raise RuntimeError
    assert not (corpus / JOURNAL).exists()
    (corpus / JOURNAL).write_bytes(journal)   # killed after writing the manifest, before removing the journal
    write(corpus)
    assert list(Corpus(corpus).graphs("train")) == ROWS["graphs"]


def test_other_settings_other_slices_or_other_pairs_replace_the_collection(corpus: Path) -> None:
    write(corpus)
    old = contents(corpus)
    late = writer_of(corpus, "graphs", "f")
    orphan = late.slices[0]   # of a process that outlives its run
    late.__exit__(None, None, None)
    for fingerprint, rows in (("other", 4), ("other", 5)):
        with writer_of(corpus, "graphs", fingerprint, rows) as writer:
            assert len(writer.todo) == len(writer.slices)
            for part in writer.todo:
                writer.commit(make(part))
        assert not (old.keys() & contents(corpus).keys()) - {name for name in old if name.startswith(("pairs", "corp"))}
    make(orphan)
    assert list(Corpus(corpus).graphs("train")) == ROWS["graphs"] and Corpus(corpus).verify() == []
    add(corpus, [Pair("q", "i", "later")], source="b")
    assert not (corpus / orphan.file).exists()
    with pytest.raises(UserError, match="no graphs that belong to them"):
        Corpus(corpus).graphs("train")
    with writer_of(corpus) as writer:
        assert len(writer.todo) == 9


def test_collections_do_not_disturb_each_other(corpus: Path) -> None:
    write(corpus)
    write(corpus, "rewrites")
    before = {name: data for name, data in contents(corpus).items() if name.startswith("graphs")}
    write(corpus, "rewrites", "again")
    assert before.items() <= contents(corpus).items()
    assert list(Corpus(corpus).graphs("train")) == ROWS["graphs"]
    with writer_of(corpus), pytest.raises(UserError, match="another process is writing"):
        writer_of(corpus, "similar")


def test_damage_concerns_only_who_asks_and_is_mended_by_the_same_command(corpus: Path) -> None:
    write(corpus)
    files = sorted(corpus.glob("graphs-*.arrow"))
    files[1].unlink()
    files[2].write_bytes(files[2].read_bytes()[:-1])
    opened = Corpus(corpus)
    assert opened.pairs("train")[0] == PAIRS[0]
    with pytest.raises(UserError, match=r"graphs of train are damaged; run the same tools/prepare\.py rewrite again:\n"
                                        r".* is missing\n.* is cut or grown"):
        opened.graphs("train")
    assert len(opened.verify()) == 2
    with writer_of(corpus) as writer:
        assert [part.file for part in writer.todo] == [file.name for file in files[1:3]]
        for part in writer.todo:
            writer.commit(make(part))
    data = bytearray(files[4].read_bytes())
    data[len(data) // 2] ^= 1
    files[4].write_bytes(data)
    records = Corpus(corpus).graphs("train")
    assert records[0] == ROWS["graphs"][0]
    with pytest.raises(UserError, match=r"is damaged: .*; remove it and run the same tools/prepare\.py rewrite again"):
        records[15]
    files[4].unlink()
    write(corpus)
    assert list(Corpus(corpus).graphs("train")) == ROWS["graphs"]


def test_sentences_and_what_points_at_them(corpus: Path) -> None:
    def sentences(texts: list[str]) -> None:
        with CorpusWriter(corpus, "sentences-train", str(texts), overwrite=True) as writer:
            for number, text in enumerate(texts):
                writer.add("train", Text(f"s{number}", text), "sentences")

    with pytest.raises(UserError, match=r"no sentences that belong .*prepare\.py retrieve"):
        Corpus(corpus).sentences("train")
    sentences(["one", "two"])
    write(corpus, "retrieved_texts")
    opened = Corpus(corpus)
    assert list(opened.sentences("train")) == [Text("s0", "one"), Text("s1", "two")]
    assert opened.has("sentences", "train") and opened.has("retrieved_texts", "train")
    assert len(opened.texts("train")) == 0
    sentences(["three"])   # row 1 is gone: what pointed there goes too
    assert Corpus(corpus).sentences("train")[0].text == "three"
    assert not Corpus(corpus).has("retrieved_texts", "train") and not list(corpus.glob("retrieved*"))


def test_reading_a_row_loads_no_other(corpus: Path) -> None:
    with DerivedWriter(corpus, "graphs", "train", "f") as writer:
        for part in writer.todo:
            writer.commit(write_slice(part, {"graph": ["x" * 1_000_000] * len(part.rows)}))
    graphs, before = Corpus(corpus).graphs("train"), pa.total_allocated_bytes()
    assert len(graphs[7]) == 1_000_000
    assert pa.total_allocated_bytes() - before < 1_000_000   # the map is the file's, not memory of ours


def test_what_cannot_be_written_is_refused(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no corpus"):
        writer_of(tmp_path)
    with pytest.raises(UserError, match="split 'dev' has no pairs"):
        DerivedWriter(corpus, "graphs", "dev", "f")
    with pytest.raises(UserError, match="--name graphs-x: names that begin with 'graphs-' are those of"):
        take(corpus, "graphs-x", "f", lambda intake: iter(()), 0, "line")
    with writer_of(corpus) as writer:
        part = writer.todo[0]
        with pytest.raises(AssertionError):
            write_slice(part, {"graph": ["one too few"] * 3})
        with pytest.raises(AssertionError):
            write_slice(replace(part, collection="similar"), {"rows": [[]] * 4})
        shard = make(part)
        (corpus / shard.file).unlink()
        with pytest.raises(UserError, match="is missing; the corpus folder must be on storage that all machines share"):
            writer.commit(shard)
    with pytest.raises(AssertionError):
        columns_of("similar", [Neighbours((1, 2), (0.5,))])
    (corpus / "pairs-train-00001.arrow").unlink()
    with pytest.raises(UserError, match=r"cannot be used:\n .*00001\.arrow is missing"):
        writer_of(corpus)


def test_the_journal_grows_by_a_line_a_slice_and_goes_in_the_end(corpus: Path) -> None:
    with writer_of(corpus) as writer:
        manifest = (corpus / "corpus.json").read_bytes()
        for number, part in enumerate(writer.todo, start=1):
            shard = make(part)
            writer.commit(shard)
            lines = (corpus / JOURNAL).read_text().splitlines()
            assert len(lines) == number and json.loads(lines[-1])["sha256"] == shard.sha256
        assert (corpus / "corpus.json").read_bytes() == manifest   # megabytes, for a large corpus
    assert not (corpus / JOURNAL).exists()
