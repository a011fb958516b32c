"""tools/predict.py: every task from raw inputs, answers in order, and requests that cannot be met, told at once."""

import json
from pathlib import Path

import numpy as np
import paddle
import pytest

from tests import small_run
from tests.data import small_task
from tests.mini_world import CONFIGS, Done, call, refused
from tests.small_run import SmallRun, StubExtractor, make_picture
from unimo_paddle.build import seeing
from unimo_paddle.config import load_run
from unimo_paddle.config.save import save_run
from unimo_paddle.data.batch import pad
from unimo_paddle.data.encode import encode_image
from unimo_paddle.data.patterns import bidirectional
from unimo_paddle.model.inputs import first_rows, to_tensors
from unimo_paddle.regions import RegionStore
from unimo_paddle.task_spec import Classify, Generate, Match, Regress
from unimo_paddle.tasks import TASKS

TURNS = {"turns": ["who is it?", "a dog", "where?"]}


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> type[StubExtractor]:
    """Pictures are looked at by the stub; nothing was looked at yet."""
    monkeypatch.setattr("unimo_paddle.vision.detector.load_detector", lambda path: path)
    monkeypatch.setattr("unimo_paddle.vision.extractor.Extractor", StubExtractor)
    monkeypatch.setattr(StubExtractor, "pictures", [])
    return StubExtractor


def predict(run: SmallRun, *words: object, weights: Path | None = None) -> Done:
    return call(["predict", "--weights", str(weights or run.folder), *map(str, words)])


def answers(done: Done) -> list[dict]:
    assert done.status == 0, done.err
    return json.loads(done.out.splitlines()[-1])["answers"]


def jsonl(path: Path, *records: dict) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in records))
    return path


@pytest.fixture(scope="module")
def vqa(tmp_path_factory: pytest.TempPathFactory) -> SmallRun:
    return small_run.make(tmp_path_factory.mktemp("vqa"), "vqa")


@pytest.fixture(scope="module")
def match(tmp_path_factory: pytest.TempPathFactory) -> SmallRun:
    return small_run.make(tmp_path_factory.mktemp("match"), "flickr30k")


@pytest.mark.parametrize("name", sorted(TASKS))
def test_every_task_answers_and_explains(name: str, tmp_path: Path, detector: type[StubExtractor]) -> None:
    run, task = small_run.make(tmp_path, name), TASKS[name]
    fields = {"image": "image3", "text": "dog 3 is near a pond", **TURNS}
    record = {field: value for field, value in fields.items() if field in task.reads}
    picture = {"image": str(make_picture(tmp_path / "p.png"))} if task.needs_regions else {}
    page = tmp_path / "page.html"
    done = predict(run, "--jsonl", jsonl(tmp_path / "in.jsonl", record, {**record, **picture}), "--explain", page,
                   "-o", "decoding.most=14", "decoding.least=0")  # fmt: skip
    found = answers(done)
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert len(found) == (1 if isinstance(task.head, Match) else 2)
    for one in found:
        numbers = [number for _, number in one["ranked"]]
        assert numbers == sorted(numbers, reverse=True)
        if isinstance(task.head, Regress):
            assert isinstance(one["answer"], float) and not numbers
        else:
            assert one["answer"] == one["ranked"][0][0]
        if isinstance(task.head, Classify):
            assert sum(numbers) == pytest.approx(1)
            assert {label for label, _ in one["ranked"]} == {*small_run.labels_of(name)}
        if isinstance(task.head, Generate):
            assert len(numbers) > 1


def test_the_scores_are_the_models(vqa: SmallRun) -> None:
    """Computed again without any of the code between the record and the answer."""
    (found,) = answers(predict(vqa, "--image", "image3", "--text", "dog 3 is near a pond"))
    words, data = small_task.tokenizer(), vqa.run.data
    row = small_task.encoder("answer", words).text(small_task.Record("x", text="dog 3 is near a pond"), "x")
    image = encode_image(RegionStore(data.regions).read("image3"), "image3", data.max_regions)
    sequences = pad([image], [row], [bidirectional(len(image.features), len(row.ids))])
    vqa.model.eval()
    with paddle.no_grad():
        logits = vqa.model.answers(vqa.model(to_tensors(sequences), first_rows(sequences))).numpy()[0]
    expected = dict(zip(small_run.LABELS["vqa"], 1 / (1 + np.exp(-logits)), strict=True))
    assert dict(found["ranked"]) == pytest.approx(expected, abs=1e-6)


def test_a_checkpoint_alone_is_enough(vqa: SmallRun, tmp_path: Path) -> None:
    words = "--image", "image3", "--text", "what is it?"
    whole = answers(predict(vqa, *words))
    checkpoint = vqa.folder / "checkpoints" / "step-00000001"
    assert answers(predict(vqa, *words, weights=checkpoint)) == whole


