"""The held-out split as a retrieval problem: candidates, right answers, and a sheet to look at."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from unimo_paddle.corpus import Corpus
from unimo_paddle.errors import UserError
from unimo_paddle.files import atomic_write, read_json

PICTURE = (384, 256)  # pixels of a picture on the sheet
WORDS = 520           # pixels of the column of captions
RIGHT, WRONG, PLAIN = "#1a7f37", "#b42318", "#222222"


@dataclass(frozen=True)
class Candidates:
    """I images, T captions.  is_right: bool [T, I], the caption is true of the image."""

    image_ids: list[str]
    image_paths: list[Path]
    captions: list[str]
    is_right: NDArray[np.bool_]


def candidates(corpus: Corpus, split: str, captions_per_image: int, answers: Path | None) -> Candidates:
    """Collect a split's images with their first captions.

    answers: JSON with {"caption_images": {caption id: [image id, ..]}}; without it a caption is true of its own image
    only. Two captions of the same words are true of the same images either way.
    Raises UserError when the split has no pairs or the answers do not fit it.
    """
    images = corpus.images(split)
    by_image: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for pair in corpus.pairs(split):
        if len(by_image[pair.image_id]) < captions_per_image:
            by_image[pair.image_id].append((pair.id, pair.caption))
    shown = [image for image in images if by_image[image.id]]
    if not shown:
        raise UserError(f"split {split!r} of {corpus.path} has no captioned images; it has {', '.join(corpus.splits)}")
    place = {image.id: index for index, image in enumerate(shown)}
    told = [(caption_id, image.id, text) for image in shown for caption_id, text in by_image[image.id]]
    true_of = _read_answers(answers, [caption_id for caption_id, _, _ in told]) if answers else {}
    right: dict[str, set[int]] = defaultdict(set)
    for caption_id, image_id, text in told:
        known = true_of.get(caption_id, [])
        right[_normalised(text)] |= {place[image_id]} | {place[other] for other in known if other in place}
    is_right = np.zeros((len(told), len(shown)), bool)
    for row, (_, _, text) in enumerate(told):
        is_right[row, sorted(right[_normalised(text)])] = True
    return Candidates([i.id for i in shown], [i.path for i in shown], [text for _, _, text in told], is_right)


def draw_sheet(
    found: Candidates, scores: NDArray[np.float32], pictures: Sequence[Image.Image], rows: Sequence[int], out: Path
) -> None:
    """Write a PNG: each picture with its regions, the three captions retrieved for it, and a right one.

    scores: float32 [T, I].  pictures: one for each of `rows`, which are indices of images.
    """
    sheet = Image.new("RGB", (2 * (PICTURE[0] + WORDS), PICTURE[1] * ((len(rows) + 1) // 2)), "white")
    for number, (picture, image) in enumerate(zip(pictures, rows, strict=True)):
        left, top = (number % 2) * (PICTURE[0] + WORDS), (number // 2) * PICTURE[1]
        sheet.paste(ImageOps.pad(picture, PICTURE, color="white"), (left, top))
        _write_captions(sheet, (left + PICTURE[0] + 12, top + 8), _told_of(found, scores, image))
    with atomic_write(out) as file:
        sheet.save(file, "PNG")


def _told_of(found: Candidates, scores: NDArray[np.float32], image: int) -> list[tuple[str, str]]:
    """Return (colour, line): the three best captions, then the best of the right ones with its rank."""
    order = np.argsort(-scores[:, image], kind="stable")
    lines = []
    for rank, text in enumerate(order[:3], start=1):
        right = found.is_right[text, image]
        lines.append((RIGHT if right else WRONG, f"{rank}. {'right' if right else 'wrong'}: {found.captions[text]}"))
    first = next(rank for rank, text in enumerate(order, start=1) if found.is_right[text, image])
    lines.append((PLAIN, f"a right caption is found at rank {first}: {found.captions[order[first - 1]]}"))
    return lines


def _write_captions(sheet: Image.Image, corner: tuple[int, int], lines: Sequence[tuple[str, str]]) -> None:
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    x, y = corner
    for colour, line in lines:
        text = textwrap.fill(line, 66, max_lines=2, placeholder=" ...")  # four such captions are as high as a picture
        pen.multiline_text((x, y), text, fill=colour, font=font)
        y += 20 * (text.count("\n") + 1) + 8


def _read_answers(path: Path, caption_ids: Sequence[str]) -> dict[str, list[str]]:
    value = read_json(path)
    rows = value.get("caption_images") if isinstance(value, dict) else None
    if not isinstance(rows, dict) or not all(isinstance(ids, list) for ids in rows.values()):
        raise UserError(f"{path}: an object with `caption_images`, caption id -> list of image ids, is wanted")
    missing = [caption_id for caption_id in caption_ids if caption_id not in rows]
    if missing:
        raise UserError(
            f"{path} says nothing of {len(missing)} of {len(caption_ids)} captions, e.g. {', '.join(missing[:5])}; "
            f"is it the file of another split or corpus? Leave it out with -o evaluation.answers=null"
        )
    return {caption: [str(image_id) for image_id in ids] for caption, ids in rows.items()}


def _normalised(text: str) -> str:
    return " ".join(text.lower().split())
