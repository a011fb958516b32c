"""Rewriting a whole corpus: what is stored, going on after a kill, the same bytes for any engine, refusals."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from unimo_paddle.config import CorpusPlan
from unimo_paddle.config.corpus import NegativeSettings, PositiveSettings
from unimo_paddle.corpus import Corpus, CorpusWriter, Pair
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.rewriting import run
from unimo_paddle.prepare.rewriting.english import normalise
from unimo_paddle.prepare.rewriting.wordnet import FOLDER
from unimo_paddle.prepare.validation import validate
from unimo_paddle.regions import Regions, RegionStoreWriter, StoreMeta
from unimo_paddle.workers.engine import Engine

pytestmark = pytest.mark.skipif(not (FOLDER / "data.noun").is_file(), reason="WordNet is not installed")

NOUNS, WORDS = ["dog", "cat", "sheep", "owl", "apple", "tractor", "guitar", "boat"], ["red", "green", "small"]
PLAN = CorpusPlan(positives=PositiveSettings(count=2, translators=()), negatives=NegativeSettings(4, 3, 3), seed=3)
HERE = Engine(workers=1)


def make(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    with CorpusWriter(folder, "s", "f", rows_per_shard=40) as writer:
        for image in range(40):
            first, second = rng.choice(NOUNS, 2, replace=False)
            for number, caption in enumerate((f"A {rng.choice(WORDS)} {first} above a {second}.",
                                              f"{'An' if first[0] in 'ao' else 'A'} {first} in the picture.")):
                writer.add("train", Pair(f"p{image}-{number}", f"i{image}", caption))
        writer.add("dev", Pair("d", "x", "A dog"))
    return folder


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return make(tmp_path / "c")


def rewrite(corpus: Path, plan: CorpusPlan = PLAN, engine: Engine = HERE, **rest: object) -> dict[str, dict[str, int]]:
    return run.rewrite(corpus, plan, engine, splits=["train"], **rest)  # type: ignore[arg-type]


def test_every_pair_gets_what_was_asked(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    totals = rewrite(corpus)["train"]
    opened = Corpus(corpus)
    pairs, rows = list(opened.pairs("train")), list(opened.rewrites("train"))
    for pair, row in zip(pairs, rows, strict=True):
        own = {normalise(other.caption) for other in pairs if other.image_id == pair.image_id}
        texts = [normalise(negative.text) for negative in row.negatives]
        assert len(set(texts)) == len(texts) == 10, pair
        assert own.isdisjoint(texts)
        assert {normalise(text) for text in row.positives} == own - {normalise(pair.caption)}
        assert row.origins == ("caption",)
    assert totals["with all negatives"] == totals["with a positive"] == 80
    assert sum(totals[level] for level in run.LEVELS) == 800
    assert "100.0 % of the pairs have all the negatives" in capsys.readouterr().out
    assert validate(corpus).is_clean


def test_levels_and_quotas_are_kept(corpus: Path) -> None:
    rewrite(corpus, levels=["word"])
    levels = {negative.level for row in Corpus(corpus).rewrites("train") for negative in row.negatives}
    assert levels == {"word"}
    assert all(len(row.negatives) <= 3 for row in Corpus(corpus).rewrites("train"))


def test_another_seed_gives_other_negatives_and_the_same_seed_the_same(corpus: Path, tmp_path: Path) -> None:
    rewrite(corpus)
    first = list(Corpus(corpus).rewrites("train"))
    rewrite(make(tmp_path / "again"))
    assert list(Corpus(tmp_path / "again").rewrites("train")) == first
    rewrite(corpus, dataclasses.replace(PLAN, seed=4))
    assert list(Corpus(corpus).rewrites("train")) != first


def test_only_what_the_settings_change_is_made_again(corpus: Path) -> None:
    def made() -> dict[str, str]:
        return {shard.collection: shard.sha256 for shard in Corpus(corpus).manifest.shards
                if shard.split == "train"}

    rewrite(corpus)
    before = {path: path.stat().st_mtime_ns for path in corpus.glob("graphs-*.arrow")}
    collections = made()
    rewrite(corpus, dataclasses.replace(PLAN, negatives=NegativeSettings(4, 3, 5)))
    assert {path: path.stat().st_mtime_ns for path in corpus.glob("graphs-*.arrow")} == before
    assert made()["rewrites"] != collections["rewrites"]


@pytest.mark.slow
def test_two_workers_give_the_bytes_of_one(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unimo_paddle.corpus_derived.DERIVED_ROWS", 30)
    rewrite(corpus)
    rewrite(make(tmp_path / "two"), engine=Engine(workers=2))
    files = {path.name: path.read_bytes() for path in corpus.glob("*.arrow")}
    assert {path.name: path.read_bytes() for path in (tmp_path / "two").glob("*.arrow")} == files


def test_what_a_detector_sees_is_never_brought_in(corpus: Path, tmp_path: Path) -> None:
    meta = StoreMeta("f", 4, ("__background__", *NOUNS), 9, "d")
    probs = np.zeros((1, 9), np.float32)
    probs[0, 1 + NOUNS.index("tractor")] = 1.0
    regions = Regions(np.zeros((1, 4), np.float32), np.array([[0, 0, 9, 9]], np.float32), probs, 20, 20)
    with RegionStoreWriter(tmp_path / "store", meta, 50) as writer:
        for image in range(40):
            writer.append(f"i{image}", regions)
    rewrite(corpus, store=tmp_path / "store", levels=["word", "phrase"])
    for pair, row in zip(Corpus(corpus).pairs("train"), Corpus(corpus).rewrites("train"), strict=True):
        new = [negative for negative in row.negatives if "-> tractor" in negative.change]
        assert "tractor" in pair.caption or not new, pair


def test_similar_captions_name_something_that_the_image_lacks(corpus: Path) -> None:
    rewrite(corpus, levels=["sentence"])
    pairs = list(Corpus(corpus).pairs("train"))
    for pair, row in zip(pairs, Corpus(corpus).rewrites("train"), strict=True):
        own = " ".join(other.caption for other in pairs if other.image_id == pair.image_id)
        for negative in row.negatives:
            assert any(noun in negative.text and noun not in own for noun in NOUNS), (pair, negative)


def test_a_caption_that_is_none_any_more_gets_similar_captions_alone(corpus: Path,
                                                                     capsys: pytest.CaptureFixture[str]) -> None:
    with CorpusWriter(corpus, "long", "f") as writer:
        writer.add("train", Pair("long", "ilong", "a dog above a cat and " * 2000))
    rewrite(corpus)
    row = list(Corpus(corpus).rewrites("train"))[-1]
    assert {negative.level for negative in row.negatives} == {"sentence"}
    assert "1 captions have more than 100 words" in capsys.readouterr().out


def test_regions_that_lack_images_are_refused(corpus: Path, tmp_path: Path) -> None:
    with RegionStoreWriter(tmp_path / "store", StoreMeta("f", 4, ("__background__", *NOUNS), 9, "d"), 50):
        pass
    with pytest.raises(UserError, match=r"40 of 40 images of split 'train' have no regions in .*, the first 'i0'"):
        rewrite(corpus, store=tmp_path / "store")


@pytest.mark.parametrize(("change", "fault"), [
    ({"levels": ["phrases"]}, "level 'phrases' is not one of sentence, phrase, word"),
    ({"plan": dataclasses.replace(PLAN, negatives=NegativeSettings(4, 3, 0)), "levels": ["word"]},
     "have quotas of 0; raise negatives.word"),
    ({"store": Path("nowhere")}, "nowhere is no region store"),
    ({"plan": dataclasses.replace(PLAN, positives=PositiveSettings(translators=("google:fr",)))}, "google:fr"),
    ({"translations": Path("nowhere.jsonl")}, "nowhere.jsonl does not exist; a file of translations is wanted"),
])  # fmt: skip
def test_a_wrong_request_is_refused(corpus: Path, change: dict[str, object], fault: str) -> None:
    with pytest.raises(UserError) as error:
        rewrite(corpus, **change)  # type: ignore[arg-type]
    assert fault in str(error.value)


def test_a_split_without_pairs_is_refused(corpus: Path) -> None:
    with pytest.raises(UserError, match="has no split 'tst'"):
        run.rewrite(corpus, PLAN, HERE, splits=["tst"])
