"""A task's tools when something is wrong: one message that names file and line, or the setting, and what to do."""

import json
import shutil
from pathlib import Path

import pytest

from tests.build_tasks.downloads import custom
from tests.build_tasks.task_world import Places, World, finished, told, tool
from tests.data.small_task import sentence
from tests.mini_world import CONFIGS, refused
from tests.prepare.tasks.task_folder import write
from unimo_paddle.data.tokenizer import train_tokenizer


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    return Places.make(tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="module")
def sst2(places: Places, tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("sst2"), places, "sst2").ready()


@pytest.fixture
def own(places: Places, tmp_path: Path) -> "Own":
    return Own(tmp_path, places)


class Own:
    """A user's own folder of records, which nothing was prepared of."""

    def __init__(self, root: Path, places: Places) -> None:
        self.root, self.places = root, places

    def world(self, task: str, bad: dict | None = None, split: str = "train", **fields: object) -> World:
        """A world whose records have these fields; bad: the last line of a split, which is its ninth or fifth."""
        world = World(self.root, self.places, task)
        write(world.records, custom(**fields))
        world.write_config()
        if bad is not None:
            with (world.records / f"{split}.jsonl").open("a") as file:
                file.write(json.dumps({"id": "bad", **bad}) + "\n")
        return world


KIND = {"text": sentence, "label": lambda n: ("good", "bad")[n % 2]}
SEEN = {"image": str, "text": sentence}


@pytest.mark.parametrize(("task", "name", "text", "parts"), [
    ("sst2", "train.tsv", "words\tlabel\na dog\t1\n", ["train.tsv:1: there is no column 'sentence', only 'words'"]),
    ("sst2", "train.tsv", "sentence\tlabel\na\t1\nb\t5\n", ["train.tsv:3: label is '5'; 0 (negative)"]),
    ("sst2", "train.tsv", "text_a\tlabel\tmore\na\t1\tb\n", ["train.tsv:1: column 'more' is unknown"]),
    ("gigaword", "train.article.txt", "a dog\n\n", ["train.article.txt:2: the line is empty or absent"]),
    ("custom_generation", "train.jsonl", '{"id": "1", "text": "a", "target": " "}\n', ["train.jsonl:1: target is"]),
    ("custom_generation", "train.jsonl", '{"id": "1", "txt": "a"}\n', ["train.jsonl:1: txt is no field"]),
])  # fmt: skip
def test_downloads_that_are_malformed(
    task: str, name: str, text: str, parts: list[str], tmp_path: Path, places: Places
) -> None:
    files = {name: text} | ({"train.title.txt": "a\nb\n"} if task == "gigaword" else {})
    write(tmp_path / "download", files)
    done = tool("prepare", "task", task, "--from", tmp_path / "download", "--to", tmp_path / "records")
    refused(done, *parts)
    assert not (tmp_path / "records").exists()


def test_an_image_that_the_store_lacks(tmp_path: Path, places: Places, own: Own) -> None:
    """Told when the task is prepared, and when it is trained all the same: with file, how many, and which."""
    lines = "".join(json.dumps({"id": str(n), "image": f"gone{n}", "text": "a dog"}) + "\n" for n in range(7))
    write(tmp_path / "download", {"train.jsonl": lines})
    words = "prepare", "task", "custom_retrieval", "--from", tmp_path / "download", "--to", tmp_path / "no"
    refused(tool(*words, "--regions", places.regions), "lacks 7 images", "gone0, gone1, gone2, gone3, gone4 ..;")
    world = own.world("custom_retrieval", {"image": "gone", "text": "a cat"}, **SEEN)
    refused(world.train(), f"1 of 9 images of {world.records}/train.jsonl have no regions in", "(gone)",
            "tools/extract.py --detector")  # fmt: skip


def test_an_image_of_dev_is_missed_before_training(own: Own) -> None:
    world = own.world("custom_retrieval", {"image": "gone", "text": "a cat"}, "dev", **SEEN)
    refused(world.train(), f"1 of 5 images of {world.records}/dev.jsonl have no regions in", "(gone)")


def test_a_task_that_there_is_none_of(tmp_path: Path, sst2: World, capsys: pytest.CaptureFixture[str]) -> None:
    done = sst2.train("task=sst3")
    refused(done, "task is sst3, which there is none of; did you mean sst2? there are sst2, mnli")
    done = tool("prepare", "task", "sst3", "--from", tmp_path, "--to", tmp_path / "x")
    assert done.status == 2 and "invalid choice: 'sst3' (choose from" in done.err


