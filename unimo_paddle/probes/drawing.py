"""What probes show: pictures of a white sheet, uint8 RGB, made with Pillow alone."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from unimo_paddle.data.encode import Floats, ImageRow
from unimo_paddle.probes.hidden import HiddenClasses

LONG_SIDE = 480  # pixels of a shown picture
MARGIN, LETTER, LINE = 10, 15, 20  # pixels: around a cell, height of letters, of a line
LETTERS_A_LINE = 62
RIGHT, WRONG, INK, FRAME = "#1a7f37", "#b42318", "#222222", "#1f5fa8"
HATCH = 9  # pixels between two strokes
CELL, LABEL = (30, 22), 150  # pixels: width and height of a cell of an attention table, room for its labels
SHOWN_WORDS, SHOWN_REGIONS = 24, 16  # rows and columns of the table
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Canvas:
    """A picture and what turns the boxes of its regions into its own pixels."""

    image: Image.Image
    scale: float

    def box(self, corners: Floats) -> tuple[float, float, float, float]:
        """Return x1 y1 x2 y2 on the canvas. corners: float32 [4], pixels of the original."""
        x1, y1, x2, y2 = (float(value) * self.scale for value in corners)
        return x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)


def open_canvas(path: Path, row: ImageRow) -> Canvas:
    """Open a picture, upright, scaled; a white one of its size when the file is missing or unreadable."""
    width, height = (float(side) for side in row.boxes[0, 2:])
    scale = LONG_SIDE / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file).convert("RGB").resize(size, Image.Resampling.BICUBIC)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        image = ImageOps.expand(Image.new("RGB", (max(1, size[0] - 2), max(1, size[1] - 2)), "white"), 1, "#bbbbbb")
    return Canvas(image, scale)


def draw_hidden(canvas: Canvas, row: ImageRow, hidden: HiddenClasses, classes: Sequence[str]) -> Image.Image:
    """Hatch the hidden regions; below, for each, what the model says, and what the detector does where it differs."""
    picture = canvas.image.copy()
    veil = Image.new("L", picture.size, 0)
    for place in hidden.rows:
        ImageDraw.Draw(veil).rectangle(canvas.box(row.boxes[place]), fill=255)
    picture.paste(_hatched(picture), (0, 0), veil)
    pen, lines = ImageDraw.Draw(picture), []
    for number, (place, told, seen) in enumerate(
        zip(hidden.rows, hidden.predicted, hidden.detected, strict=True), start=1
    ):
        colour = RIGHT if told == seen else WRONG
        _numbered(pen, canvas.box(row.boxes[place]), str(number), colour)
        says = classes[told] if told == seen else f"{classes[told]} (the detector: {classes[seen]})"
        lines.append((colour, f"{number}. {says}"))
    return _with_lines(picture, lines)


def draw_caption(canvas: Canvas, written: str, true: str) -> Image.Image:
    """Put the caption that the model writes, and the true one, below the picture."""
    return _with_lines(canvas.image, [(FRAME, f"written: {written or '(nothing)'}"), (INK, f"true: {true}")])


def draw_attention(
    canvas: Canvas, row: ImageRow, words: Sequence[str], weights: Floats, labels: Sequence[str]
) -> Image.Image:
    """Draw a table of attention from words (rows) to regions (columns), beside the picture with the regions numbered.

    weights: float32 [words, R], the image rows' share of each word's attention, [IMG] first; labels: R classes, the
    first for [IMG]. The first words and the regions that they attend to most are shown. Dark is the table's largest
    weight, which is written below.
    """
    words, weights = words[:SHOWN_WORDS], weights[:SHOWN_WORDS]
    columns = [0, *(1 + np.sort(np.argsort(-weights[:, 1:].sum(axis=0), kind="stable")[: SHOWN_REGIONS - 1]))]
    picture = canvas.image.copy()
    pen = ImageDraw.Draw(picture)
    for column in columns[1:]:
        _numbered(pen, canvas.box(row.boxes[column]), str(column), FRAME)
    table = _table(words, weights[:, columns], [f"{c} {labels[c]}" if c else labels[c] for c in columns])
    sheet = Image.new("RGB", (picture.width + table.width + MARGIN, max(picture.height, table.height)), "white")
    sheet.paste(picture, (0, 0))
    sheet.paste(table, (picture.width + MARGIN, 0))
    return sheet


def arrange(cells: Sequence[Image.Image], columns: int = 2) -> Pixels:
    """Return the cells side by side in rows of `columns`, uint8 [H, W, 3]."""
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    width = max(sum(cell.width + MARGIN for cell in row) for row in rows) + MARGIN
    heights = [max(cell.height for cell in row) + MARGIN for row in rows]
    sheet, top = Image.new("RGB", (width, sum(heights) + MARGIN), "white"), MARGIN
    for row, height in zip(rows, heights, strict=True):
        left = MARGIN
        for cell in row:
            sheet.paste(cell, (left, top))
            left += cell.width + MARGIN
        top += height
    return np.asarray(sheet)


def _hatched(picture: Image.Image) -> Image.Image:
    """Return the picture as it looks where it is hidden: gray with strokes, a little of it shining through."""
    gray = Image.blend(picture, Image.new("RGB", picture.size, "#9a9a9a"), 0.75)
    pen = ImageDraw.Draw(gray)
    for start in range(-picture.height, picture.width, HATCH):
        pen.line((start, picture.height, start + picture.height, 0), fill="#6f6f6f")
    return gray


def _numbered(pen: ImageDraw.ImageDraw, box: tuple[float, float, float, float], text: str, colour: str) -> None:
    font = ImageFont.load_default(LETTER)
    pen.rectangle(box, outline=colour, width=2)
    width = pen.textlength(text, font=font) + 6
    pen.rectangle((box[0], box[1], box[0] + width, box[1] + LINE - 2), fill=colour)
    pen.text((box[0] + 3, box[1]), text, fill="white", font=font)


def _with_lines(picture: Image.Image, lines: Sequence[tuple[str, str]]) -> Image.Image:
    """Return the picture with lines of text, (colour, text) each, below it."""
    wrapped = [(colour, textwrap.wrap(text, LETTERS_A_LINE) or [""]) for colour, text in lines]
    height = MARGIN + LINE * sum(len(parts) for _, parts in wrapped)
    sheet = Image.new("RGB", (max(LONG_SIDE, picture.width), picture.height + height), "white")
    sheet.paste(picture, (0, 0))
    pen, font, top = ImageDraw.Draw(sheet), ImageFont.load_default(LETTER), picture.height + MARGIN // 2
    for colour, parts in wrapped:
        for part in parts:
            pen.text((2, top), part, fill=colour, font=font)
            top += LINE
    return sheet


def _table(words: Sequence[str], weights: Floats, labels: Sequence[str]) -> Image.Image:
    """Return the table, column labels upright below it, and what the darkest cell stands for."""
    largest = float(weights.max(initial=1e-9))
    (width, height), below = CELL, CELL[1] * len(words)
    sheet = Image.new("RGB", (LABEL + width * len(labels) + MARGIN, below + LABEL + LINE + MARGIN), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(LETTER)
    for y, word in enumerate(words):
        pen.text((2, y * height), word[:18], fill=INK, font=font)
        for x, weight in enumerate(weights[y] / largest):
            left, top = LABEL + x * width, y * height
            pen.rectangle((left, top, left + width - 2, top + height - 2), fill=_shade(float(weight)))
    for x, label in enumerate(labels):
        strip = Image.new("RGB", (LABEL, LINE), "white")
        ImageDraw.Draw(strip).text((0, 0), label[:19], fill=INK, font=font)
        sheet.paste(strip.rotate(-90, expand=True), (LABEL + x * width + (width - LINE) // 2, below + 4))
    told = f"darkest cell: {100 * largest:.2g} % of a word's attention"
    pen.text((2, below + LABEL + MARGIN // 2), told, fill=INK, font=font)
    return sheet


def _shade(share: float) -> tuple[int, int, int]:
    """Return white for 0 and dark blue for 1."""
    return round(245 - 214 * share), round(247 - 152 * share), round(250 - 82 * share)
