"""Paint planned scenes (a blurred, lightened ground, soft shadows, the cut-outs) in a pool of processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from unimo_paddle.console import progress
from unimo_paddle.files import atomic_write, leftovers
from unimo_paddle.prepare.small_world.cutouts import Picture
from unimo_paddle.prepare.small_world.scene import HEIGHT, WIDTH, Placed, Scene

JPEG_QUALITY = 92
BLUR = 5.0                       # pixels, standard deviation: the ground is out of focus, its texture stays
SHADOW = 0.4                     # how dark a shadow is under an opaque object
SHADOW_BLUR, SHADOW_SHIFT = 4.0, (3, 5)
_CHUNK = 16                      # scenes handed to a worker at a time

_pictures: dict[str, Picture] = {}   # of a worker process; filled by _start before its first scene


def prepare_pictures(pictures: dict[str, Picture], backgrounds: Sequence[str]) -> dict[str, Picture]:
    """Return the pictures with every background already covering a scene and blurred, which is most of the work."""
    ready = dict(pictures)
    for key in backgrounds:
        ground = pictures[key]
        ground = _trim_dark_bars(ground)
        scale = 1.35 * max(WIDTH / ground.shape[1], HEIGHT / ground.shape[0])
        size = (round(ground.shape[1] * scale), round(ground.shape[0] * scale))
        ready[key] = cv2.GaussianBlur(cv2.resize(ground, size, interpolation=cv2.INTER_AREA), (0, 0), BLUR)
    return ready


def paint(scene: Scene, pictures: dict[str, Picture]) -> Picture:
    """Return the scene as uint8 [HEIGHT, WIDTH, 3], blue green red. pictures: from prepare_pictures."""
    canvas = _ground(scene, pictures[scene.background.key])
    for thing in sorted(scene.objects, key=lambda thing: thing.box[3]):   # what stands lower is nearer
        _paste(canvas, thing, pictures[thing.cutout.key])
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)


def encode(picture: Picture) -> bytes:
    """Return a picture as JPEG."""
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert done, "OpenCV refused to encode a uint8 picture"
    return bytes(data.tobytes())


def paint_all(scenes: Sequence[Scene], pictures: dict[str, Picture], folder: Path, workers: int) -> int:
    """Write every scene that is not there yet to folder/<file_name>; return how many were written.

    A picture is there when its file is not empty: files appear whole or not at all. The bytes depend on the scene
    only, never on `workers`. Raises OSError as the system gives it.
    """
    missing = [scene for scene in scenes if not _is_there(folder / scene.file_name)]
    for name in sorted({scene.split for scene in missing}):
        (folder / name).mkdir(parents=True, exist_ok=True)
    ready = prepare_pictures(pictures, sorted({scene.background.key for scene in missing}))
    start = len(scenes) - len(missing)
    try:
        for _ in progress(_painted(missing, ready, folder, workers), len(scenes), "scenes", "scene", start):
            pass
    except BaseException:
        for name in sorted({scene.split for scene in missing}):   # a worker that was ended could not tidy up
            leftovers(folder / name)
        raise
    return len(missing)


def _painted(scenes: list[Scene], ready: dict[str, Picture], folder: Path, workers: int) -> Iterator[None]:
    jobs = [(scene, folder) for scene in scenes]
    if workers <= 1 or len(scenes) <= _CHUNK:
        _start(ready)
        yield from map(_write, jobs)
        return
    # Forked children share the pictures without copying; OpenCV's own threads must be off before, or they deadlock.
    cv2.setNumThreads(0)
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
    with multiprocessing.get_context(method).Pool(workers, _start_worker, (ready,)) as pool:
        yield from pool.imap(_write, jobs, _CHUNK)


def _start(pictures: dict[str, Picture]) -> None:
    cv2.setNumThreads(0)
    _pictures.clear()
    _pictures.update(pictures)


def _start_worker(pictures: dict[str, Picture]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)   # Ctrl-C is the parent's to answer
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _start(pictures)


def _end_with_parent() -> None:
    """Wait for the parent's end and leave without a word: a worker would complain of its broken pipe."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _write(job: tuple[Scene, Path]) -> None:
    scene, folder = job
    with atomic_write(folder / scene.file_name) as file:
        file.write(encode(paint(scene, _pictures)))


def _is_there(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _trim_dark_bars(ground: Picture) -> Picture:
    """Cut away black rows at the top and the bottom (one of the photographs is letter-boxed)."""
    rows = np.flatnonzero(ground.max(axis=(1, 2)) > 60)
    return ground[rows[0]:rows[-1] + 1] if len(rows) else ground


def _ground(scene: Scene, ground: Picture) -> Picture:
    across, down, part = scene.crop
    width, height = round(WIDTH / part), round(HEIGHT / part)
    width, height = min(width, ground.shape[1]), min(height, ground.shape[0])
    x, y = round(across * (ground.shape[1] - width)), round(down * (ground.shape[0] - height))
    view = cv2.resize(ground[y:y + height, x:x + width], (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    view = view[:, ::-1] if scene.mirrored else view
    return view * np.float32(1 - scene.paleness) + np.float32(255 * scene.paleness)


def _paste(canvas: Picture, thing: Placed, picture: Picture) -> None:
    """Darken the canvas by the object's shadow and lay the object over it, in place."""
    x1, y1, x2, y2 = thing.box
    shrinks = x2 - x1 < picture.shape[1]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    cover = picture[..., 3:].astype(np.float32) / 255
    # Colours are weighed by their cover, or the invisible pixels' colour would bleed into the edges.
    layers = cv2.resize(np.dstack([picture[..., :3] * cover, cover]), (x2 - x1, y2 - y1), interpolation=way)
    layers = layers[:, ::-1] if thing.flipped else layers
    cover = np.clip(layers[..., 3:], 0, 1)
    _darken(canvas, cover[..., 0], x1 + SHADOW_SHIFT[0], y1 + SHADOW_SHIFT[1])
    spot = canvas[y1:y2, x1:x2]
    spot *= 1 - cover
    spot += np.clip(layers[..., :3], 0, 255 * cover)


def _darken(canvas: Picture, cover: Picture, x: int, y: int) -> None:
    margin = round(3 * SHADOW_BLUR)
    shadow = cv2.GaussianBlur(np.pad(cover, margin), (0, 0), SHADOW_BLUR)
    left, top = max(0, x - margin), max(0, y - margin)
    right, bottom = min(WIDTH, x - margin + shadow.shape[1]), min(HEIGHT, y - margin + shadow.shape[0])
    part = shadow[top - y + margin:bottom - y + margin, left - x + margin:right - x + margin]
    canvas[top:bottom, left:right] *= 1 - SHADOW * part[..., None]
