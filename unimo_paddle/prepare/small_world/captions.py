"""Five true captions a scene: the first names everything, the others a part of it in other words."""

from __future__ import annotations

import numpy as np

from unimo_paddle.prepare.small_world.language import NUMBERS, Draft, Statement, listing, pick
from unimo_paddle.prepare.small_world.scene import Scene

CAPTIONS = 5
_BACKGROUND_ODDS = 0.3
_BEHIND = ("with {} in the background", "in front of {}", "against a background of {}")
_SIDES = {"left of": ("to its left", "on its left"), "right of": ("to its right", "on its right"),
          "above": ("above it",), "below": ("below it", "under it")}
_OPENINGS = ("a picture of", "a photo of", "a photo showing", "this picture shows", "a scene with", "the picture shows")
_ALONE = ("there is {} in the picture", "{} in a picture", "you can see {} here")
_ATTEMPTS = 100


def write_captions(scene: Scene, rng: np.random.Generator) -> list[Statement]:
    """Return CAPTIONS different statements; the first names every object with its words and at least one relation."""
    captions = [_everything(scene, rng)]
    for _ in range(_ATTEMPTS):
        made = _FORMS[int(rng.integers(len(_FORMS)))](scene, rng)
        if all(made.text != other.text for other in captions):
            captions.append(made)
        if len(captions) == CAPTIONS:
            return captions
    raise AssertionError(f"scene {scene.image_id} gave {len(captions)} different captions in {_ATTEMPTS} attempts")


def _everything(scene: Scene, rng: np.random.Generator) -> Statement:
    """One clause for a pair, one for each further object, tied to something already named where a relation holds."""
    draft, edges = Draft(scene, sized=True), list(scene.relations())
    first, relation, second = edges[rng.integers(len(edges))]
    form = int(rng.integers(4))
    verb = "" if form else "is "
    if form == 3:
        words = f"{draft.relate(first, relation, second, rng)} {draft.name(second)} there is {draft.name(first)}"
    else:
        subject = draft.name(first)
        words = f"{subject} {verb}{draft.relate(first, relation, second, rng)} {draft.name(second)}"
    opening = pick(rng, ("there is ", "you can see ")) if form == 1 else ""
    clauses = [opening + words, *_further(draft, edges, rng, "is " if form in (0, 3) else "")]
    if len(clauses) > 1:
        clauses[-1] = f"{'with' if form == 1 else 'and'} {clauses[-1]}"
    return _before(draft, ", ".join(clauses), rng, comma=True)


def _further(draft: Draft, edges: list[tuple[int, str, int]], rng: np.random.Generator, verb: str) -> list[str]:
    """Return a clause for each object that was not named yet."""
    clauses = []
    rest = [k for k in range(len(draft.scene.objects)) if k not in draft.things]
    for index in rng.permutation(rest).tolist():
        ties = [(relation, other) for subject, relation, other in edges if subject == index and other in draft.things]
        if not ties:
            clauses.append(f"{'there is also ' if verb else ''}{draft.name(index)}")
            continue
        relation, other = ties[rng.integers(len(ties))]
        subject = draft.name(index)
        clauses.append(f"{subject} {verb}{draft.relate(index, relation, other, rng)} {draft.again(other)}")
    return clauses


def _pair(scene: Scene, rng: np.random.Generator) -> Statement:
    draft, edges = Draft(scene, sized=bool(rng.random() < 0.5)), list(scene.relations())
    first, relation, second = edges[rng.integers(len(edges))]
    subject = draft.name(first)
    verb = pick(rng, ("is ", "", "can be seen "))
    opening = pick(rng, ("there is ", "")) if not verb else ""
    text = f"{opening}{subject} {verb}{draft.relate(first, relation, second, rng)} {draft.name(second)}"
    return _before(draft, text, rng, comma=True)


def _with_side(scene: Scene, rng: np.random.Generator) -> Statement:
    """Say the relation from its other end: "a duck with a key to its left"."""
    draft, edges = Draft(scene, sized=bool(rng.random() < 0.5)), list(scene.relations())
    first, relation, second = edges[rng.integers(len(edges))]
    draft.relations.append((first, relation, second))
    return draft.finish(f"{draft.name(second)} with {draft.name(first)} {pick(rng, _SIDES[relation])}")


def _list(scene: Scene, rng: np.random.Generator) -> Statement:
    draft = Draft(scene, sized=bool(rng.random() < 0.5))
    count = int(rng.integers(2, len(scene.objects) + 1))
    names = [draft.name(index) for index in rng.permutation(len(scene.objects))[:count].tolist()]
    return _before(draft, f"{pick(rng, _OPENINGS)} {listing(names)}", rng, comma=False)


def _single(scene: Scene, rng: np.random.Generator) -> Statement:
    draft = Draft(scene, sized=bool(rng.random() < 0.5))
    name = draft.name(int(rng.integers(len(scene.objects))))
    if rng.random() < 0.5:
        return draft.finish(f"{name} {pick(rng, _BEHIND).format(scene.background.phrase)}", background=True)
    return draft.finish(pick(rng, _ALONE).format(name))


def _counted(scene: Scene, rng: np.random.Generator) -> Statement:
    draft, count = Draft(scene, sized=bool(rng.random() < 0.5)), len(scene.objects)
    name = draft.name(int(rng.integers(count)))
    form = pick(rng, ("{} things, and one of them is {}", "there are {} things in the picture, one of them {}",
                      "{} things including {}"))
    return draft.finish(form.format(NUMBERS[count], name), count=count)


def _before(draft: Draft, text: str, rng: np.random.Generator, comma: bool) -> Statement:
    """Sometimes name the background, at the end of the sentence."""
    if rng.random() >= _BACKGROUND_ODDS:
        return draft.finish(text)
    behind = _BEHIND[0] if comma else pick(rng, _BEHIND)
    return draft.finish(f"{text}{',' if comma else ''} {behind.format(draft.scene.background.phrase)}", background=True)


# As often as they stand here: sentences that tell a scene apart come more often than those that many scenes satisfy.
_FORMS = (_pair, _pair, _with_side, _with_side, _list, _list, _single, _counted)
