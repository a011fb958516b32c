"""What a task scores without a model, worked by hand."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.data import small_task
from unimo_paddle.build.task_baselines import constant_answers
from unimo_paddle.build.task_retrieval import RetrievalSplit, chances
from unimo_paddle.build.task_sources import TaskSources
from unimo_paddle.metrics.retrieval import chance
from unimo_paddle.records import Records

Answers = Callable[..., tuple[str, list[str | float]]]


def sources_of(name: str) -> TaskSources:
    words = small_task.tokenizer()
    return TaskSources(small_task.task(name), words, None, small_task.encoder(name, words))


@pytest.fixture
def answers(tmp_path: Path) -> Answers:
    """Return a function: task, records of train, records that are judged -> constant_answers() of them."""

    def made(name: str, trained: list[dict], judged: list[dict]) -> tuple[str, list[str | float]]:
        files = ((tmp_path / "a.jsonl", trained), (tmp_path / "b.jsonl", judged))
        return constant_answers(sources_of(name), *(small_task.write_json(path, *told) for path, told in files))

    return made


def test_the_commonest_class_of_train(answers: Answers) -> None:
    trained = [{"text": "a", "label": label} for label in ("neutral", "entailment", "entailment", "contradiction")]
    assert answers("text", trained, [{"text": "x", "label": "neutral"}] * 3) == ("commonest class", ["entailment"] * 3)
    trained = [{"text": "a", "label": label} for label in (2, 0, 2.0, 1)]
    assert answers("text", trained, [{"text": "x"}])[1] == ["2"], "numbers are names of classes"


def test_the_answer_that_most_questions_have_as_their_best(answers: Answers) -> None:
    trained = [{"answers": {"yes": 1, "no": 0.3}}, {"answers": {"no": 0.9, "yes": 0.6}}, {"answers": {"no": 0.3}}]
    assert answers("answer", trained, [{}, {}]) == ("commonest answer", ["no", "no"])


def test_the_mean_number(answers: Answers) -> None:
    assert answers("number", [{"label": 1}, {"label": 2.5}, {"label": 0}], [{}, {}]) == (
        "mean number", [pytest.approx(3.5 / 3)] * 2)  # fmt: skip


def test_the_beginning_of_the_source_as_long_as_a_target_is(answers: Answers) -> None:
    trained = [{"text": "x", "target": target} for target in ("one", "two words", "now there are five words")]
    name, found = answers("summary", trained, [{"text": "a b c d"}, {"text": "e"}])
    assert (name, found) == ("copy of the source", ["a b", "e"])


def test_of_a_dialogue_the_question_and_of_ids_their_words(answers: Answers) -> None:
    (tokens,) = small_task.tokenizer().encode_batch(["dog 3 is near a pond"])
    trained = [{"text": "x", "turns": ["a"], "target": tokens.ids.tolist()[:3]}]
    usual = len(small_task.tokenizer().decode(tokens.ids[:3]).split())
    judged = [{"text": "passage", "turns": ["first", "answer", tokens.ids.tolist()]}]
    assert answers("dialogue", trained, judged)[1] == [" ".join(["dog", "3", "is", "near"][:usual])]


def test_the_commonest_caption(answers: Answers) -> None:
    trained = [{"image": "1", "target": target} for target in ("a dog", "a cat", "a cat")]
    assert answers("caption", trained, [{"image": "9"}]) == ("commonest caption", ["a cat"])


@pytest.fixture
def matching(tmp_path: Path) -> RetrievalSplit:
    """12 images with a caption each, the last of which is also true of the first image; a 13th caption of image 0."""
    records = [replace(small_task.record("match", n), text=f"caption {n}") for n in range(12)]
    records[11] = replace(records[11], images=("image0",))
    records.append(replace(records[0], id="more", text="another"))
    words = small_task.tokenizer()
    file: Records = small_task.write(tmp_path / "test.jsonl", records)
    return RetrievalSplit(file, small_task.store(tmp_path / "regions"), small_task.encoder("match", words))


def test_chances_of_retrieval(matching: RetrievalSplit) -> None:
    """A text is sought among 12 images, an image among 13 texts: image 0 has three of them, the others one."""
    found = {name: one.value for name, one in chances(matching).items()}
    of_image = [3] + [1] * 11
    for k in (1, 5, 10):
        # a text: 1 image of 12; the one that is true of two images: 2 of 12
        texts = [chance(2 if n == 11 else 1, 12, k) for n in range(13)]
        assert found[f"image_R@{k}"] == pytest.approx(100 * sum(texts) / 13)
        assert found[f"text_R@{k}"] == pytest.approx(100 * sum(chance(c, 13, k) for c in of_image) / 12)
    assert found["image_R@1"] == pytest.approx(100 * (14 / 12) / 13)
    assert all(one.low == one.value == one.high for one in chances(matching).values()), "no example was drawn"
    assert {one.count for name, one in chances(matching).items() if name.startswith("image")} == {13}
    assert {one.count for name, one in chances(matching).items() if name.startswith("text")} == {12}