def test_each_picture_is_looked_at_once(vqa: SmallRun, tmp_path: Path, detector: type[StubExtractor]) -> None:
    a, b = make_picture(tmp_path / "a.png"), make_picture(tmp_path / "b.png", 200)
    alias = tmp_path / "alias.png"
    alias.symlink_to(a)
    records = [{"image": name, "text": text} for text in ("what?", "where?") for name in ("a.png", "b.png", str(alias))]
    found = answers(predict(vqa, "--jsonl", jsonl(tmp_path / "in.jsonl", *records)))
    assert [*map(Path, detector.pictures)] == [a, b]
    assert len(found) == 6 and found[0]["ranked"] == found[2]["ranked"] != found[1]["ranked"]
    assert [one["id"] for one in found] == list("123456")


def test_one_image_goes_with_all_texts_and_one_text_with_all_images(vqa: SmallRun) -> None:
    found = answers(predict(vqa, "--image", "image1", "--text", "what?", "where?"))
    assert [(one["image"], one["text"]) for one in found] == [("image1", "what?"), ("image1", "where?")]
    found = answers(predict(vqa, "--image", "image1", "image2", "--text", "what?"))
    assert [(one["image"], one["text"]) for one in found] == [("image1", "what?"), ("image2", "what?")]
    refused(predict(vqa, "--image", "image1", "image2", "--text", *"abc"), "2 images and 3 texts are given")


def test_every_image_meets_every_text(match: SmallRun, tmp_path: Path) -> None:
    words = "--image", "image1", "image4", "image7", "--text", "a dog", "a pond", "--explain", tmp_path / "page.html"
    found = answers(predict(match, *words))
    page = (tmp_path / "page.html").read_text()
    for number, one in enumerate(found[2:], start=2):   # an image is shown with the words that it matches best
        section = page[page.index(f'id="input{number}"') :]
        assert 'data-level="' in section and f">{one['answer'].split()[1]}</label>" in section.split("</section>")[0]
    assert [one.get("text") or one["image"] for one in found] == ["a dog", "a pond", "image1", "image4", "image7"]
    by_text = {(one["text"], name): score for one in found[:2] for name, score in one["ranked"]}
    by_image = {(name, one["image"]): score for one in found[2:] for name, score in one["ranked"]}
    assert by_text == by_image and len(by_text) == 6


def test_answers_are_written(vqa: SmallRun, tmp_path: Path) -> None:
    done = predict(vqa, "--image", "image1", "--text", "what?", "where?", "--out", tmp_path / "out.jsonl")
    told = json.loads(done.out.splitlines()[-1])
    assert told == {"task": "vqa", "inputs": 2, "out": str(tmp_path / "out.jsonl")}
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert lines == answers(predict(vqa, "--image", "image1", "--text", "what?", "where?"))


def test_words_are_made_as_they_were_in_training(tmp_path: Path, detector: type[StubExtractor]) -> None:
    """Lower case, and the names of the objects seen, where the checkpoint says that it learnt from such."""
    run = small_run.make(tmp_path, "coco_caption")
    small_run.keep(run, lowercase=True, has_tags=True)
    picture = make_picture(tmp_path / "p.png")
    words = "-o", "decoding.most=6", "decoding.least=0", "--jsonl"
    named = jsonl(tmp_path / "named.jsonl", {"image": str(picture), "tags": "Dog cat <b>pond</b>"})
    bare = jsonl(tmp_path / "bare.jsonl", {"image": str(picture)})
    other = jsonl(tmp_path / "other.jsonl", {"image": str(picture), "tags": "pond"})
    first, second, third = (answers(predict(run, *words, path))[0]["ranked"] for path in (named, bare, other))
    assert first == second != third


def test_names_of_what_is_seen() -> None:
    """Of the detector's classes; of imported features, which know none, numbers."""
    regions = StubExtractor.regions_of(0.5, 48, 40)
    seen = seeing.seen_of(regions, "x", 2, ("__background__", *small_run.CLASSES))
    assert seen.names == ("cat 0.70", "dog 0.90") and seen.tags == "dog cat <b>pond</b>"
    assert len(seen.row.features) == 3 and seen.row.class_probs.shape == (3, 0) and seen.frame == (48, 40)
    bare = seeing.seen_of(regions, "x", 5, ("__background__", "object"))
    assert bare.names == ("region 1", "region 2", "region 3") and bare.tags is None


def test_weights_that_are_none(vqa: SmallRun, world_run: Path, tmp_path: Path) -> None:
    ask = "--image", "image1", "--text", "what?"
    refused(predict(vqa, *ask, weights=tmp_path / "no"), f"--weights {tmp_path}/no does not exist")
    refused(predict(vqa, *ask, weights=tmp_path), "holds no config.yaml", "of a fine-tuning run")
    refused(predict(vqa, *ask, weights=world_run), "of kind pretrain, which answers nothing")


