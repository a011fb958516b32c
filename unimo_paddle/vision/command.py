"""The commands of tools/extract.py that look at pictures: extract and show. The others: region_tools/command.py."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from unimo_paddle.console import duration, path, say

if TYPE_CHECKING:  # the rest is loaded when a command is given
    from unimo_paddle.vision.pictures import Unreadable
    from unimo_paddle.vision.sources import Images


def run(words: list[str], description: str) -> int:
    """Choose the command: extract is the one without a name."""
    command = "show" if words[:1] == ["show"] else "extract"
    shown = f"{Path(sys.argv[0]).name} {command}".removesuffix(" extract")
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(shown, description=description, formatter_class=plain)
    return {"extract": extract, "show": show}[command](parser, words[command != "extract" :])


def extract(parser: argparse.ArgumentParser, words: list[str]) -> int:
    """Extract the regions of many pictures."""
    parser.add_argument("--detector", type=path, required=True, help="folder `detector` of a detector's run")
    _add_source(parser)
    parser.add_argument("--out", type=path, required=True, help="region store to make or to go on with")
    own = "(default: as the detector's folder says)"
    parser.add_argument("--min-boxes", dest="least", type=int, metavar="N", help=f"regions kept however unsure {own}")
    parser.add_argument("--max-boxes", dest="most", type=int, metavar="N", help=f"regions kept at most {own}")
    parser.add_argument("--threshold", type=float, metavar="P", help=f"class probability that keeps a region {own}")
    parser.add_argument("--engine", default="local", metavar="local|ray", help="where the workers are (default local)")
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="processes (default: a GPU or core each)")
    parser.add_argument("--address", default="", metavar="HOST:PORT",
                        help="Ray cluster; the paths must be the same on all its machines")  # fmt: skip
    args = parser.parse_args(words)
    say(f"extracting regions into {args.out}")
    from unimo_paddle.vision import extract as extraction
    from unimo_paddle.workers.engine import Engine

    engine = Engine(args.engine, args.workers, args.address)
    images, unreadable = _images(args)
    given = {name: value for name in ("threshold", "least", "most") if (value := getattr(args, name)) is not None}
    report = extraction.extract(args.detector, images, args.out, given, engine, unreadable)
    say(f"{report.stored:,} images stored ({report.before:,} were there before), {len(report.skipped):,} skipped, "
        f"{duration(report.seconds)}")
    return 0


def show(parser: argparse.ArgumentParser, words: list[str]) -> int:
    """Draw one picture's regions."""
    parser.add_argument("--store", type=path, required=True, help="region store")
    parser.add_argument("--image", required=True, help="image id")
    _add_source(parser)
    parser.add_argument("--threshold", type=float, default=0.2, metavar="P",
                        help="class probability above which a region is drawn (default 0.2)")  # fmt: skip
    parser.add_argument("--most", type=int, default=20, metavar="N", help="regions drawn at most (default 20)")
    parser.add_argument("-o", "--out", type=path, required=True, help="PNG to write")
    args = parser.parse_args(words)
    from unimo_paddle.regions import RegionStore
    from unimo_paddle.vision.show import require_drawable, show_regions
    from unimo_paddle.vision.sources import file_of

    require_drawable(args.threshold, args.most)
    store = RegionStore(args.store)
    place = file_of(_images(args)[0], args.image)
    show_regions(place, store.read(args.image), store.meta, args.out, args.threshold, args.most)
    say(f"drawn: {args.out}")
    return 0


def _add_source(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--corpus", type=path, help="corpus whose images are meant")
    source.add_argument("--images", type=path, help="folder of pictures or tars (WebDataset), one of these, or a text "
                        "file that names some, one `path` or `id TAB path` a line")  # fmt: skip


def _images(args: argparse.Namespace) -> tuple[Images, list[Unreadable]]:
    from unimo_paddle.vision.sources import corpus_images, listed_images

    return (corpus_images(args.corpus), []) if args.corpus else listed_images(args.images)
