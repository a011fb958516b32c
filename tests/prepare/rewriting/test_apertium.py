"""Apertium as a translator: a fake process that misbehaves, and the real one where it is installed."""

import shutil
import subprocess

import pytest

from tests.prepare.rewriting import fake_apertium
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.rewriting.apertium import Apertium, Direction, OneWay, decode, encode, own_words_only
from unimo_paddle.prepare.rewriting.back_translation import make_translators


@pytest.fixture
def log(tmp_path, monkeypatch):
    return fake_apertium.install(tmp_path, monkeypatch)


def has(mode):
    listed = shutil.which("apertium") and subprocess.run(["apertium", "-l"], capture_output=True, text=True).stdout
    return mode in (listed or "")


def test_one_process_a_direction_takes_the_batch_in_order(log):
    texts = [f"A large dog {number}." for number in range(500)]
    assert Apertium(["xx"])(texts) == [f"A big dog {number}." for number in range(500)]
    assert log.read_text().split() == ["eng-xx", "xx-eng"]


def test_chains_and_both_codes_of_english(log):
    assert [step.mode for step in Apertium(["xx"]).steps] == ["eng-xx", "xx-eng"]
    assert [step.mode for step in Apertium(["yy"]).steps] == ["en-yy", "yy-en"]
    chain = Apertium(["xx", "yy"])
    assert (chain.name, [step.mode for step in chain.steps]) == ("apertium:xx+yy", ["eng-xx", "xx-yy", "yy-en"])
    assert chain([]) == []


def test_equal_texts_are_sent_once_and_empty_ones_never(log):
    assert Direction("eng-xx").translate(["large", "", "large", "  ", "\0\n"]) == ["big.", None, "big.", None, None]
    assert Direction("eng-xx").translate(["", " "]) == [None, None]
    assert log.read_text().split() == ["eng-xx"]


@pytest.mark.parametrize("text", ["line\none", "nul\0one", "tab\tone", "wide\u2028one", "\ufeffnul one"])
def test_control_characters_become_spaces(log, text):
    assert " one." in (Direction("eng-xx").translate([text])[0] or "")


def test_signs_of_the_stream_format_come_back_as_they_were(log):
    text = r"a [b] {c} ^d$ e/f \g h@i <j> 50% & \n"
    assert Direction("eng-xx").translate([text, "next"]) == [text + ".", "next."]


@pytest.mark.parametrize("text", ["\ud800", "a * b", "#1", "a + b", "~"])
def test_what_could_not_be_told_from_a_mark_is_not_sent(log, text):
    assert Direction("eng-xx").translate([text, "a"]) == [None, "a."]


@pytest.mark.parametrize("word", ["bytes", "mark", "nogen"])
def test_invalid_answers_are_dropped_alone(log, word):
    assert Direction("eng-xx").translate(["a.", f"a {word}.", "b."]) == ["a.", None, "b."]


def test_an_unknown_word_counts_when_it_is_the_texts_own():
    assert own_words_only("A *mantis on a *Table.", "A mantis on a table.") == "A mantis on a Table."
    assert own_words_only("A *mantido on a table.", "A mantis on a table.") is None
    assert own_words_only("An *F-22.", "An F-22.") == "An F-22."


def test_marks_are_taken_off_between_directions(log):
    assert Apertium(["xx"])(["a zyx dog"]) == ["a zyx dog."]
    assert OneWay("xx")(["a zyx dog", "a dog"]) == [None, "a dog."]


def test_a_dying_process_costs_the_guilty_text_only(log):
    texts = [f"dog {number}." for number in range(40)]
    texts[0] = texts[17] = "die."
    found = Direction("eng-xx").translate(texts)
    assert [index for index, text in enumerate(found) if text is None] == [0, 17]
    assert found[39] == "dog 39."


def test_a_hanging_process_is_ended(log):
    direction = Direction("eng-xx", timeout=0.5)
    assert direction.translate(["dog.", "hang.", "cat."]) == ["dog.", None, "cat."]


def test_an_installation_that_never_answers_is_said(log):
    with pytest.raises(UserError, match="apertium eng-dead answers nothing; try it by hand"):
        Direction("eng-dead").translate(["dog.", "cat."])
    assert len(log.read_text().split()) == 2     # the batch, and one word to make sure


def test_answers_out_of_step_are_no_answers():
    assert decode(encode("a dog", 3), 3) == "a dog."
    assert decode(encode("a dog", 3), 4) is None
    assert decode(b"a dog.", 3) is None
    assert decode(b"\xff[][3\n]", 3) is None


def test_absent_apertium_and_pairs_are_named(tmp_path, monkeypatch, log):
    with pytest.raises(UserError, match="no direction eng-spa or en-spa here; apt-get install apertium-eng-spa"):
        Apertium(["spa"])
    with pytest.raises(UserError, match="no direction zz-eng or zz-en here; apt-cache search apertium-"):
        OneWay("zz")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="Apertium is not installed; apt-get install apertium "):
        Apertium(["spa"])


def test_pivots_are_checked_before_work(log, tmp_path):
    assert [each.name for each in make_translators(["apertium:xx", "apertium:yy"])] == ["apertium:xx", "apertium:yy"]
    for pivot, fault in (("apertium", "is unknown"), ("deepl:fr", "is unknown"), ("neural:", "is unknown")):
        with pytest.raises(UserError, match=fault):
            make_translators([pivot])
    with pytest.raises(UserError, match=r"config.json, model.bin, source.spm, target.spm missing"):
        make_translators([f"neural:{tmp_path}"])


@pytest.mark.parametrize("pivot", ["spa", "cat", "gl", "eo"])
def test_real_directions_keep_order_and_are_the_same_again(pivot):
    modes = {"spa": "eng-spa", "cat": "eng-cat", "gl": "en-gl", "eo": "en-eo"}
    if not has(modes[pivot]):
        pytest.skip(f"apertium {modes[pivot]} is not installed")
    texts = ["A large dog is on a table.", "", "Two red apples", "A woman sees a cat.\nThe cat sleeps.", "a [b] dog"]
    translator = Apertium([pivot])
    found = translator(texts)
    assert pivot != "gl" or found == translator(texts)      # the direction that remembers words, were it not ended
    assert "dog" in found[0] and found[1] is None and "red apple" in found[2]
