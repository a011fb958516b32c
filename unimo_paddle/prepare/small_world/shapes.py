"""Draw a small world instead: coloured shapes on plain grounds, for machines without the stamps and for tests."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from unimo_paddle.prepare.small_world.cutouts import Picture
from unimo_paddle.prepare.small_world.scene import HEIGHT, WIDTH, Attribute, Background, Cutout, World

SIDE = 120         # pixels of a drawn shape's canvas before the tight crop
COLOURS = {        # red green blue
    "red": (208, 40, 40), "green": (46, 150, 60), "blue": (44, 84, 200), "yellow": (240, 208, 40),
    "purple": (140, 60, 170), "black": (35, 35, 35), "white": (245, 245, 240), "brown": (130, 84, 45),
}
_OVERSAMPLED = 4   # shapes are drawn this much larger, so that their edges come out soft


def draw_world() -> tuple[World, dict[str, Picture]]:
    """Return the drawn world and the picture of each cut-out (BGRA) and background (BGR) by key; no randomness."""
    cutouts, pictures = [], {}
    for name, draw in _SHAPES.items():
        for colour, rgb in COLOURS.items():
            picture = _shade(_tight(draw), rgb)
            key = f"shapes/{colour}-{name}"
            height, width = picture.shape[:2]
            cutouts.append(Cutout(key, name, (Attribute(colour, "colour"),), (), f"shapes/{name}", width, height))
            pictures[key] = picture
    for phrase, draw_ground in _GROUNDS.items():
        pictures[f"grounds/{phrase}"] = draw_ground()
    backgrounds = tuple(Background(f"grounds/{phrase}", phrase) for phrase in _GROUNDS)
    return World("shapes", tuple(cutouts), backgrounds), pictures


def _tight(draw: Callable[[Picture], None]) -> Picture:
    canvas = np.zeros((SIDE * _OVERSAMPLED, SIDE * _OVERSAMPLED), np.uint8)
    draw(canvas)
    mask = cv2.resize(canvas, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    x, y, width, height = cv2.boundingRect((mask > 127).astype(np.uint8))
    return np.ascontiguousarray(mask[y:y + height, x:x + width])


def _shade(mask: Picture, rgb: tuple[int, int, int]) -> Picture:
    """Colour a mask, lighter at the top left than at the bottom right, as under a lamp."""
    height, width = mask.shape
    light = 1.15 - 0.35 * (np.linspace(0, 1, height)[:, None] + np.linspace(0, 1, width)[None, :]) / 2
    colour = np.clip(np.array(rgb[::-1]) * light[..., None], 0, 255)
    return np.dstack([colour, mask]).astype(np.uint8)


def _polygon(corners: int, inner: float = 1.0, turn: float = 0.0) -> Callable[[Picture], None]:
    """A regular polygon; with inner < 1 every second corner lies at that part of the radius (a star)."""
    def draw(canvas: Picture) -> None:
        middle = canvas.shape[0] / 2
        angles = np.pi * (2 * np.arange(corners) / corners - 0.5 + turn)
        radius = middle * 0.95 * np.where(np.arange(corners) % 2, inner, 1.0)
        points = middle + radius[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        cv2.fillPoly(canvas, [np.round(points).astype(np.int32)], 255)
    return draw


def _circle(canvas: Picture) -> None:
    middle = canvas.shape[0] // 2
    cv2.circle(canvas, (middle, middle), round(middle * 0.95), 255, -1)


def _ring(canvas: Picture) -> None:
    middle = canvas.shape[0] // 2
    cv2.circle(canvas, (middle, middle), round(middle * 0.75), 255, round(middle * 0.36))


def _cross(canvas: Picture) -> None:
    third, side = canvas.shape[0] // 3, canvas.shape[0]
    cv2.rectangle(canvas, (third, 8), (2 * third, side - 8), 255, -1)
    cv2.rectangle(canvas, (8, third), (side - 8, 2 * third), 255, -1)


def _heart(canvas: Picture) -> None:
    angle = np.linspace(0, 2 * np.pi, 200)
    x = 16 * np.sin(angle) ** 3
    y = -(13 * np.cos(angle) - 5 * np.cos(2 * angle) - 2 * np.cos(3 * angle) - np.cos(4 * angle))
    points = canvas.shape[0] / 2 + canvas.shape[0] / 36 * np.stack([x, y], axis=1)
    cv2.fillPoly(canvas, [np.round(points).astype(np.int32)], 255)


def _crescent(canvas: Picture) -> None:
    middle = canvas.shape[0] // 2
    cv2.circle(canvas, (middle, middle), round(middle * 0.95), 255, -1)
    cv2.circle(canvas, (round(middle * 1.45), middle), round(middle * 0.8), 0, -1)


def _gradient() -> Picture:
    ramp = np.linspace(90, 200, HEIGHT)[:, None, None] * np.array([1.0, 0.85, 0.7])
    return np.broadcast_to(ramp, (HEIGHT, WIDTH, 3)).astype(np.uint8)


def _stripes() -> Picture:
    wave = 140 + 60 * np.sin(np.arange(WIDTH) / 12)[None, :, None] * np.array([0.4, 0.8, 1.0])
    return np.broadcast_to(wave, (HEIGHT, WIDTH, 3)).astype(np.uint8)


def _checks() -> Picture:
    rows, columns = np.indices((HEIGHT, WIDTH)) // 32
    return np.where(((rows + columns) % 2)[..., None], (170, 190, 160), (90, 120, 100)).astype(np.uint8)


def _clouds() -> Picture:
    noise = np.random.default_rng(0).integers(120, 240, (8, 12)).astype(np.uint8)
    smooth = cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    return (smooth[..., None] * np.array([1.0, 0.92, 0.84])).astype(np.uint8)


_SHAPES: dict[str, Callable[[Picture], None]] = {
    "circle": _circle, "ring": _ring, "cross": _cross, "heart": _heart, "crescent": _crescent,
    "triangle": _polygon(3), "square": _polygon(4, turn=0.25), "pentagon": _polygon(5), "diamond": _polygon(4),
    "star": _polygon(10, inner=0.45),
}
_GROUNDS: dict[str, Callable[[], Picture]] = {
    "a plain wall": _gradient, "stripes": _stripes, "checks": _checks, "clouds": _clouds,
}
