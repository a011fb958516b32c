"""The reader of WordNet's files: against files that the test writes, and a scan of the real ones."""

from pathlib import Path

import pytest

from tests.prepare.rewriting.mini_wordnet import write_wordnet
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.rewriting.wordnet import ANIMAL, FOLDER, HYPERNYMS, PERSON, WHOLES, WordNet

real = pytest.mark.skipif(not (FOLDER / "data.noun").is_file(), reason="WordNet is not installed")


@pytest.fixture
def net(tmp_path: Path) -> WordNet:
    return WordNet(write_wordnet(tmp_path / "net"))


def names(net: WordNet, offsets: object, part: str = "n") -> set[str]:
    return {net.synset(offset, part).words[0] for offset in offsets}  # type: ignore[attr-defined]


def test_senses_come_in_order_and_words_in_any_case(net: WordNet) -> None:
    first, second = net.senses("Dog", "n")
    assert net.synset(first, "n").words == ("dog", "canis_familiaris")
    assert (net.synset(first, "n").file, net.synset(second, "n").file) == (ANIMAL, PERSON)
    assert net.senses("fire truck", "n") == net.senses("fire engine", "n") != ()
    assert net.senses("do", "n") == net.senses("dogs", "n") == net.senses("dog", "v") == net.senses("", "n") == ()
    assert net.senses("zzz", "n") == net.senses("1", "n") == ()


def test_pointers_are_followed_to_the_end(net: WordNet) -> None:
    puppy, = net.senses("puppy", "n")
    assert names(net, net.above(puppy, "n")) == {"puppy", "dog", "animal", "thing"}
    assert names(net, net.reach([puppy], "n", HYPERNYMS)) == {"dog", "animal", "thing"}
    assert names(net, net.reach(net.senses("head", "n"), "n", WHOLES)) == {"animal"}
    assert [word for _, word in net.antonyms("busy", "a")] == ["idle"]
    assert list(net.antonyms("lazy", "a")) == []


def test_what_is_missing_is_named_with_the_package(net: WordNet) -> None:
    (net.folder / "data.verb").unlink()
    (net.folder / "index.adj").unlink()
    with pytest.raises(UserError, match=r"data\.verb, index\.adj missing(.|\n)*apt-get install wordnet-base"):
        WordNet(net.folder)


@pytest.mark.parametrize("damage", ["", "00000017 05 n 01\n", "no synset at all\n"])
def test_damaged_files_are_named(net: WordNet, damage: str) -> None:
    path = net.folder / "data.noun"
    size = path.stat().st_size
    path.write_text(damage * (size // max(len(damage), 1)))
    with pytest.raises(UserError, match=r"data\.noun(.|\n)*reinstall wordnet-base"):
        damaged = WordNet(net.folder)
        damaged.synset(damaged.senses("sheep", "n")[0], "n")


@real
def test_the_search_finds_what_a_scan_finds() -> None:
    net = WordNet()
    for part, name in (("n", "noun"), ("v", "verb"), ("a", "adj")):
        lines = [line for line in (FOLDER / f"index.{name}").read_text("latin-1").splitlines() if line[0] != " "]
        for line in [lines[0], *lines[::997], lines[-1]]:
            word, *fields = line.split()
            assert net.senses(word, part) == tuple(map(int, fields[-int(fields[1]):])), line
            assert all(word.partition("(")[0] in net.synset(sense, part).words for sense in net.senses(word, part))


@real
def test_every_road_upwards_ends() -> None:
    net = WordNet()   # the verbs have circles of hypernyms
    for verb in ("inhibit", "restrain", "hold", "ride"):
        for sense in net.senses(verb, "v"):
            assert sense in net.above(sense, "v")
