"""The commands of tools/extract.py: extract, show, verify."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from unimo_paddle.console import fail, say


def run(words: list[str], description: str) -> int:
    """Choose the command: extract is the one without a name."""
    command = words[0] if words and words[0] in ("show", "verify") else "extract"
    shown = f"{Path(sys.argv[0]).name} {command}".removesuffix(" extract")
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(shown, description=description, formatter_class=plain)
    return {"extract": extract, "show": show, "verify": verify}[command](parser, words[command != "extract" :])


def extract(parser: argparse.ArgumentParser, words: list[str]) -> int:
    """Extract the regions of many pictures."""
    parser.add_argument("--detector", type=Path, required=True, help="folder `detector` of a detector's run")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--corpus", type=Path, help="corpus whose images are wanted")
    source.add_argument("--images", type=Path, help="folder of pictures, or a text file with one path a line")
    parser.add_argument("--out", type=Path, required=True, help="region store to make or to go on with")
    own = "(default: as the detector's folder says)"
    parser.add_argument("--min-boxes", dest="least", type=int, metavar="N", help=f"regions kept however unsure {own}")
    parser.add_argument("--max-boxes", dest="most", type=int, metavar="N", help=f"regions kept at most {own}")
    parser.add_argument("--threshold", type=float, metavar="P", help=f"class probability that keeps a region {own}")
    args = parser.parse_args(words)
    say(f"extracting regions into {args.out}")
    from unimo_paddle.vision import extract as extraction
    from unimo_paddle.vision.sources import corpus_images, listed_images

    images = corpus_images(args.corpus) if args.corpus else listed_images(args.images)
    given = {name: value for name in ("threshold", "least", "most") if (value := getattr(args, name)) is not None}
    report = extraction.extract(args.detector, images, args.out, given)
    say(f"{report.stored:,} images stored ({report.before:,} were there before), {len(report.skipped):,} skipped, "
        f"{report.seconds:.0f} s")
    return 0


def show(parser: argparse.ArgumentParser, words: list[str]) -> int:
    """Draw one picture's regions."""
    parser.add_argument("--store", type=Path, required=True, help="region store")
    parser.add_argument("--image", required=True, help="image id")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--corpus", type=Path, help="corpus that knows the picture's file")
    source.add_argument("--images", type=Path, help="folder of pictures, or a text file with one path a line")
    parser.add_argument("-o", "--out", type=Path, required=True, help="PNG to write")
    args = parser.parse_args(words)
    from unimo_paddle.regions import RegionStore
    from unimo_paddle.vision.show import show_regions
    from unimo_paddle.vision.sources import corpus_images, file_of, listed_images

    images = corpus_images(args.corpus) if args.corpus else listed_images(args.images)
    store = RegionStore(args.store)
    show_regions(file_of(images, args.image), store.read(args.image), store.meta.classes, args.out)
    say(f"drawn: {args.out}")
    return 0


def verify(parser: argparse.ArgumentParser, words: list[str]) -> int:
    """Check every shard's checksum and every number."""
    parser.add_argument("--store", type=Path, required=True, help="region store")
    args = parser.parse_args(words)
    say(f"verifying {args.store}")
    from unimo_paddle.regions import RegionStore
    from unimo_paddle.regions import verify as faults_of

    images, faults = len(RegionStore(args.store)), faults_of(args.store)
    for fault in faults:
        fail(fault, 1)
    say(f"{images:,} images, {len(faults)} faults")
    return 1 if faults else 0
