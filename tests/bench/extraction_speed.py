"""How much faster extraction is than PaddleDetection's own loop: one image at a time, nothing read ahead.

    python -m tests.bench.extraction_speed --detector runs/detector_small_world/detector \\
        --images work/small_world/scenes/images/test

Both use the same weights and read pictures alike, and take turns (A B A B), so that a busy machine slows both. Starting
is left out on both sides: the loop's first images, and each worker's first slice. The ratio of the sums counts.
"""

import argparse
import itertools
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from unimo_paddle.environment import tune_process

if __name__ == "__main__":
    tune_process()

from unimo_paddle.console import run_tool, say
from unimo_paddle.vision.description import read_description
from unimo_paddle.vision.extract import extract, store_meta
from unimo_paddle.vision.extraction import MakeExtraction
from unimo_paddle.vision.pictures import Place, read_picture
from unimo_paddle.vision.slices import cut
from unimo_paddle.vision.sources import listed_images
from unimo_paddle.workers.engine import Engine, map_tasks, usable_cores

WARM, SLICE = 4, 16
Images = Sequence[tuple[str, Place]]


def plain_loop(detector: Path) -> Callable[[Images], float]:
    """Return a function that takes images and returns the loop's seconds an image; Paddle has all cores."""
    import numpy as np
    import paddle

    from unimo_paddle.vision.detector import load_detector
    from unimo_paddle.vision.extractor import Found, select

    stored = load_detector(detector)
    shape = stored.settings

    def one(image: tuple[str, Place]) -> None:
        picture = read_picture(*image, shape.short_side, shape.long_side, shape.kind.multiple)
        pixels = stored.detector.backbone.normalise(picture.pixels[None])
        inputs = {"image": paddle.to_tensor(pixels), "im_shape": paddle.to_tensor(np.float32([picture.scaled]))}
        with paddle.no_grad():
            select(picture, Found.of(stored.detector.describe(inputs)[0]), stored.choice, shape.conventions)

    def run(images: Images) -> float:
        for image in images[:WARM]:
            one(image)
        begun = time.monotonic()
        for image in images[WARM:]:
            one(image)
        return (time.monotonic() - begun) / (len(images) - WARM)

    return run


def ours(detector: Path, images: Images) -> float:
    """Return seconds an image once every worker has answered."""
    told, workers = read_description(detector), usable_cores()
    with tempfile.TemporaryDirectory() as folder:
        make = MakeExtraction(detector, {}, Path(folder), store_meta(told), 1, 8)
        results = map_tasks(Engine("local", workers), make, cut(images, SLICE, (), ()))
        for _ in itertools.islice(results, workers):
            pass
        begun = time.monotonic()
        done = sum(outcome.images for outcome in results)
        return (time.monotonic() - begun) / done


def decoding(images: Images, detector: Path) -> dict[str, float]:
    """Return images/s that as many threads, and as many processes, as there are cores decode and hand over."""
    shape, cores = read_description(detector).settings, usable_cores()
    rates = {}
    pools: dict[str, Executor] = {
        "threads": ThreadPoolExecutor(cores), "processes": ProcessPoolExecutor(cores, get_context("spawn")),
    }  # fmt: skip
    for name, pool in pools.items():
        read = partial(_decode, sides=(shape.short_side, shape.long_side))
        with pool:
            list(pool.map(read, images[: 4 * cores]))
            begun = time.monotonic()
            list(pool.map(read, images))
            rates[name] = len(images) / (time.monotonic() - begun)
    return rates


def _decode(image: tuple[str, Place], sides: tuple[int, int]) -> object:
    return read_picture(*image, *sides)


def main(words: list[str]) -> int:
    """Parse, run both in turns, print; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detector", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--count", type=int, default=128, help="images a turn; the loop gets a quarter (default 128)")
    parser.add_argument("--turns", type=int, default=2)
    args = parser.parse_args(words)
    images = listed_images(args.images)[0][: args.count]
    loop = plain_loop(args.detector)
    seconds: dict[str, list[float]] = {"loop": [], "ours": []}
    for turn in range(args.turns):
        seconds["loop"].append(loop(images[: max(2 * WARM, args.count // 4)]))
        seconds["ours"].append(ours(args.detector, images))
        say(f"turn {turn + 1}: loop {1 / seconds['loop'][-1]:.2f}, ours {1 / seconds['ours'][-1]:.2f} image/s")
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        extract(args.detector, images, Path(folder), {}, Engine("local", 0))
    whole = len(images) / (time.monotonic() - begun)
    say(json.dumps({
        "ratio": round(sum(seconds["loop"]) / sum(seconds["ours"]), 2), "cores": usable_cores(),
        **{name: [round(1 / value, 2) for value in values] for name, values in seconds.items()},
        "with_start": round(whole, 2), "decoding": {k: round(v, 1) for k, v in decoding(images, args.detector).items()},
    }))  # fmt: skip
    return 0


if __name__ == "__main__":
    run_tool(main)