def test_a_task_on_images_wants_regions(own: Own) -> None:
    world = own.world("custom_retrieval", **SEEN)
    refused(world.train("data.regions=null"), "data.regions is missing: custom_retrieval reads images", "tools/extract")
    refused(world.train(f"data.regions={own.root}/none"), f"{own.root}/none")


@pytest.mark.parametrize(("task", "fields", "bad", "fault"), [
    ("custom_classification", KIND, {"text": "a"}, ":9: label is missing; it is one of 'bad', 'good'"),
    ("custom_classification", KIND, {"label": "good"}, ":9: text is missing"),
    ("custom_classification", KIND, {"text": " ", "label": "good"}, ":9: text is empty"),
    ("custom_classification", KIND, {"text": "a", "turns": ["a"], "label": "good"}, ":9: turns is filled, but"),
    ("custom_classification", KIND, {"text": "a", "lable": "good"}, ":9: lable is no field of a record; there are id"),
    ("custom_classification", KIND, {"text": "a", "label": ["good"]}, ':9: label is ["good"]; the name of a class'),
    ("custom_regression", {"text": sentence, "label": float}, {"text": "a", "label": "3.5"},
     ":9: label is '3.5'; a finite number is wanted"),
    ("custom_regression", {"text": sentence, "label": float}, {"text": "a", "label": float("nan")}, ":9: label is NaN"),
    ("custom_generation", {"text": sentence, "target": sentence}, {"text": "a", "target": ""}, ":9: target is empty"),
    ("custom_generation", {"text": sentence, "target": sentence}, {"text": [4, 900], "target": "a"},
     ":9: token id 900 is none of the tokenizer's 290"),
    ("custom_captioning", {"image": str, "target": sentence}, {"target": "a"}, ":9: image is missing"),
])  # fmt: skip
def test_records_that_cannot_be_learnt(task: str, fields: dict, bad: dict, fault: str, own: Own) -> None:
    world = own.world(task, bad, **fields)
    refused(world.train("data.batch=9"), f"{world.records}/train.jsonl{fault}")
    assert not (world.run / "checkpoints").exists()


def test_a_class_that_is_none_of_those_of_task_json(own: Own) -> None:
    world = own.world("custom_classification", {"text": "a", "label": "goood"}, **KIND)
    (world.records / "task.json").write_text('{"version": 1, "task": "x", "labels": ["bad", "good"]}')
    refused(world.train(), "train.jsonl:9: label 'goood' is none of 'bad', 'good' (did you mean 'good'?)")
    (world.records / "task.json").write_text('{"labels": "bad, good"}')
    refused(world.train(), "task.json: an object with `labels`, a list of names, is wanted")


@pytest.mark.parametrize(("task", "fields", "bad", "fault"), [
    ("custom_classification", KIND, {"text": "a", "label": "goood"}, ":5: label 'goood' is none of 'bad', 'good'"),
    ("custom_classification", KIND, {"text": "a"}, ":5: label is missing"),
    ("custom_regression", {"text": sentence, "label": float}, {"text": "a", "label": "x"}, ":5: label is 'x'"),
    ("custom_generation", {"text": sentence, "target": sentence}, {"text": "a"}, ":5: there is nothing to judge"),
])  # fmt: skip
def test_what_cannot_be_judged_is_told_before_training_and_before_answering(
    task: str, fields: dict, bad: dict, fault: str, own: Own
) -> None:
    world = own.world(task, **fields)
    finished(world.train())
    write(world.records, {"more.jsonl": (world.records / "dev.jsonl").read_text() + json.dumps({"id": "b", **bad})})
    done = world.evaluate("--split", "more")
    refused(done, f"{world.records}/more.jsonl{fault}")
    done = world.train("evaluation.split=more", f"output.directory={own.root}/other")
    refused(done, f"{world.records}/more.jsonl{fault}")


def test_numbers_are_classes_without_any_task_json(own: Own) -> None:
    """A user's own lines as they are: the classes are those of train, and a number is its name."""
    world = own.world("custom_classification", text=sentence, label=lambda n: n % 2)
    finished(world.train())
    found = told(world.evaluate("--predictions", own.root / "said.jsonl"))
    said = [json.loads(line)["answer"] for line in (own.root / "said.jsonl").read_text().splitlines()]
    assert set(said) <= {"0", "1"} and found["accuracy_baseline"] == 50
    right = sum(answer == str(n % 2) for n, answer in enumerate(said)) / len(said)
    assert found["accuracy"] == pytest.approx(100 * right)


def test_more_examples_a_step_than_there_are(sst2: World) -> None:
    refused(sst2.train("data.batch=9", "output.directory=x"), "data.batch is 9, but", "train.jsonl has 8 records")