@pytest.fixture
def world_run(tmp_path: Path) -> Path:
    """The folder of a pretraining run."""
    folder = tmp_path / "pretrained"
    folder.mkdir()
    save_run(load_run(CONFIGS / "pretrain_tiny.yaml"), folder / "config.yaml")
    return folder


def test_detectors_that_do_not_fit(vqa: SmallRun, tmp_path: Path, detector: type[StubExtractor]) -> None:
    ask = "--image", make_picture(tmp_path / "p.png"), "--text", "what?"
    refused(predict(vqa, *ask, "--detector", tmp_path / "no"), f"--detector is {tmp_path}/no, which does not exist")
    refused(predict(vqa, *ask, "-o", "data.detector=gone"), "data.detector of the run is gone, which does not exist")
    refused(predict(vqa, *ask, "-o", "data.detector=null"), "names no detector", "give --detector DIR")
    refused(predict(vqa, *ask, "--detector", tmp_path), "is no detector: detector.json")
    small_run.make_detector(tmp_path / "other", small_run.SHA)
    refused(predict(vqa, *ask, "--detector", tmp_path / "other"), "is not the detector that the model's regions are")
    assert not detector.pictures
    assert answers(predict(vqa, "--image", "image1", "--text", "what?", "-o", "data.detector=gone"))


def test_images_that_are_nowhere_or_broken(vqa: SmallRun, tmp_path: Path, detector: type[StubExtractor]) -> None:
    refused(predict(vqa, "--image", "dog.jpg", "cat.jpg", "--text", "what?"), "2 of 2 inputs are wrong",
            "image dog.jpg is no file, and no image of", "image cat.jpg")  # fmt: skip
    (tmp_path / "bad.jpg").write_bytes(make_picture(tmp_path / "p.png").read_bytes()[:60])
    refused(predict(vqa, "--image", tmp_path / "bad.jpg", "--text", "what?"), "bad.jpg is no readable image")
    refused(predict(vqa, "--image", "image1", "--text", "a", "-o", f"data.regions={tmp_path}/none"),
            "image1 is no file", "none is no region store")  # fmt: skip


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ([], ["nothing is asked: give --text, --image"]),
        (["--text", "what?"], ["the command line: image is missing: a picture's file"]),
        (["--image", "image1"], ["the command line: text is missing"]),
        (["--image", "image1", "--text", " "], ["the command line: text is empty"]),
        (["--image", "image1", "--text", "a", "--text-b", "b"], ["text_b is filled, but vqa reads only image, text"]),
        (["--jsonl", "gone.jsonl"], ["gone.jsonl does not exist"]),
        (["--jsonl", "gone.jsonl", "--text", "a"], ["give one or the other"]),
        (["--image", "image1", "--text", "a", "-o", "decoding.beam=2"], ["did you mean decoding.beams?"]),
    ],
)
def test_requests_that_cannot_be_met(vqa: SmallRun, words: list[str], parts: list[str]) -> None:
    refused(predict(vqa, *words), *parts)


def test_all_bad_lines_are_told_at_once(vqa: SmallRun, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"image": "image1", "text": "a"}\n\n{"image": 3}\nno\n[]\n{"question": "a"}\n')
    refused(predict(vqa, "--jsonl", path), "4 of 5 inputs are wrong", f"{path}:3: image is 3; a text is wanted",
            f"{path}:4: this is no JSON", f"{path}:5: a JSON object is wanted",
            f"{path}:6: question is no field")  # fmt: skip
    path.write_text('{"text": "a"}\n' * 12)
    refused(predict(vqa, "--jsonl", path), "12 of 12 inputs are wrong", f"{path}:10: image is missing", "and 2 more")
    path.write_text("\n")
    refused(predict(vqa, "--jsonl", path), f"{path} holds no input")


def test_a_matcher_wants_both(match: SmallRun) -> None:
    refused(predict(match, "--text", "a dog"), "matches images and texts, but no image is given")
    refused(predict(match, "--image", "image1"), "matches images and texts, but no text is given")


def test_pairs_and_text_alone(tmp_path: Path) -> None:
    run = small_run.make(tmp_path, "mnli")
    refused(predict(run, "--image", "image1", "--text", "a"), "mnli reads no image, but text, text_b")
    small_run.keep(run, has_pairs=True)
    refused(predict(run, "--text", "a"), "text_b is missing: mnli was trained on pairs of texts (--text-b)")
    assert answers(predict(run, "--text", "a", "--text-b", "b"))[0]["text"] == "a | b"


def test_a_dialogue_without_turns(tmp_path: Path) -> None:
    refused(predict(small_run.make(tmp_path, "coqa"), "--text", "a dog"), "turns is missing: a list of texts")
