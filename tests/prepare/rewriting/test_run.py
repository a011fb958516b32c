"""Rewriting a whole corpus: what is stored, resuming, refusing."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from unimo_paddle.corpus import Corpus, CorpusWriter, Negative, Pair
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.rewriting import run
from unimo_paddle.prepare.rewriting.english import normalise
from unimo_paddle.regions import Regions, RegionStoreWriter, StoreMeta

NOUNS, WORDS = ["dog", "cat", "sheep", "owl", "apple"], ["red", "old", "small"]


@pytest.fixture
def world(tmp_path: Path) -> Path:
    for name, lines in (("objects", NOUNS), ("attributes", WORDS), ("relations", ["above", "below", "left of"])):
        (tmp_path / f"{name}_vocab.txt").write_text("\n".join(lines))
    rng = np.random.default_rng(0)
    with CorpusWriter(tmp_path / "c", "s", "f", rows_per_shard=40) as writer:
        for number in range(100):
            first, second = rng.choice(NOUNS, 2, replace=False)
            image, caption = f"i{number // 2}", f"A {rng.choice(WORDS)} {first} above a {second} {number % 7}."
            writer.add("train", Pair(f"p{number}", image, caption))
        writer.add("dev", Pair("d", "x", "A dog"))
    return tmp_path


def rewrite(world: Path, levels: tuple[str, ...] = ("sentence", "word"), store: Path | None = None,
            count: int = 6) -> dict[str, dict[str, int]]:
    return run.rewrite(world / "c", levels, world, store, count, seed=3)


def test_every_pair_gets_what_was_asked(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    totals = rewrite(world)
    corpus = Corpus(world / "c")
    pairs, rows = list(corpus.pairs("train")), list(corpus.rewrites("train"))
    for number, (pair, row) in enumerate(zip(pairs, rows, strict=True)):
        own = [other.caption for other in pairs if other.image_id == pair.image_id]
        assert row.positives == tuple(caption for caption in own if normalise(caption) != normalise(pair.caption))
        texts = [normalise(negative.text) for negative in row.negatives]
        assert 4 <= len(set(texts)) == len(texts) <= 6, number
        assert {normalise(caption) for caption in own}.isdisjoint(texts), number
    levels = Counter(negative.level for row in rows for negative in row.negatives)
    assert levels["sentence"] > 200 < levels["word"]   # shared evenly but for repetitions and poor captions
    assert totals["train"] == {**levels, "positives": sum(len(row.positives) for row in rows)}
    assert "train: 100 pairs, each with" in capsys.readouterr().out
    assert corpus.rewrites("dev")[0].positives == ()


def test_captions_that_may_be_true_of_the_image_too_are_no_negatives(world: Path) -> None:
    rewrite(world, ("sentence",), count=20)
    corpus = Corpus(world / "c")
    pairs = list(corpus.pairs("train"))
    for pair, row in zip(pairs, corpus.rewrites("train"), strict=True):
        seen = {noun for other in pairs if other.image_id == pair.image_id for noun in NOUNS if noun in other.caption}
        for negative in row.negatives:
            assert {noun for noun in NOUNS if noun in negative.text} - seen, (pair, negative)
    assert len(seen) < len(NOUNS)
    run.rewrite(world / "c", ["sentence"], None, None, 20, seed=3)   # nothing can be told without a vocabulary
    assert all(len(row.negatives) == 20 for row in Corpus(world / "c").rewrites("train"))


def test_killed_run_goes_on_to_the_same_bytes(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rewrite(world)
    wanted = {path.name: path.read_bytes() for path in (world / "c").glob("rewrites-*.arrow")}
    rewrite(world, ("word",))   # other settings replace the rewrites
    assert (world / "c/rewrites-train-00000.arrow").read_bytes() != wanted["rewrites-train-00000.arrow"]
    calls = []
    write = CorpusWriter.add_rewrites

    def die_at_second(self: CorpusWriter, *args: object) -> None:
        calls.append(args)
        if len(calls) == 2:
            raise RuntimeError("killed")
        write(self, *args)

    monkeypatch.setattr(CorpusWriter, "add_rewrites", die_at_second)
    with pytest.raises(RuntimeError):
        rewrite(world)
    monkeypatch.undo()
    first = (world / "c/rewrites-train-00000.arrow").stat().st_mtime_ns
    rewrite(world)
    assert {path.name: path.read_bytes() for path in (world / "c").glob("rewrites-*.arrow")} == wanted
    assert (world / "c/rewrites-train-00000.arrow").stat().st_mtime_ns == first
    rewrite(world)   # complete: nothing is done again
    assert (world / "c/rewrites-train-00000.arrow").stat().st_mtime_ns == first


def test_what_the_detector_saw_is_never_brought_in(world: Path) -> None:
    meta = StoreMeta("test", 2, ("__background__", *NOUNS), class_top_k=3, detector="0" * 64)
    probs = np.array([[0.1, 0, 0, 0, 0.9, 0], [0.85, 0, 0, 0.15, 0, 0]], np.float32)   # owl; a doubtful sheep
    regions = Regions(np.ones((2, 2), np.float32), np.array([[0, 0, 5, 5], [1, 1, 4, 4]], np.float32), probs, 8, 8)
    with RegionStoreWriter(world / "store", meta, images_per_shard=100) as writer:
        for number in range(50):
            writer.append(f"i{number}", regions)
    rewrite(world, ("word",), world / "store", count=20)
    changes = {negative.change for row in Corpus(world / "c").rewrites("train") for negative in row.negatives}
    assert not [change for change in changes if change.endswith("-> owl")]
    assert [change for change in changes if change.endswith("-> sheep")]


def test_the_other_level_fills_up() -> None:
    sentences = [Negative("sentence 0", "sentence", "")]
    words = [Negative(f"word {i}", "word", "") for i in range(5)]
    assert [n.text for n in run.mix([sentences, words], 4)] == ["sentence 0", "word 0", "word 1", "word 2"]
    assert run.mix([[], []], 4) == run.mix([], 4) == ()
    assert len(run.mix([sentences, [Negative("Sentence 0!", "word", "")]], 4)) == 1


def test_positives_keep_their_order_and_drop_equals() -> None:
    captions = ["A dog.", "Two dogs", "a dog", "Two  dogs!", "A puppy"]
    assert run.positives("A dog.", captions) == ("Two dogs", "A puppy")
    assert run.positives("A puppy", captions) == ("A dog.", "Two dogs")


def test_bad_requests_are_refused_together(world: Path) -> None:
    with pytest.raises(UserError, match=r"level 'phrases' is not(.|\n)*needs --vocabulary(.|\n)*is 0; 1 or more"):
        run.rewrite(world / "c", ["phrases", "word"], None, None, 0, seed=0)
    with pytest.raises(UserError, match="no split 'test'"):
        run.rewrite(world / "c", ["sentence"], None, None, 1, seed=0, splits=["test"])
    with CorpusWriter(world / "empty", "s", "f"):
        pass
    with pytest.raises(UserError, match="has no pairs; take some in"):
        run.rewrite(world / "empty", ["sentence"], None, None, 1, seed=0)
