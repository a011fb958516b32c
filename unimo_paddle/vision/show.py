"""Regions drawn on their picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from unimo_paddle.files import atomic_write
from unimo_paddle.regions import Regions
from unimo_paddle.vision.pictures import open_upright

COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#800000", "#808000", "#000075")


def draw_regions(
    image: Image.Image, regions: Regions, classes: Sequence[str], threshold: float = 0.2, most: int = 12
) -> Image.Image:
    """Return a copy of the upright RGB image with the boxes, class names and scores of its regions.

    classes: names, the background first, as in StoreMeta.  Regions whose class probability is not above `threshold`
    are left out, the best one excepted.
    """
    canvas = image.convert("RGB")
    pen = ImageDraw.Draw(canvas)
    size = max(10, min(canvas.size) // 22)
    labels = 1 + regions.class_probs[:, 1:].argmax(1)
    scores = regions.class_probs[np.arange(len(labels)), labels]
    order = np.argsort(-scores, kind="stable")[:most]
    scale = np.array([canvas.width / regions.width, canvas.height / regions.height] * 2)
    for place, row in reversed(list(enumerate(order))):
        if place == 0 or scores[row] > threshold:
            text = f"{classes[labels[row]]} {scores[row]:.2f}"
            _draw_box(pen, (regions.boxes[row] * scale).tolist(), text, COLOURS[place % len(COLOURS)], size)
    return canvas


def show_regions(path: Path, regions: Regions, classes: Sequence[str], out: Path, threshold: float = 0.2) -> None:
    """Read the image file, draw its regions, write a PNG; UserError when the image cannot be read."""
    drawn = draw_regions(open_upright(path), regions, classes, threshold)
    with atomic_write(out) as file:
        drawn.save(file, "PNG")


def _draw_box(pen: ImageDraw.ImageDraw, box: list[float], text: str, colour: str, size: int) -> None:
    x1, y1, x2, y2 = box
    pen.rectangle((x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)), outline=colour, width=max(2, size // 6))
    font = ImageFont.load_default(size)
    room = pen.im.size[0] - pen.textlength(text, font=font) - 3  # a label at the right border is moved inside
    place = max(2.0, min(x1, room)), max(0.0, y1 - size - 3)
    left, top, right, bottom = pen.textbbox(place, text, font=font)
    pen.rectangle((left - 2, top - 2, right + 2, bottom + 2), fill=colour)
    pen.text(place, text, fill="white", font=font)
