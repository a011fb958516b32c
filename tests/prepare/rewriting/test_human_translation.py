"""Human translations: the file, finding phrases in captions, and the way home to English."""

import json

import pytest

from tests.prepare.rewriting import fake_apertium
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.rewriting.human_translation import (
    HumanTranslations,
    english_of,
    noun_phrase,
    read_translations,
    ways_back,
)


class Back:
    """Spanish to English from a table; counts its batches."""

    is_fluent = False

    def __init__(self, table):
        self.table, self.batches = table, []

    def __call__(self, texts):
        self.batches.append(list(texts))
        return [self.table.get(text) for text in texts]


@pytest.fixture
def spanish():
    return Back({"Un coche de bomberos.": "A fire engine.", "Un perro.": "A dog.", "Hola": None})


def test_lines_with_one_text_are_joined(tmp_path):
    path = tmp_path / "translations.jsonl"
    rows = [{"text": "a dog", "translations": {"es": "un perro"}}, {"text": "a dog", "translations": {"ca": "un gos"}},
            {"text": "A cat sleeps.", "translations": {}}]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    assert read_translations(path) == {"a dog": {"es": "un perro", "ca": "un gos"}, "A cat sleeps.": {}}


def test_all_faulty_lines_are_listed(tmp_path):
    path = tmp_path / "translations.jsonl"
    path.write_text('{"text": "a dog"}\n{bad\n[1]\n{"text": " ", "translations": {}}\n'
                    '{"text": "a cat", "translations": {"es": 3}}\n')
    with pytest.raises(UserError) as found:
        read_translations(path)
    lines = str(found.value).split("\n")
    assert [line.strip().rpartition(f"{path}:")[2][:2] for line in lines[1:]] == ["1:", "2:", "3:", "4:", "5:"]
    assert '"translations" is None' in lines[1] and "no JSON" in lines[2] and '"text" is None' in lines[3]
    with pytest.raises(UserError, match="does not exist; a file of translations is wanted"):
        read_translations(tmp_path / "absent")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="cannot be read as UTF-8"):
        read_translations(path)


def test_the_longest_phrases_are_found(spanish):
    human = HumanTranslations({"a fire truck": {"es": "x"}, "truck": {"es": "y"}, "a": {}}, {"es": spanish})
    caption = "A Fire truck beside a truck, and a fire."
    assert [(caption[a:b], phrase) for a, b, phrase in human.find(caption)] == [
        ("Fire truck", ("fire", "truck")), ("truck", ("truck",))]
    assert human.find("") == [] == HumanTranslations({}, {}).find("A dog.")


def test_each_language_goes_home_in_one_batch(spanish):
    human = HumanTranslations({
        "fire truck": {"es": "Un coche de bomberos.", "en_GB": "A fire engine.", "de": "Ein Löschzug."},
        "dog": {"es": "Un perro."}, "cat": {"es": " "}, "cow": {"es": "Hola"}}, {"es": spanish})
    assert human.english([("fire", "truck"), ("dog",), ("cat",), ("cow",), ("dog",)]) == {
        ("fire", "truck"): {"es": "A fire engine.", "en_GB": "A fire engine."}, ("dog",): {"es": "A dog."}}
    assert spanish.batches == [["Hola", "Un perro.", "Un coche de bomberos."]]
    assert [human.is_fluent(language) for language in ("es", "en", "en_AU", "de")] == [False, True, True, False]


def test_ways_back_are_those_that_are_installed(tmp_path, monkeypatch, spanish):
    fake_apertium.install(tmp_path, monkeypatch)
    assert ways_back(["en_GB", "de", "fr"], {"fr": spanish}) == {"fr": spanish}
    with pytest.raises(UserError, match="no direction spa-eng or spa-en here; apt-get install apertium-eng-spa"):
        ways_back(["es"])


@pytest.mark.parametrize(("text", "phrase"), [
    ("A fire engine.", "fire engine"), ("A doe. A female deer.", "doe"),
    ("¡Un pez!", "Un pez"), ("Some pliers", "pliers"),
    ("A baby sheep (a lamb).", "baby sheep"), ("A plumber’s wrench.", "plumber's wrench"), ("...", ""), ("The", ""),
])
def test_a_noun_phrase_ends_at_the_first_stop(text, phrase):
    assert noun_phrase(text) == phrase


def test_kinds_of_english():
    codes = ("en", "en_GB", "en-AU", "eo", "enm", "es")
    assert [code for code in codes if english_of(code)] == ["en", "en_GB", "en-AU"]
