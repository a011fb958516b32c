"""Image files to arrays: any mode, any size, turned upright, scaled and padded for a backbone."""

from __future__ import annotations

import contextlib
import stat
import struct
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from unimo_paddle.errors import UserError
from unimo_paddle.vision.tars import TarMember

MULTIPLE = 32  # the coarsest stride of a backbone
LEAST_SIDE = 32  # pixels with the padding, whatever the multiple: below, a backbone's last maps would vanish
ORIENTATION = 0x0112  # of Exif; what turns an image upright follows
UPRIGHT = dict(enumerate((
    Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180, Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_270, Image.Transpose.TRANSVERSE, Image.Transpose.ROTATE_90,
), start=2))  # fmt: skip
ON_ITS_SIDE = tuple(UPRIGHT[number] for number in (5, 6, 7, 8))  # orientations that swap height and width
# What Pillow's plugins raise for files that contradict themselves, or are larger than the memory.
UNREADABLE = (
    OSError, SyntaxError, ValueError, EOFError, TypeError, AttributeError, LookupError, ArithmeticError, MemoryError,
    struct.error, Image.DecompressionBombError,
)  # fmt: skip
GAP = 2.0  # how much larger than wanted a picture may stay after the quick first step of scaling down
Place = Path | TarMember
PADDING = 127  # backbone.PIXEL_MEAN: the value that a backbone's normalisation turns into 0


@dataclass(frozen=True)
class Picture:
    """A decoded image.

    pixels: uint8 RGB [H, W, 3], scaled, padded below and to the right.
    scaled: height and width without the padding.  width, height: of the upright original, pixels.
    """

    id: str
    pixels: NDArray[np.uint8]
    scaled: tuple[int, int]
    width: int
    height: int


@dataclass(frozen=True)
class Unreadable:
    """An image that could not be decoded, and why."""

    id: str
    place: Place
    reason: str


def open_upright(place: Place) -> Image.Image:
    """Read an image as upright RGB: EXIF rotation applied, transparency laid on white, 16 bits brought to 8.

    Of an animation it is the first picture. Raises UserError naming the file when it is missing, cut short, no image or
    no regular file.
    """
    return _open(place, None)[0]


def read_picture(
    image_id: str, place: Place, short_side: int, long_side: int, multiple: int = MULTIPLE
) -> Picture:
    """Read one image for a backbone, its sides padded to multiples of `multiple`; UserError as in `open_upright`."""
    image, (full_height, full_width) = _open(place, (short_side, long_side))
    height, width = scaled_size(full_height, full_width, short_side, long_side)
    if (width, height) != image.size:
        image = image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=GAP)
    below, right = (max(-side % multiple, LEAST_SIDE - side) for side in (height, width))
    padded = np.pad(np.asarray(image), ((0, below), (0, right), (0, 0)), constant_values=PADDING)
    return Picture(image_id, padded, (height, width), full_width, full_height)


def require_regular(place: Place) -> None:
    """Raise UserError when a path leads to a pipe, a socket, a device or a folder: to open one may take for ever."""
    with contextlib.suppress(OSError):  # missing, or not to be looked at: told by whoever opens it
        if isinstance(place, Path) and not stat.S_ISREG(place.stat().st_mode):
            raise UserError(f"{place} is not a regular file")


def _open(place: Place, sides: tuple[int, int] | None) -> tuple[Image.Image, tuple[int, int]]:
    """Return the upright image and its full height and width.

    sides: short and long one that it will be scaled down to; a JPEG is then decoded at 1/2, 1/4 or 1/8 of its size, if
    that leaves enough.
    """
    require_regular(place)
    try:
        with Image.open(place if isinstance(place, Path) else place.open()) as file:
            width, height = file.size
            if sides:
                wanted = scaled_size(height, width, *sides)
                file.draft(file.mode, (round(wanted[1] * GAP), round(wanted[0] * GAP)))
            file.load()
            # Not ImageOps.exif_transpose: it writes the Exif data anew, and stumbles over any other fault in them.
            turn = UPRIGHT.get(file.getexif().get(ORIENTATION, 1))
            image = _as_rgb(file.transpose(turn) if turn is not None else file)
            return image, (width, height) if turn in ON_ITS_SIDE else (height, width)
    except FileNotFoundError:
        raise UserError(f"{place} does not exist") from None
    except UNREADABLE as error:
        raise UserError(f"{place} is no readable image: {str(error) or type(error).__name__}") from None


def scaled_size(height: int, width: int, short_side: int, long_side: int) -> tuple[int, int]:
    """Return height and width after scaling: the short side as wished unless the long side would grow too long.

    >>> scaled_size(480, 640, 256, 384)
    (256, 341)
    >>> scaled_size(100, 1000, 256, 384)
    (38, 384)
    """
    scale = min(short_side / min(height, width), long_side / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def read_ahead(
    images: Iterable[tuple[str, Place]], short_side: int, long_side: int, multiple: int = MULTIPLE,
    threads: int = 2, ahead: int = 32,
) -> Iterator[Picture | Unreadable]:  # fmt: skip
    """Decode in background threads, at most `ahead` images early, and yield in the given order.

    Threads, not processes: Pillow decodes and scales without holding the interpreter's lock, and a picture need not be
    copied from one process to another (docs/regions.md has the figures).
    """
    waiting: deque[Future[Picture | Unreadable]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for image_id, place in images:
                waiting.append(pool.submit(_read_or_explain, image_id, place, short_side, long_side, multiple))
                if len(waiting) == ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def readable(decoded: Iterable[Picture | Unreadable], unreadable: list[Unreadable]) -> Iterator[Picture]:
    """Yield the pictures; those that could not be read are put into the list `unreadable`."""
    for item in decoded:
        if isinstance(item, Unreadable):
            unreadable.append(item)
        else:
            yield item


def same_shape_batches(pictures: Iterable[Picture], size: int, window: int = 64) -> Iterator[list[Picture]]:
    """Group pictures into batches of one padded shape, so that no image is padded because of another one.

    Only pictures within a window of `window` are put together: the order is nearly kept and memory is bounded.
    """
    by_shape: dict[tuple[int, ...], list[Picture]] = {}
    held = 0
    for picture in pictures:
        group = by_shape.setdefault(picture.pixels.shape, [])
        group.append(picture)
        held += 1
        if len(group) == size:
            held -= size
            yield by_shape.pop(picture.pixels.shape)
        elif held == window:
            yield from by_shape.values()
            by_shape, held = {}, 0
    yield from by_shape.values()


def _read_or_explain(
    image_id: str, place: Place, short_side: int, long_side: int, multiple: int
) -> Picture | Unreadable:
    try:
        return read_picture(image_id, place, short_side, long_side, multiple)
    except UserError as error:
        return Unreadable(image_id, place, str(error))


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_eight_bits(np.asarray(image, dtype=np.float64), image.mode)).convert("RGB")
    if "A" in image.getbands() or "transparency" in image.info:
        clear = image.convert("RGBA")
        white = Image.new("RGBA", clear.size, "white")
        return Image.alpha_composite(white, clear).convert("RGB")
    return image.convert("RGB")


def _eight_bits(values: NDArray[np.float64], mode: str) -> NDArray[np.uint8]:
    """Bring gray values to 0 to 255: from 16 bits, or from whatever range 32 bits and floats are seen to use."""
    top = values.max(initial=0)
    if mode.startswith("I;16") or top > 255:
        values = values / 257
    elif mode == "F" and top <= 1:
        values = values * 255
    return values.clip(0, 255).astype(np.uint8)
