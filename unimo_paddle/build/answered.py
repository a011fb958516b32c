"""What is said to an input: for a person to read, and for a program."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unimo_paddle.build.asked import Asked
from unimo_paddle.build.seeing import Seen
from unimo_paddle.console import say
from unimo_paddle.files import atomic_write
from unimo_paddle.task_spec import Answer, Classify, Generate, Match, Regress, Task
from unimo_paddle.tasks.answers import Said


@dataclass(frozen=True)
class Answered:
    """What is said to one input. asked: what the best answer is read from: of an image that is matched with its best
    text.  image, text: what was asked, in words; None what was not.  seen: the image that the answer is read from: of
    a text that is matched the best one."""

    asked: Asked
    image: str | None
    text: str | None
    said: Said
    seen: Seen | None = None


def meaning(task: Task) -> str:
    """Return what the number beside an answer is."""
    return {
        Classify: "probability of each class",
        Answer: "score of each answer, from 0 to 1",
        Regress: "the number itself",
        Match: "how well they match, without bounds",
        Generate: "log-probability over the length penalty",
    }[type(task.head)]


def lines(task: Task, answered: Sequence[Answered], most: int = 50) -> Iterator[str]:
    """Yield what a person reads: each input, under it the answers with probabilities or scores, the best first."""
    from unimo_paddle.plain_text import visible

    yield f"{task.title}; numbers: {meaning(task)}"
    for number, one in enumerate(answered[:most], start=1):
        parts = [one.image or "", f'"{visible(one.text)}"' if one.text else ""]
        yield f"{number}  {'  '.join(filter(None, parts))}"
        ranked = one.said.ranked or ((f"{one.said.answer:.4f}", None),)
        for answer, score in ranked:
            yield f"   {visible(str(answer))}" if score is None else f"   {score:8.4f}  {visible(answer)}"
    if len(answered) > most:
        yield f"and {len(answered) - most:,} more"


def told(one: Answered) -> dict[str, Any]:
    """Return an answer as an object for programs."""
    found = {"id": one.asked.record.id, "image": one.image, "text": one.text, "answer": one.said.answer}
    return {name: value for name, value in found.items() if value is not None} | {"ranked": list(one.said.ranked)}


def write_answers(path: Path, answered: Sequence[Answered]) -> None:
    """Write one JSON object an answer, atomically."""
    with atomic_write(path, "w") as file:
        for one in answered:
            file.write(json.dumps(told(one), ensure_ascii=False) + "\n")
    say(f"answers: {path}")
