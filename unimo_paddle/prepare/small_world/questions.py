"""Questions with certain answers, in the styles of VQA v2: yes or no, number, other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from unimo_paddle.prepare.small_world.language import PHRASES, described, indefinite, noun_phrase, pick, plural
from unimo_paddle.prepare.small_world.scene import INVERSE, Scene
from unimo_paddle.prepare.small_world.truth import Truth, wrong_word

QUESTIONS = 6
_ATTEMPTS = 40


@dataclass(frozen=True)
class Question:
    """kind: VQA's question type (its first words).  answer_type: yes/no, number or other.

    alternative: a second answer that is as true (two of the ten people give it), or "".
    """

    text: str
    kind: str
    answer_type: str
    answer: str
    alternative: str = ""


def write_questions(scene: Scene, truth: Truth, rng: np.random.Generator) -> list[Question]:
    """Return up to QUESTIONS different questions; kinds that the scene cannot answer are left out."""
    asked: dict[str, Question] = {}
    for _ in range(_ATTEMPTS):
        question = _FORMS[rng.integers(len(_FORMS))](scene, truth, rng) if len(asked) < QUESTIONS else None
        if question:
            asked.setdefault(question.text, question)
    return list(asked.values())


def _presence(scene: Scene, truth: Truth, rng: np.random.Generator) -> Question:
    here = bool(rng.random() < 0.5)
    cutout = scene.objects[rng.integers(len(scene.objects))].cutout if here else truth.absent(scene, rng)
    name = indefinite(noun_phrase(cutout.words, cutout.name))
    text = pick(rng, ("Is there {} in the picture?", "Is there {} in this image?", "Is there {}?")).format(name)
    return Question(text, "is there a", "yes/no", "yes" if here else "no")


def _relation(scene: Scene, truth: Truth, rng: np.random.Generator) -> Question:
    edges = list(scene.relations())
    first, relation, second = edges[rng.integers(len(edges))]
    right = bool(rng.random() < 0.5)
    words = pick(rng, PHRASES[relation if right else INVERSE[relation]])
    names = [scene.objects[k].cutout.name for k in (first, second)]
    return Question(f"Is the {names[0]} {words} the {names[1]}?", "is the", "yes/no", "yes" if right else "no")


def _attribute(scene: Scene, truth: Truth, rng: np.random.Generator) -> Question | None:
    """Ask for a word of a thing, half of the time for a wrong one."""
    thing = scene.objects[rng.integers(len(scene.objects))]
    words = wrong_word(thing, rng)
    if words is None:
        return None
    right = bool(rng.random() < 0.5)
    text = f"Is the {thing.cutout.name} {words[0] if right else words[1]}?"
    return Question(text, "is the", "yes/no", "yes" if right else "no")


def _colour(scene: Scene, truth: Truth, rng: np.random.Generator) -> Question | None:
    thing = scene.objects[rng.integers(len(scene.objects))]
    colours = [attribute.word for attribute in thing.cutout.attributes if attribute.kind == "colour"]
    if len(colours) != 1 or colours == ["colorful"]:
        return None
    return Question(f"What color is the {thing.cutout.name}?", "what color is the", "other", colours[0])


def _size(scene: Scene, truth: Truth, rng: np.random.Generator) -> Question | None:
    thing = scene.objects[rng.integers(len(scene.objects))]
    if not thing.size:
        return None
    return Question(f"Is the {thing.cutout.name} small or large?", "is the", "other", thing.size)


def _variety(scene: Scene, truth: Truth, rng: np.random.Generator) -> Question | None:
    """Ask for breed, material or state: "What kind of guitar is this?" electric."""
    thing = scene.objects[rng.integers(len(scene.objects))]
    words = [attribute.word for attribute in thing.cutout.attributes if attribute.kind != "colour"]
    if len(words) != 1:
        return None
    return Question(f"What kind of {thing.cutout.name} is it?", "what kind of", "other", words[0],
                    described(thing, sized=False))


def _what(scene: Scene, truth: Truth, rng: np.random.Generator) -> Question | None:
    """Ask what stands in a relation, when exactly one thing does."""
    edges = list(scene.relations())
    first, relation, second = edges[rng.integers(len(edges))]
    if sum(edge[1:] == (relation, second) for edge in edges) != 1 or not _all_clear(scene, second, edges):
        return None
    words = pick(rng, PHRASES[relation])
    thing = scene.objects[first]
    return Question(f"What is {words} the {scene.objects[second].cutout.name}?", "what is", "other",
                    thing.cutout.name, described(thing, sized=False))


def _all_clear(scene: Scene, second: int, edges: list[tuple[int, str, int]]) -> bool:
    """Tell whether every other object has a nameable relation to the second one, so that no doubtful one competes."""
    related = {edge[0] for edge in edges if edge[2] == second}
    return len(related) == len(scene.objects) - 1


def _number(scene: Scene, truth: Truth, rng: np.random.Generator) -> Question | None:
    kinds = sorted({kind for thing in scene.objects for kind in thing.cutout.kinds})
    if not kinds or rng.random() < 0.3:
        text = pick(rng, ("How many things are in the picture?", "How many things are there?"))
        return Question(text, "how many", "number", str(len(scene.objects)))
    kind = pick(rng, kinds)
    count = truth.count(scene, kind)
    text = pick(rng, ("How many {} are there?", "How many {} are in the picture?")).format(plural(kind))
    return Question(text, "how many", "number", str(count)) if count else None


_Form = Callable[[Scene, Truth, np.random.Generator], "Question | None"]
_FORMS: tuple[_Form, ...] = (_presence, _relation, _attribute, _colour, _size, _variety, _what, _number)