def test_splits_that_there_are_not(sst2: World) -> None:
    refused(sst2.evaluate("--split", "val"), f"{sst2.records} has no split 'val'; it has dev, test, train")
    refused(sst2.evaluate("--split", "test"), f"{sst2.records}/test.jsonl:1: label is missing")
    refused(sst2.train("data.train_split=all"), "has no split 'all'; it has dev, test, train")
    refused(sst2.train(f"data.records={sst2.root}"), "holds no SPLIT.jsonl")


def test_sheets_and_answers_of_the_wrong_kind(sst2: World, own: Own, tmp_path: Path) -> None:
    refused(sst2.evaluate("--sheet", tmp_path / "x.png"), "--sheet", "is for runs of kind pretrain", "--predictions")
    refused(sst2.evaluate("--predictions", tmp_path), f"{tmp_path} is a folder; name a file")
    done = tool("evaluate", "-c", CONFIGS / "pretrain_tiny.yaml", "--weights", tmp_path, "--predictions", tmp_path)
    refused(done, "is for tasks; of zero-shot retrieval: --sheet FILE.png")
    world = own.world("custom_retrieval", **SEEN)
    finished(world.train())
    done = world.evaluate("--predictions", tmp_path / "x.jsonl")
    refused(done, "retrieval has no answer for each record, but scores; leave it out")
    assert "R@1" not in done.out, "told before the scoring"


def test_weights_of_something_else(sst2: World, places: Places, tmp_path: Path) -> None:
    refused(sst2.evaluate(weights=tmp_path / "no"), f"{tmp_path}/no does not exist; name the folder")
    refused(sst2.evaluate(weights=tmp_path), "holds no task.json: its weights are not fine-tuned on a task")
    cola = World(tmp_path / "cola", places, "cola").ready()
    refused(cola.evaluate(weights=sst2.run), f"{sst2.run} was trained on sst2, but task is cola; name a run")
    refused(sst2.evaluate("-o", "model.layers=2"), "does not fit the model of this run", "encoder.layers.1")


def test_weights_of_pretraining(sst2: World, tmp_path: Path) -> None:
    """To begin with they are right, to be judged on a task they are not."""
    checkpoint = tmp_path / "pretrained" / "checkpoints" / "step-00000001"
    shutil.copytree((sst2.run / "checkpoints" / "best").resolve(), checkpoint)
    for name in ("task.json", "manifest.json"):
        (checkpoint / name).unlink(missing_ok=True)
    refused(sst2.evaluate(weights=tmp_path / "pretrained"), "holds no task.json: its weights are not fine-tuned")
    done = finished(sst2.train(f"model.weights={checkpoint}", f"output.directory={tmp_path}/run"))
    assert f"weights from {checkpoint}; new at random: none" in done.out


def test_another_tokenizer_than_in_training(sst2: World, tmp_path: Path) -> None:
    train_tokenizer(["other words"], 270, lowercase=False).save(tmp_path / "other")
    other = f"data.tokenizer={tmp_path}/other"
    refused(sst2.evaluate("-o", other), "was trained with other data than the settings name now: the tokenizer differ")
    refused(sst2.train(other), f"{sst2.run} holds a run with other settings", "data.tokenizer")
    refused(sst2.train(other, f"model.weights={sst2.run}/checkpoints/best", f"output.directory={tmp_path}/run"),
            "was trained with other data", "the tokenizer differ")  # fmt: skip


def test_records_that_changed_since_the_run_began(sst2: World, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(sst2.run, run, symlinks=True)
    before = (sst2.records / "train.jsonl").read_text()
    try:
        write(sst2.records, {"train.jsonl": before.replace("dog 1", "dog 9")})
        done = sst2.train(f"output.directory={run}")
    finally:
        write(sst2.records, {"train.jsonl": before})
    refused(done, "was trained with other data than the settings name now: the records differ")


@pytest.mark.parametrize(("wish", "parts"), [
    ("reward.samples=1", ["reward.samples is 1, but sst2 generates nothing; set it to 0"]),
    ("adversarial.steps=1", ["adversarial.on is both, but sst2 reads no image: set it to text"]),
    ("model.vocabulary=300", ["model.vocabulary is 300, but the data have 290"]),
    ("optimizer.schedule=cosine", ["optimizer.schedule is cosine; must be one of linear, release, epochs, noam"]),
])  # fmt: skip
def test_settings_that_do_not_suit_the_task(wish: str, parts: list[str], sst2: World, tmp_path: Path) -> None:
    refused(sst2.train(wish, f"output.directory={tmp_path}/run"), *parts)
