"""Which images of a split satisfy a caption: several stamps share a text, so retrieval must accept several answers."""

from __future__ import annotations

from collections.abc import Sequence

from unimo_paddle.prepare.small_world.formats import Told
from unimo_paddle.prepare.small_world.truth import satisfies


def caption_images(told: Sequence[Told]) -> dict[str, list[int]]:
    """Return {caption id: ids of all the images whose true graph satisfies the caption}, ids in increasing order.

    A caption's own image is always among them. Only images that show every class of the caption are looked at.
    """
    showing: dict[str, set[int]] = {}
    for position, each in enumerate(told):
        for thing in each.scene.objects:
            showing.setdefault(thing.cutout.name, set()).add(position)
    answers = {}
    for each in told:
        for k, caption in enumerate(each.captions):
            candidates = set.intersection(*(showing[said.name] for said in caption.things))
            fitting = [told[position].scene for position in candidates if satisfies(told[position].scene, caption)]
            answers[str(each.caption_id(k))] = sorted(scene.image_id for scene in fitting)
    return answers
