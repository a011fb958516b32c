"""Tasks constructed from a small world: their files are read by the public readers, and what they say is so."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.prepare.tasks.task_folder import prepare
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.command import parser
from unimo_paddle.prepare.small_world.run import make_scenes
from unimo_paddle.prepare.tasks.constructed.command import CONSTRUCTED, construct
from unimo_paddle.records import Record

SPLITS = {"mnli": ("dev_m", "dev_mm", "test_m", "test_mm", "train"), "coqa": ("dev", "train")}


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world") / "shapes"
    make_scenes(folder, 40, 5, "shapes", val=12, test=12, composition=12, workers=1)
    return folder


@pytest.fixture(scope="session")
def files(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("constructed")
    for task in CONSTRUCTED:
        construct(task, scenes, folder / task, seed=3)
    return {task: folder / task for task in CONSTRUCTED}


@pytest.fixture(scope="session")
def records(files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[Record]]]:
    folder = tmp_path_factory.mktemp("records")
    return {task: prepare(task, source, folder / task) for task, source in files.items()}


@pytest.mark.parametrize("task", CONSTRUCTED)
def test_the_public_readers_read_every_split(task: str, records, files: dict[str, Path]) -> None:
    assert tuple(records[task]) == SPLITS.get(task, ("dev", "test", "train"))
    told = json.loads((files[task] / "origin.json").read_text())
    assert told["origin"] == "constructed" and told["seed"] == 3
    assert sorted(told["counts"].values()) == sorted(map(len, records[task].values()))
    assert len(records[task]["train"]) >= 100


@pytest.mark.parametrize("task", CONSTRUCTED)
def test_no_text_of_another_split_is_in_train(task: str, records) -> None:
    seen = {one.text for one in records[task]["train"]}
    others = [one.text for split, found in records[task].items() if split != "train" for one in found]
    shared = seen.intersection(others)
    # a pair of things, of which likeness tells, may stand in two scenes; whole scenes never do
    assert not shared if task != "stsb" else len(shared) < 0.2 * len(others)


def test_likeness_has_no_pair_twice(records) -> None:
    pairs = [(one.text, one.text_b) for found in records["stsb"].values() for one in found]
    assert len(set(pairs)) == len(pairs)


@pytest.mark.parametrize("task", CONSTRUCTED)
def test_the_same_seed_gives_the_same_bytes_and_another_one_others(task: str, scenes: Path, files, tmp_path) -> None:
    construct(task, scenes, tmp_path / "same", seed=3)
    construct(task, scenes, tmp_path / "other", seed=4)
    for path in sorted(files[task].iterdir()):
        assert (tmp_path / "same" / path.name).read_bytes() == path.read_bytes()
    assert any((tmp_path / "other" / path.name).read_bytes() != path.read_bytes() for path in files[task].iterdir())


@pytest.mark.parametrize("task", ["mnli", "cola"])
def test_labels_are_balanced(task: str, records) -> None:
    labels = [one.label for one in records[task]["train"]]
    counts = [labels.count(label) for label in set(labels)]
    assert max(counts) - min(counts) <= 0.02 * len(labels)


def test_length_does_not_tell_what_is_acceptable(records) -> None:
    lengths = {label: [len(one.text.split()) for one in records["cola"]["train"] if one.label == label]
               for label in ("acceptable", "unacceptable")}  # fmt: skip
    spread = np.std([*lengths["acceptable"], *lengths["unacceptable"]])
    assert abs(np.mean(lengths["acceptable"]) - np.mean(lengths["unacceptable"])) < 0.35 * spread


def test_tables_have_the_published_columns(files: dict[str, Path]) -> None:
    head = (files["mnli"] / "dev_mismatched.tsv").read_text().splitlines()
    assert head[0].split("\t")[:4] == ["index", "promptID", "pairID", "genre"]
    assert head[0].split("\t")[8:] == ["sentence1", "sentence2", *(f"label{k}" for k in range(1, 6)), "gold_label"]
    assert head[1].split("\t")[3] == "constructed_composition"
    assert "gold_label" not in (files["mnli"] / "test_matched.tsv").read_text()
    source, label, mark, _ = (files["cola"] / "train.tsv").read_text().splitlines()[1].split("\t")
    assert (source, label, mark) == ("constructed", "0", "*")
    first = (files["stsb"] / "train.tsv").read_text().splitlines()
    assert first[0].split("\t")[-3:] == ["sentence1", "sentence2", "score"] and first[1].split("\t")[1] == "constructed"


def test_scores_are_steps_from_0_to_5(records) -> None:
    scores = [one.label for one in records["stsb"]["train"]]
    assert min(scores) == 0 and max(scores) == 5 and len(set(scores)) >= 10
    assert all(score * 4 == int(score * 4) for score in scores)


def test_spans_are_where_the_files_say(files: dict[str, Path]) -> None:
    for name in ("train", "dev"):
        for article in json.loads((files["squad_qg"] / f"{name}-v1.1.json").read_text())["data"]:
            passage = article["paragraphs"][0]["context"]
            for asked in article["paragraphs"][0]["qas"]:
                answer = asked["answers"][0]
                assert passage[answer["answer_start"] :].startswith(answer["text"]) and answer["text"]
    for story in json.loads((files["coqa"] / "coqa-dev-v1.0.json").read_text())["data"]:
        for answer in story["answers"]:
            start, end = answer["span_start"], answer["span_end"]
            assert answer["span_text"] == ("unknown" if start < 0 else story["story"][start:end])


def test_dialogues_lean_on_the_turn_before(records) -> None:
    found = records["coqa"]["train"]
    longest = [len(one.turns) // 2 + 1 for one in found]
    assert 4 <= max(longest) <= 8
    assert sum(one.turns[-1].startswith("and ") or " it" in one.turns[-1] for one in found) > 0.2 * len(found)
    assert {one.group for one in found} == {"constructed_one_scene", "constructed_two_scenes"}
    assert any(len(set(one.references)) > 1 for one in records["coqa"]["dev"])


def test_an_answer_tells_its_question(records) -> None:
    for found in records["squad_qg"].values():
        asked = [(one.text, one.text_b) for one in found]
        assert len(set(asked)) == len(asked)


def run(*words: object) -> int:
    args = parser("").parse_args(["small-task", *map(str, words)])
    return int(args.run(args))


def test_the_command_says_what_to_do_next(scenes: Path, tmp_path: Path, capsys) -> None:
    assert run("cola", "--scenes", scenes, "--to", tmp_path / "cola") == 0
    assert "constructed, now run tools/prepare.py task cola --from" in capsys.readouterr().out


@pytest.mark.parametrize(("words", "fault"), [
    (("mnli", "--to", "{to}"), "--scenes is wanted: mnli is constructed"),
    (("mnli", "--to", "{to}", "--scenes", "{to}"), "holds no scenes.json; make a small world"),
    (("mnli", "--to", "{to}", "--scenes", "x", "--no-lowercase"), "no options of mnli"),
    (("mnli", "--to", "{to}", "--scenes", "x", "--seed", "-1"), "--seed is -1"),
    (("titles", "--to", "{to}", "--scenes", "x"), "--scenes is no option of titles"),
])  # fmt: skip
def test_wrong_requests(words: tuple[str, ...], fault: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=fault):
        run(*(word.format(to=tmp_path / "to") for word in words))
    assert not (tmp_path / "to").exists()


def test_a_damaged_world(scenes: Path, tmp_path: Path) -> None:
    (tmp_path / "scenes.json").write_text("{}")
    (tmp_path / "coco").mkdir()
    (tmp_path / "coco" / "instances_train.json").write_text("{}")
    with pytest.raises(UserError, match="is damaged .*; make it again"):
        construct("cola", tmp_path, tmp_path / "to", 1)
