"""Hypotheses about a scene that are certainly true, certainly false, or that no picture could decide (SNLI-VE)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from unimo_paddle.prepare.small_world.language import (
    NUMBERS,
    PHRASES,
    described,
    indefinite,
    noun_phrase,
    pick,
    plural,
    sentence,
)
from unimo_paddle.prepare.small_world.scene import INVERSE, Scene
from unimo_paddle.prepare.small_world.truth import Truth, wrong_word

LABELS = ("entailment", "neutral", "contradiction")
EACH = 2   # hypotheses of each label for a scene
_UNDECIDABLE = (
    "the {} was here yesterday", "the {} belongs to a neighbor", "the {} will be gone tomorrow",
    "somebody is looking for the {}", "the {} came from far away", "there is another {} outside the picture",
    "the {} is older than it looks", "a child likes the {}",
)
_ATTEMPTS = 60


@dataclass(frozen=True)
class Hypothesis:
    """A sentence with its label, one of LABELS."""

    text: str
    label: str


def write_hypotheses(scene: Scene, truth: Truth, rng: np.random.Generator) -> list[Hypothesis]:
    """Return EACH different hypotheses of every label.

    True and false ones share their forms, so the wording does not give the label away; neutral ones cannot.
    """
    found: list[Hypothesis] = []
    for label in LABELS:
        texts: list[str] = []
        for _ in range(_ATTEMPTS):
            text = _hypothesis(scene, truth, rng, label)
            texts += [text] if text and text not in texts else []
            if len(texts) == EACH:
                break
        found += [Hypothesis(text, label) for text in texts]
    return found


def _hypothesis(scene: Scene, truth: Truth, rng: np.random.Generator, label: str) -> str:
    """Return one sentence, or "" when the form drawn does not fit the scene."""
    if label == "neutral":
        text = pick(rng, _UNDECIDABLE).format(scene.objects[rng.integers(len(scene.objects))].cutout.name)
    else:
        text = _FORMS[rng.integers(len(_FORMS))](scene, truth, rng, label == "entailment")
    return sentence(text) if text else ""


def _presence(scene: Scene, truth: Truth, rng: np.random.Generator, true: bool) -> str:
    here = bool(rng.random() < 0.5)
    cutout = scene.objects[rng.integers(len(scene.objects))].cutout if here else truth.absent(scene, rng)
    name = noun_phrase(cutout.words, cutout.name)
    return f"there is {indefinite(name)}" if here == true else f"there is no {name}"


def _relation(scene: Scene, truth: Truth, rng: np.random.Generator, true: bool) -> str:
    edges = list(scene.relations())
    first, relation, second = edges[rng.integers(len(edges))]
    words = pick(rng, PHRASES[relation if true else INVERSE[relation]])
    first_name, second_name = (described(scene.objects[k], sized=False) for k in (first, second))
    return f"{indefinite(first_name)} is {words} {indefinite(second_name)}"


def _word(scene: Scene, truth: Truth, rng: np.random.Generator, true: bool) -> str:
    thing = scene.objects[rng.integers(len(scene.objects))]
    words = wrong_word(thing, rng)
    return f"the {thing.cutout.name} is {words[0] if true else words[1]}" if words else ""


def _number(scene: Scene, truth: Truth, rng: np.random.Generator, true: bool) -> str:
    kinds = sorted({kind for thing in scene.objects for kind in thing.cutout.kinds})
    kind = pick(rng, kinds) if kinds else ""
    count = truth.count(scene, kind) if kind else 0
    if not count:
        return ""
    said = count if true else (count % (len(NUMBERS) - 1)) + 1
    # "exactly", for four birds are also two birds.
    verb, noun = ("is", kind) if said == 1 else ("are", plural(kind))
    return f"there {verb} exactly {NUMBERS[said]} {noun} in the picture"


_Form = Callable[[Scene, Truth, np.random.Generator, bool], str]
_FORMS: tuple[_Form, ...] = (_presence, _relation, _word, _number)
