"""Questions to spans of a told scene: each span, with its sentence, asks for one question."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from unimo_paddle.prepare.small_world.language import NUMBERS
from unimo_paddle.prepare.tasks.constructed.telling import Sentence, Told


@dataclass(frozen=True)
class Asked:
    """answer: a part of the passage.  start: its first character there."""

    question: str
    answer: str
    start: int


def write_questions(told: Told, most: int, rng: np.random.Generator) -> list[Asked]:
    """Return up to `most` questions whose answer, in the passage, answers no other one: it tells which is wanted."""
    found = [one for sentence in told.sentences for one in _questions(told, sentence)]
    times = Counter(one.answer.lower() for one in found)
    single = [one for one in found if times[one.answer.lower()] == 1]
    return [single[k] for k in rng.permutation(len(single)).tolist()][:most]


def _questions(told: Told, sentence: Sentence) -> Iterator[Asked]:
    begin = told.text.index(sentence.text)
    for question, answer in _answered(told, sentence):
        start = _place(sentence.text, answer)
        yield Asked(question, sentence.text[start : start + len(answer)], begin + start)


def _place(sentence: str, answer: str) -> int:
    """Return where a sentence has an answer: at its end, else the first place with these words, whole ones."""
    ending = f"{answer}."
    if sentence.endswith(ending):
        return len(sentence) - len(ending)
    found = re.search(rf"(?<![\w-]){re.escape(answer)}(?![\w-])", sentence, re.IGNORECASE)
    assert found, f"{answer!r} is not in {sentence!r}"
    return found.start()


def _answered(told: Told, sentence: Sentence) -> Iterator[tuple[str, str]]:
    """Yield (question, answer) with answers as the sentence has them, but for capital letters."""
    things = told.graph.things
    if sentence.tie:
        tie = sentence.tie
        first, second = (f"the {things[k].name}" for k in (tie.first, tie.second))
        yield f"What is {tie.words} {second}?", first
        yield f"What is {first} {tie.words}?", second
        yield f"Where is {first}?", f"{tie.words} {second}"
    elif sentence.thing >= 0:
        thing = things[sentence.thing]
        yield f"How big is the {thing.name}?", thing.size
    elif sentence.kind == "background":
        yield sentence.asked, told.graph.background
    else:
        yield from _listed(told, sentence)


def _listed(told: Told, sentence: Sentence) -> Iterator[tuple[str, str]]:
    """The number, and the sizes and colors that the list tells."""
    spoken = sentence.text.rstrip(".").replace(",", "").split()
    apart = {one.thing for one in told.sentences}
    number = NUMBERS[len(told.graph.things)]
    if number in spoken:
        yield f"How many things are in {told.where}?", number
    for place, thing in enumerate(told.graph.things):
        if thing.size in told.words[place] and place not in apart:
            yield f"How big is the {thing.name}?", thing.size
        if thing.colour in spoken:
            yield f"What color is the {thing.name}?", thing.colour
