"""Files that cannot be read as settings."""

import pytest

from unimo_paddle.config.source import read_settings
from unimo_paddle.errors import UserError


@pytest.mark.parametrize(("text", "fault"), [
    ("a: [1, 2\nb: 3\n", ":2: this is not YAML"),
    ("a: 1\n b: 2\n", ":2: this is not YAML: mapping values are not allowed here"),
    ("- a\n- b\n", "settings are written as `name: value` lines"),
    ("just text\n", "settings are written as"),
    ("a: !!python/object/apply:os.system ['true']\n", ":1: this is not YAML: "),
    ("base: 3\n", ":1: base is 3; write the path of one file"),
    ("x: 1\nbase: gone.yaml\n", ":2: base is gone.yaml, but "),
    ("base: run.yaml\n", "base leads back to"),
])
def test_a_file_that_is_no_settings(tmp_path, text, fault):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read_settings(path)
    assert str(path) in str(error.value) and fault in str(error.value)


def test_a_circle_of_files_is_shown(tmp_path):
    for name, base in (("a", "b"), ("b", "c"), ("c", "a")):
        (tmp_path / f"{name}.yaml").write_text(f"base: {base}.yaml\n")
    with pytest.raises(UserError, match=r"a\.yaml -> .*b\.yaml -> .*c\.yaml -> .*a\.yaml"):
        read_settings(tmp_path / "a.yaml")


def test_missing_and_unreadable_files(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        read_settings(tmp_path / "nowhere.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"a: \xff\n")
    with pytest.raises(UserError, match="not UTF-8"):
        read_settings(tmp_path / "binary.yaml")


def test_places_and_keys_given_twice(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("a:\n  b: 1\n  c: [2, 3]\n\na.b: 4\n")
    settings, faults = read_settings(path, ["a.c=5", "=3"])
    assert settings["a.c"].value == "5" and settings["a.c"].place == "-o a.c=5"
    assert settings["a.b"].place == f"{path}:5"
    assert faults == [
        f"{path}:5: a.b is given twice, first at {path}:2; keep one",
        "-o =3: write it as key=value",
    ]


def test_an_empty_file_has_no_settings(tmp_path):
    (tmp_path / "run.yaml").write_text("# nothing yet\n")
    assert read_settings(tmp_path / "run.yaml") == ({}, [])
