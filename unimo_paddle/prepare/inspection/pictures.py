"""Pictures as text: scaled down, JPEG, in a data URI, so that a page needs no other file."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

QUALITY = 82   # of JPEG, 0 to 100


@dataclass(frozen=True)
class Picture:
    """A picture within a page. width, height: pixels as embedded."""

    uri: str
    width: int
    height: int


def embedded(path: Path, longest: int) -> Picture | None:
    """Return a picture whose longer side has at most `longest` pixels; None when the file is missing or no picture.

    Turned as its Exif says, like everything else that reads pictures here.
    """
    import cv2
    import numpy as np

    data = np.frombuffer(path.read_bytes(), np.uint8) if path.is_file() else np.zeros(0, np.uint8)
    pixels = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if pixels is None:
        return None
    factor = min(1.0, longest / max(pixels.shape[:2]))
    height, width = (max(1, round(side * factor)) for side in pixels.shape[:2])
    small = pixels if factor == 1 else cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    done, coded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert done, "OpenCV refused to encode a uint8 picture"
    return Picture("data:image/jpeg;base64," + base64.b64encode(coded.tobytes()).decode(), width, height)
