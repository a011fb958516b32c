"""Other data under the same path are noticed, by name; data that no step draws from are not looked at."""

import shutil
from pathlib import Path

import pytest

from tests.data.small_corpus import IMAGES, rewrites_of, write_corpus, write_store
from unimo_paddle.build.facts import data_facts
from unimo_paddle.config import load_run
from unimo_paddle.corpus import CorpusWriter, Pair
from unimo_paddle.corpus_derived import DerivedWriter, columns_of, write_slice


@pytest.fixture
def world(tmp_path: Path) -> Path:
    write_corpus(tmp_path / "corpus")
    write_store(tmp_path / "regions", "image", IMAGES)
    write_store(tmp_path / "found", "found", 10, first=20)
    (tmp_path / "run.yaml").write_text(
        "kind: pretrain\ntrain: {steps: 10}\noutput: {directory: x}\n"
        f"data: {{corpus: {tmp_path / 'corpus'}, regions: {tmp_path / 'regions'}, tokenizer: t, retrieved_texts: 1}}\n"
    )
    return tmp_path


def facts(world: Path, *changes: str) -> dict[str, str]:
    return data_facts(load_run(world / "run.yaml", list(changes)))


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def test_what_is_drawn_from_is_known_by_name(world):
    assert facts(world).keys() == {"regions", "pairs", "rewrites", "retrieved texts"}
    assert facts(world, "objectives.contrastive=0", "objectives.seq2seq=1").keys() == {"regions", "pairs"}
    found = f"images.regions={world / 'found'}"
    assert facts(world, "data.weight=0", found).keys() == {"regions", "images"}
    assert facts(world, found, "images.weight=0", f"data.image_regions={world / 'found'}").keys() == {
        "regions", "pairs", "rewrites", "retrieved texts", "regions of retrieved images"
    }  # fmt: skip
    assert all(len(fact) == 64 for fact in facts(world).values())


def test_the_same_data_elsewhere_are_the_same(world, tmp_path_factory):
    moved = tmp_path_factory.mktemp("moved")
    for name in ("corpus", "regions"):
        shutil.copytree(world / name, moved / name)
    before = facts(world)
    assert facts(world, f"data.corpus={moved / 'corpus'}", f"data.regions={moved / 'regions'}") == before


def test_other_captions_regions_and_rewrites_are_noticed(world):
    before = facts(world)
    shutil.rmtree(world / "regions")
    write_store(world / "regions", "image", IMAGES, first=1)
    assert changed(before, facts(world)) == {"regions"}
    with DerivedWriter(world / "corpus", "rewrites", "train", "2", rows_per_slice=5) as derived:
        for part in derived.todo:
            derived.commit(write_slice(part, columns_of("rewrites", [rewrites_of(5) for _ in part.rows])))
    assert changed(before, facts(world)) == {"regions", "rewrites"}
    with CorpusWriter(world / "corpus", "test", "1") as writer:
        writer.add("test", Pair("p", "image0", "another split"))
    assert changed(before, facts(world)) == {"regions", "rewrites"}
    with CorpusWriter(world / "corpus", "more", "1") as writer:
        writer.add("train", Pair("p", "image0", "one caption more"))
    assert changed(before, facts(world)) >= {"regions", "rewrites", "pairs"}
