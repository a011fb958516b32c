"""The contact sheet: a page of scenes with their boxes and first captions, to be looked at."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from unimo_paddle.files import atomic_write
from unimo_paddle.prepare.small_world.cutouts import Picture
from unimo_paddle.prepare.small_world.formats import Told
from unimo_paddle.prepare.small_world.scene import HEIGHT, WIDTH

COLUMNS, EACH = 4, 5   # scenes in a row, scenes of each split
_FOOTER, _LINE, _LETTERS = 64, 15, 54   # pixels under a scene, pixels a line, letters a line
_INK, _BOX = (40, 40, 40), (60, 200, 60)


def write_sheet(path: Path, images: Path, told: Sequence[Told]) -> None:
    """Write EACH scenes of every split as one PNG, spread evenly over the split."""
    splits: dict[str, list[Told]] = {}
    for each in told:
        splits.setdefault(each.scene.split, []).append(each)
    chosen = [mine[k] for mine in splits.values()
              for k in np.linspace(0, len(mine) - 1, min(EACH, len(mine))).astype(int).tolist()]
    tiles = [_tile(each, images) for each in chosen]
    blank = np.full_like(tiles[0], 255)
    tiles += [blank] * (-len(tiles) % COLUMNS)
    page = np.vstack([np.hstack(tiles[k:k + COLUMNS]) for k in range(0, len(tiles), COLUMNS)])
    done, data = cv2.imencode(".png", page)
    assert done, "OpenCV refused to encode a uint8 picture"
    with atomic_write(path) as file:
        file.write(data.tobytes())


def _tile(each: Told, images: Path) -> Picture:
    tile = np.full((HEIGHT + _FOOTER, WIDTH + 8, 3), 255, np.uint8)
    tile[:HEIGHT, 4:WIDTH + 4] = cv2.imread(str(images / each.scene.file_name))
    for thing in each.scene.objects:
        x1, y1, x2, y2 = thing.box
        cv2.rectangle(tile, (x1 + 4, y1), (x2 + 3, y2 - 1), _BOX, 1)
    for k, line in enumerate(textwrap.wrap(f"[{each.scene.split}] {each.captions[0].text}", _LETTERS)[:4]):
        cv2.putText(tile, line, (6, HEIGHT + _LINE * (k + 1)), cv2.FONT_HERSHEY_SIMPLEX, 0.4, _INK, 1, cv2.LINE_AA)
    return tile
