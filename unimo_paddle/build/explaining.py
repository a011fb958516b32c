"""A page of HTML that shows what the model was asked, what it says, and where each word looks."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from unimo_paddle.build.answered import Answered, meaning
from unimo_paddle.build.attending import Looks, looks_of
from unimo_paddle.build.explained_page import page
from unimo_paddle.build.explained_view import Box, Picture, View
from unimo_paddle.build.predicting import Loaded
from unimo_paddle.build.seeing import Seen
from unimo_paddle.console import progress, say
from unimo_paddle.files import atomic_write
from unimo_paddle.task_spec import Answer, Classify

MOST_INPUTS = 20
MOST_WORDS = 80  # of an input; of more, the first ones of what is read make way
LONGEST = 800    # pixels of a picture's longer side
QUALITY = 85     # of JPEG, 0 to 100


def explain(loaded: Loaded, answered: Sequence[Answered], path: Path) -> None:
    """Write the page, atomically; of more than MOST_INPUTS answers the first ones, and it says so."""
    shown = answered[:MOST_INPUTS]
    views = [_view(loaded, one) for one in progress(shown, len(shown), "drawing attention", "input")]
    task, left_out = loaded.sources.task, len(answered) - len(shown)
    with atomic_write(path, "w") as file:
        file.write(page(f"{task.title}: what was asked and said", meaning(task), views, left_out))
    say(f"page: {path}")


def _view(loaded: Loaded, one: Answered) -> View:
    seen, looks = one.seen, looks_of(loaded, one)
    words = _shown_words(looks)
    return View(
        question=one.text,
        image=one.image or (str(one.said.answer) if seen else None),
        picture=_embedded(seen.picture) if seen and seen.picture else None,
        frame=seen.frame if seen else (0, 0),
        boxes=_boxes(seen) if seen else (),
        names=tuple(looks.names[word] for word in words),
        is_written=tuple(looks.is_written[word] for word in words),
        left_out=len(looks.names) - len(words),
        regions=looks.regions[words],
        words=looks.words[np.ix_(words, words)],
        answers=_answers(loaded, one),
    )


def _shown_words(looks: Looks) -> list[int]:
    """Return which words are shown: all that are written, and as many of the first others as there is room for."""
    written = [word for word, is_written in enumerate(looks.is_written) if is_written][:MOST_WORDS]
    read = [word for word, is_written in enumerate(looks.is_written) if not is_written]
    return read[: MOST_WORDS - len(written)] + written


def _answers(loaded: Loaded, one: Answered) -> tuple[tuple[str, float, float], ...]:
    """Return each answer, its number and how long its bar is, from 0 to 1: where the number is no share of 1, the
    likelihood as a part of the best one's."""
    ranked = one.said.ranked[:10]
    if not ranked:
        return ((f"{one.said.answer:.4f}", float(one.said.answer), 0.0),)
    if isinstance(loaded.sources.task.head, (Classify, Answer)):
        return tuple((name, score, score) for name, score in ranked)
    return tuple((name, score, float(np.exp(min(score - ranked[0][1], 0)))) for name, score in ranked)


def _boxes(seen: Seen) -> tuple[Box, ...]:
    """Return the regions that the model read, in the order of ImageRow after [IMG]."""
    corners = seen.row.boxes[1:].tolist()
    return tuple(Box(name, *box) for name, box in zip(seen.names, corners, strict=True))


def _embedded(path: Path) -> Picture:
    from unimo_paddle.vision.pictures import open_upright

    image, coded = open_upright(path), io.BytesIO()
    image.thumbnail((LONGEST, LONGEST))
    image.save(coded, "JPEG", quality=QUALITY)
    return Picture("data:image/jpeg;base64," + base64.b64encode(coded.getvalue()).decode(), image.width, image.height)
