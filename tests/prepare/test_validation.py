"""Validating a corpus: a clean one, each fault on its own, and the coverage by hand."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.prepare.whole_corpus import CAPTIONS, derived, neighbours, pairs, rewrites, write_corpus, write_derived
from tests.reference import validation as reference
from unimo_paddle.corpus import Corpus, CorpusWriter, Negative, Neighbours, Pair, Paraphrases, Rewrites, Text
from unimo_paddle.corpus_derived import DerivedWriter
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.validation import ALL, Coverage, Report, validate
from unimo_paddle.prepare.validation_rows import PROBLEMS, ImageCaptions, hashed

QUOTAS = {"sentence": 2, "phrase": 2, "word": 2}


def problems(path: Path) -> dict[str, int]:
    return {kind: count for kind, count in validate(path).problems.items() if count}


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    return write_corpus(tmp_path)


def test_a_clean_corpus_has_no_problems(clean: Path) -> None:
    report = validate(clean, QUOTAS)
    assert report.is_clean and not report.problems
    assert report.counts["train"]["rewrites"] == 10
    assert report.coverage["train"].total("word") == 20 and report.coverage["train"].total(ALL) == 60
    told = list(report.lines())
    assert told[-1] == "the corpus is clean"
    assert "  all levels              60      6.00     100.0 %           100.0 % (6)" in told
    assert "             6            10   100.0 %  " + "#" * 40 in told


def test_pairs_alone_are_clean_and_have_no_coverage(tmp_path: Path) -> None:
    report = validate(write_corpus(tmp_path, {}))
    assert report.is_clean and not report.coverage and list(report.lines())[-1] == "the corpus is clean"


def first(positives: tuple[str, ...] = ("says the same",), negatives: tuple[Negative, ...] = (),
          origins: tuple[str, ...] = ()) -> list[Rewrites]:
    return [Rewrites(positives, negatives, origins), *rewrites()[1:]]


def wrong(text: str, level: str = "word") -> Negative:
    return Negative(text, level, "object: a -> b")


N, OWN, SIMILAR = len(CAPTIONS), CAPTIONS[0], derived()["similar"][1:]
FAULTS: dict[str, tuple[str, list[Any], dict[str, int]]] = {   # name -> collection, its rows, what is found
    "negative equals a positive": ("rewrites", first(("It is so.",), (wrong("it IS so"),)), {"positive": 1}),
    "negative equals the caption": ("rewrites", first(negatives=(wrong(OWN.upper()),)), {"true": 1}),
    "negative equals another caption of the image":
        ("rewrites", first(negatives=(wrong("a dog,  on a couch"),)), {"true": 1}),
    "negative equals both":
        ("rewrites", first((CAPTIONS[1],), (wrong(CAPTIONS[1]),)), {"true": 1, "positive": 1}),
    "negatives doubled":
        ("rewrites", first(negatives=(wrong("No."), wrong("no", "phrase"), wrong("no!"))), {"doubled": 2}),
    "positive equals the caption": ("rewrites", first((OWN.lower(),)), {"copy": 1}),
    "positives doubled": ("rewrites", first(("It is so.", "it is so")), {"doubled positive": 1}),
    "empty texts": ("rewrites", first((" ",), (wrong(""),)), {"empty": 2}),
    "level unknown": ("rewrites", first(negatives=(wrong("x", "letter"),)), {"level": 1}),
    "paraphrase equals the caption":
        ("paraphrases", [Paraphrases((OWN, "x"), ("a", "a"), (0.9, 0.95))] + [Paraphrases((), (), ())] * (N - 1),
         {"copy": 1, "order": 1}),
    "graph that is none": ("graphs", ["{", *derived()["graphs"][1:]], {"graph": 1}),
    "graph beyond the caption": ("graphs", derived()["graphs"][1:] + derived()["graphs"][:1], {"graph": 1}),
    "similar: own image": ("similar", [Neighbours((1, 4, 5), (0.9, 0.8, 0.7)), *SIMILAR], {"own": 1}),
    "similar: itself": ("similar", [Neighbours((0,), (1.0,)), *SIMILAR], {"own": 1}),
    "similar: out of range, twice, not in order":
        ("similar", [Neighbours((4, 4, N, -1), (0.5, 0.6, 0.7, 0.7)), *SIMILAR],
         {"range": 2, "twice": 1, "order": 1}),
    "similar: no number": ("similar", [Neighbours((4,), (float("nan"),)), *SIMILAR], {"order": 1}),
    "texts: out of range": ("retrieved_texts", neighbours([0, 25], N), {"range": N}),
    "images: own": ("retrieved_images", neighbours(["i0", "single0"], N), {"own": 2}),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_counted_where_it_is(tmp_path: Path, name: str) -> None:
    collection, rows, found = FAULTS[name]
    path = write_corpus(tmp_path, {**derived(), collection: rows})
    report = validate(path)
    assert {kind: count for kind, count in report.problems.items() if count} == found
    assert all(f"{collection} of train, pair i0:" in report.examples[kind][0] or found[kind] == N or name.startswith(
        "graph beyond") for kind in found), report.examples
    assert not report.is_clean and list(report.lines())[-1].endswith(f"problems in {path}")


def test_the_counts_are_those_of_the_definition(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    texts = [a + b + c + d
             for a in ("a ", "A  ") for b in ("dog", "cat", "Cow") for c in ("", " runs") for d in (".", "")]
    told = [(f"i{rng.integers(8)}", str(rng.choice(texts))) for _ in range(40)]
    rows = [([str(each) for each in rng.choice(texts, 3)], [str(each) for each in rng.choice(texts, 6)]) for _ in told]
    with CorpusWriter(tmp_path, "s", "1") as writer:
        for k, (image, caption) in enumerate(told):
            writer.add("train", Pair(str(k), image, caption))
    write_derived(tmp_path, "rewrites", [Rewrites(tuple(p), tuple(map(wrong, n))) for p, n in rows])
    assert problems(tmp_path) == reference.count(told, rows)


def test_captions_of_an_image_are_known_wherever_they_stand(tmp_path: Path) -> None:
    scattered = [Pair("a", "x", "A dog."), Pair("b", "y", "A cat."), Pair("c", "x", "A puppy.")]
    with CorpusWriter(tmp_path, "s", "1", rows_per_shard=1) as writer:
        for pair in scattered:
            writer.add("train", pair)
    rows = [Rewrites((), (wrong("a puppy"),)), Rewrites((), (wrong("a dog"),)), Rewrites((), (wrong("a dog"),))]
    write_derived(tmp_path, "rewrites", rows)
    assert problems(tmp_path) == {"true": 2}
    captions = ImageCaptions(Corpus(tmp_path).pairs("train"))
    assert captions.of("x") == {hashed("a dog"), hashed("a puppy")} and captions.of("z") == set()


def test_lists_of_different_length_are_told(clean: Path) -> None:
    from unimo_paddle.prepare.validation_rows import Context, check_paraphrases, check_rewrites, check_similar

    context, pair = Context(ImageCaptions(Corpus(clean).pairs("train")), 0), pairs()[0]
    for check, row in ((check_similar, Neighbours((4, 5), (0.5,))), (check_rewrites, Rewrites(("a", "b"), (), ("o",))),
                       (check_paraphrases, Paraphrases(("a",), (), (0.5,)))):
        assert [kind for kind, _ in check(pair, row, context)] == ["uneven"]


def test_empty_captions_and_sentences_are_told(tmp_path: Path) -> None:
    with CorpusWriter(tmp_path, "s", "1") as writer:
        writer.add("train", Pair("a", "x", " \u00a0"))
        writer.add("train", Text("t", "\n"))
        writer.add("dev", Text("u", "good"))
    assert problems(tmp_path) == {"caption": 1, "text": 1}


@pytest.mark.parametrize("collection", ["rewrites", "pairs", "sentences"])
def test_damage_is_told_and_the_rest_is_checked(tmp_path: Path, collection: str) -> None:
    path = write_corpus(tmp_path, {**derived(), "similar": neighbours([99], N)})
    shard = next(path.glob(f"{collection}-*.arrow"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 255
    shard.write_bytes(data)
    report = validate(path)
    assert report.problems["shard"] == 1 and shard.name in report.examples["shard"][0]
    assert report.problems["range"] == (0 if collection == "pairs" else N)


def test_a_missing_shard_of_a_derived_collection_is_a_problem(clean: Path) -> None:
    next(clean.glob("similar-*.arrow")).unlink()
    assert problems(clean) == {"shard": 1}


def test_collections_older_than_the_pairs_and_unfinished_ones_are_told(clean: Path) -> None:
    with CorpusWriter(clean, "more", "1") as writer:
        writer.add("train", Pair("new", "i0", "A new caption"))
    assert problems(clean) == {"stale": 6}
    with DerivedWriter(clean, "graphs", "train", "other"):
        pass   # ended before anything was made
    report = validate(clean)
    assert report.problems == {"stale": 6} and "tools/prepare.py re" in report.examples["stale"][0]


def test_a_folder_that_is_no_corpus_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no corpus"):
        validate(tmp_path)


def test_coverage_by_hand() -> None:
    coverage = Coverage(3)
    one, two = wrong("a"), wrong("b", "phrase")
    for row in (Rewrites(("p", "q"), (one, one, two)), Rewrites((), (one,)), Rewrites(("p",), ())):
        coverage.add(row)
    assert coverage.histograms["word"] == {2: 1, 1: 1, 0: 1} and coverage.histograms["sentence"] == {0: 3}
    assert [coverage.total(kind) for kind in ("positives", "word", "phrase", ALL)] == [3, 3, 1, 4]
    assert [coverage.share("word", least) for least in (1, 2, 3)] == pytest.approx([2 / 3, 1 / 3, 0])
    assert coverage.share(ALL, 3) == pytest.approx(1 / 3)


def test_histogram_counts_every_pair_once() -> None:
    report = Report(Path("c"), {}, {})
    coverage = Coverage(1000)
    for count in (*range(100), *[100] * 900):
        coverage.add(Rewrites((), (wrong("x"),) * count))
    report.coverage["train"] = coverage
    told = list(report.lines())
    start = told.index("  negatives of a pair") + 1
    assert [tuple(line.split()[:2]) for line in told[start:told.index("", start)]] == [
        ("100", "900"), *[(f"{k}-{k + 9}", "10") for k in range(90, 9, -10)], ("1-9", "9"), ("0", "1")]


def test_a_few_examples_of_each_problem_are_kept(tmp_path: Path) -> None:
    report = validate(write_corpus(tmp_path, {**derived(), "retrieved_texts": neighbours([99], N)}))
    assert report.problems["range"] == N and len(report.examples["range"]) == 3
    assert report.examples["range"][0] == "retrieved_texts of train, pair i0:0: row 99 of 25"


def test_json_says_the_same(tmp_path: Path) -> None:
    rows = first(negatives=(wrong(OWN), replace(wrong("x"), level="letter")))
    value = json.loads(json.dumps(validate(write_corpus(tmp_path, {**derived(), "rewrites": rows}), QUOTAS).to_json()))
    assert value["clean"] is False and value["problems"].keys() == PROBLEMS.keys()
    assert (value["problems"]["true"], value["problems"]["level"], value["problems"]["positive"]) == (1, 1, 0)
    assert value["coverage"]["train"]["word"] == {"1": 1, "2": 9} and value["quotas"] == QUOTAS
    assert value["counts"]["train"]["pairs"] == 10
