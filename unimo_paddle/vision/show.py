"""Regions drawn on their picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from unimo_paddle.errors import UserError
from unimo_paddle.files import atomic_write
from unimo_paddle.region_shards import Regions, StoreMeta
from unimo_paddle.vision.boxes import shared_area
from unimo_paddle.vision.pictures import Place, open_upright

COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#800000", "#808000", "#000075")
LONG_SIDES = 960, 1600  # of a shown picture, pixels: smaller and larger ones are scaled to these
LETTERS = 28, 14  # height at most and at least, pixels; unless a label is too long for the picture
LEAST_SHORT_SIDE = 320  # pixels; what a narrow picture lacks is left gray, as room for the labels
ATTRIBUTE_THRESHOLD = 0.1  # bottom-up-attention, data/demo: attr_thresh
MARGIN = 2  # pixels between a label's text and its edge
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Label:
    """A region to be drawn: box in pixels of the canvas."""

    text: str
    box: Box
    colour: str


def draw_regions(
    image: Image.Image, regions: Regions, classes: Sequence[str], threshold: float = 0.2, most: int = 12,
    attributes: Sequence[str] = (),
) -> Image.Image:  # fmt: skip
    """Return a copy of the upright RGB image with the boxes, attributes, class names and scores of its regions.

    classes, attributes: names as in StoreMeta.  Regions whose class probability is not above `threshold` are left out,
    the best one excepted, and of more than `most` the less probable ones.
    """
    canvas = image.convert("RGB")
    _draw(ImageDraw.Draw(canvas), canvas.size, list(_labels(canvas, regions, classes, attributes, threshold, most)))
    return canvas


def require_drawable(threshold: float, most: int) -> None:
    """Raise UserError naming the flag when a threshold is no probability, or not even one region may be drawn."""
    faults = [] if 0 <= threshold < 1 else [f"--threshold {threshold} is no probability: 0 <= threshold < 1 is wanted"]
    faults += [] if most >= 1 else [f"--most {most} leaves nothing to draw: at least 1 is wanted"]
    if faults:
        raise UserError("; ".join(faults))


def show_regions(place: Place, regions: Regions, meta: StoreMeta, out: Path, threshold: float, most: int) -> None:
    """Read the image, draw its regions large enough to be read, write a PNG; UserError when it cannot be read."""
    canvas, moved = _enlarged(open_upright(place), regions)
    drawn = draw_regions(canvas, moved, meta.classes, threshold, most, meta.attributes)
    with atomic_write(out) as file:
        drawn.save(file, "PNG")


def _enlarged(image: Image.Image, regions: Regions) -> tuple[Image.Image, Regions]:
    """Scale a picture until labels fit on it and it fits a screen; a very narrow one gets gray room on both sides."""
    low, high = LONG_SIDES
    scale = min(max(1.0, low / max(image.size)), high / max(image.size))
    width, height = (max(1, round(side * scale)) for side in image.size)
    scaled = image if (width, height) == image.size else image.resize((width, height), Image.Resampling.BICUBIC)
    canvas = Image.new("RGB", (max(width, LEAST_SHORT_SIDE), max(height, LEAST_SHORT_SIDE)), "#808080")
    left, above = (canvas.width - width) // 2, (canvas.height - height) // 2
    canvas.paste(scaled, (left, above))
    boxes = regions.boxes * np.array([width / regions.width, height / regions.height] * 2) + [left, above] * 2
    return canvas, replace(regions, boxes=boxes, width=canvas.width, height=canvas.height)


def label_of(regions: Regions, row: int, classes: Sequence[str], attributes: Sequence[str]) -> str:
    """Return a region's attribute, if it likely has one, its class and the class's probability: `red apple 0.93`."""
    label = 1 + int(regions.class_probs[row, 1:].argmax())
    words = [classes[label], f"{regions.class_probs[row, label]:.2f}"]
    if regions.attr_probs is not None and attributes:
        told = regions.attr_probs[row, 1:]
        if told.max() > ATTRIBUTE_THRESHOLD:
            words.insert(0, attributes[1 + int(told.argmax())])
    return " ".join(words)


def _labels(
    canvas: Image.Image, regions: Regions, classes: Sequence[str], attributes: Sequence[str], threshold: float,
    most: int,
) -> Iterator[Label]:  # fmt: skip
    scores = regions.class_probs[:, 1:].max(1)
    scale = np.array([canvas.width / regions.width, canvas.height / regions.height] * 2)
    for place, row in enumerate(np.argsort(-scores, kind="stable")[:most]):
        if place == 0 or scores[row] > threshold:
            x1, y1, x2, y2 = (regions.boxes[row] * scale).tolist()
            text = label_of(regions, int(row), classes, attributes)
            yield Label(text, (x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)), COLOURS[place % len(COLOURS)])


def _draw(pen: ImageDraw.ImageDraw, size: tuple[int, int], labels: Sequence[Label]) -> None:
    """Draw all boxes, then all labels upon them; the first is the most important one and drawn last."""
    letter = _letter_size(pen, size, labels)
    font = ImageFont.load_default(letter)
    for label in reversed(labels):
        pen.rectangle(label.box, outline=label.colour, width=max(2, letter // 6))
    taken: list[Box] = []
    for label in labels:
        left, top, right, bottom = pen.textbbox((0, 0), label.text, font=font)
        taken.append(_place(label.box, (right - left + 2 * MARGIN, bottom - top + 2 * MARGIN), size, taken))
    for label, (x1, y1, x2, y2) in reversed(list(zip(labels, taken, strict=True))):
        left, top, _, _ = pen.textbbox((0, 0), label.text, font=font)
        pen.rectangle((x1, y1, x2 - 1, y2 - 1), fill=label.colour)
        pen.text((x1 + MARGIN - left, y1 + MARGIN - top), label.text, fill="white", font=font)


def _letter_size(pen: ImageDraw.ImageDraw, size: tuple[int, int], labels: Sequence[Label]) -> int:
    """Return the height of the letters in pixels: by the picture's size, but so that the longest label fits on it."""
    largest, smallest = LETTERS
    wished = min(largest, max(smallest, min(size) // 22))
    widest = max(pen.textlength(label.text, font=ImageFont.load_default(wished)) for label in labels)
    return max(6, int(wished * min(1.0, (size[0] - 2 * MARGIN) / widest)))


def _place(box: Box, label: tuple[float, float], canvas: tuple[int, int], taken: Sequence[Box]) -> Box:
    """Return where a label of this width and height goes: on or at its box, inside the canvas, off other labels.

    Where no place is free it is the one of which least is covered.
    """
    width, height = label
    x1, y1, x2, y2 = box
    steps = (y1 - height, y1, y2 - height, y2), (y1 + height, y2 - 2 * height, y1 - 2 * height, y2 + height)
    rows = (*steps[0], (y1 + y2 - height) / 2, *steps[1])
    places = [(x, y) for y in rows for x in (x1, x2 - width, (x1 + x2 - width) / 2)]
    inside = [(max(0.0, min(x, canvas[0] - width)), max(0.0, min(y, canvas[1] - height))) for x, y in places]
    corners = np.array([(x, y, x + width, y + height) for x, y in inside], np.float32)
    covered = shared_area(corners, np.array(taken, np.float32).reshape(-1, 4)).sum(1)
    best = corners[int(covered.argmin())]
    return tuple(best.tolist())  # type: ignore[return-value]  # four numbers
