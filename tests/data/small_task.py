"""Records of every task over 13 images, small enough to be known by heart."""

import json
from pathlib import Path

from tests.data.small_corpus import write_store
from unimo_paddle.data.task_encode import Limits, TaskEncoder
from unimo_paddle.data.tokenizer import Tokenizer, train_tokenizer
from unimo_paddle.records import Record, Records, to_line
from unimo_paddle.regions import RegionStore
from unimo_paddle.task_spec import Answer, Classify, Generate, Head, Match, Regress, Task

IMAGES = 13
LABELS = ("contradiction", "entailment", "neutral")
ANSWERS = ("yes", "no", "two dogs")
LIMITS = Limits(max_tokens=30, max_target=12, max_tags=6, max_regions=5)
HEADS: dict[str, tuple[Head, tuple[str, ...]]] = {
    "text": (Classify(), ("text", "text_b")),
    "number": (Regress(), ("text", "text_b")),
    "image": (Classify(pooled="sum"), ("image", "text")),
    "answer": (Answer(), ("image", "text")),
    "summary": (Generate(), ("text", "target")),
    "dialogue": (Generate(dialogue=True), ("text", "turns", "target")),
    "caption": (Generate(end="sep"), ("image", "tags", "target")),
    "spoken": (Generate(), ("image", "tags", "text", "target")),
    "match": (Match(), ("image", "text")),
}


def task(name: str) -> Task:
    head, reads = HEADS[name]
    return Task(name, name, reads, head, ("accuracy",), "accuracy")


def tokenizer() -> Tokenizer:
    return train_tokenizer([sentence(n) for n in range(40)], 290, lowercase=False)


def encoder(name: str, words: Tokenizer, limits: Limits = LIMITS) -> TaskEncoder:
    labels = {"answer": ANSWERS, "text": LABELS, "image": LABELS}.get(name, ())
    return TaskEncoder(words, task(name), limits, labels)


def sentence(number: int) -> str:
    """Longer and shorter ones by turns."""
    return f"dog {number}" + " is near a pond" * (number % 4)


def record(name: str, n: int) -> Record:
    """Record n of a task; of captions the last of each image comes again for the next image."""
    reads = HEADS[name][1]
    fields: dict[str, object] = {
        "image": f"image{n % IMAGES}",
        "text": sentence(n),
        "text_b": sentence(n + 1),
        "turns": tuple(sentence(n + turn) for turn in range(1 + n % 4 * 2)),
        "tags": "dog pond",
        "target": sentence(n + 2),
    }
    label = n / 4 if name == "number" else LABELS[n % 3]
    answers = {ANSWERS[n % 3]: 1.0, "unheard of": 0.3} if name == "answer" else {}
    return Record(id=f"r{n}", label=label, answers=answers, **{key: fields[key] for key in reads})  # type: ignore[arg-type]


def write(path: Path, records: list[Record]) -> Records:
    path.write_text("".join(to_line(one) + "\n" for one in records))
    return Records(path)


def write_json(path: Path, *told: dict[str, object]) -> Records:
    path.write_text("".join(json.dumps({"id": str(n), **one}) + "\n" for n, one in enumerate(told)))
    return Records(path)


def store(path: Path) -> RegionStore:
    return write_store(path, "image", IMAGES)
