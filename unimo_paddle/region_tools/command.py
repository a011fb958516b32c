"""The commands of tools/extract.py that need no detector: import, compare, merge, subset, stats, verify."""

from __future__ import annotations

import argparse

from unimo_paddle.console import fail, path, say

MANY = 1000  # images that compare and stats look at, when not told
AT_MOST = f"look at so many images at most, evenly chosen (default: {MANY})"


def import_(parser: argparse.ArgumentParser, words: list[str]) -> int:
    """Store features that somebody else extracted."""
    from unimo_paddle.region_tools.imports.fields import BACKGROUND, NONE, Names, read_names
    from unimo_paddle.region_tools.imports.orientation import AUTO, HEIGHT_FIRST, WIDTH_FIRST
    from unimo_paddle.region_tools.imports.run import FORMATS, Request, import_features, read_renames

    parser.add_argument("--format", choices=[*FORMATS], required=True, help="see docs/regions.md")
    parser.add_argument("--from", dest="source", type=path, required=True,
                        help="file, folder, or a release's filelist")  # fmt: skip
    parser.add_argument("--out", type=path, required=True, help="region store to make, or an import to go on with")
    parser.add_argument("--family", type=_family, required=True, help="the features' family, e.g. bottom-up-attention")
    parser.add_argument("--classes", type=path, help="names of the classes, one a line or .json (label_to_idx)")
    parser.add_argument("--attributes", type=path, help="names of the attributes, likewise (attribute_to_idx)")
    parser.add_argument("--ids", type=path, help="`id in the files TAB id in the store`, a pair a line")
    parser.add_argument("--size-order", dest="order", choices=[AUTO, WIDTH_FIRST, HEIGHT_FIRST], default=AUTO,
                        help="format release: which size comes first, where the boxes do not tell")  # fmt: skip
    parser.add_argument("--skip-faulty", action="store_true", help="leave out and list what cannot be taken")
    args = parser.parse_args(words)
    names = Names(
        read_names(args.classes, BACKGROUND, "label_to_idx") if args.classes else (),
        read_names(args.attributes, NONE, "attribute_to_idx") if args.attributes else (),
    )
    renames = read_renames(args.ids) if args.ids else {}
    say(f"importing {args.source} into {args.out}")
    request = Request(args.format, args.source, args.family, names, args.order, renames, args.skip_faulty)
    report = import_features(request, args.out)
    say(f"{report.stored:,} images stored ({report.before:,} were there before), {report.repeated:,} repeated, "
        f"{len(report.faults):,} faulty ones skipped")
    return 0


def compare(parser: argparse.ArgumentParser, words: list[str]) -> int:
    """Tell how far two stores of the same images agree."""
    parser.add_argument("stores", type=path, nargs=2, metavar="STORE")
    parser.add_argument("--images", type=_positive, default=MANY, metavar="N", help=AT_MOST)
    args = parser.parse_args(words)
    from unimo_paddle.region_tools.compare import compare as compare_stores

    found = compare_stores(args.stores[0], args.stores[1], args.images)
    say(found.table())
    say(found.json())
    return 0


def merge(parser: argparse.ArgumentParser, words: list[str]) -> int:
    """Join stores of one family."""
    parser.add_argument("stores", type=path, nargs="+", metavar="STORE")
    parser.add_argument("--out", type=path, required=True, help="region store to make")
    args = parser.parse_args(words)
    from unimo_paddle.region_tools.joining import merge as merge_stores

    say(f"merging {len(args.stores)} stores into {args.out}")
    say(f"{merge_stores(args.stores, args.out):,} images stored")
    return 0


def subset(parser: argparse.ArgumentParser, words: list[str]) -> int:
    """Copy some images to a store of their own."""
    parser.add_argument("--store", type=path, required=True, help="region store")
    parser.add_argument("--out", type=path, required=True, help="region store to make")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--ids", type=path, help="text file with one image id a line")
    which.add_argument("--corpus", type=path, help="corpus, with --split")
    parser.add_argument("--split", help="split of the corpus whose images are wanted")
    args = parser.parse_args(words)
    if (args.corpus is None) != (args.split is None):
        parser.error("--corpus and --split belong together")
    from unimo_paddle.region_tools import joining

    ids = joining.listed_ids(args.ids) if args.ids else joining.corpus_ids(args.corpus, args.split)
    say(f"copying into {args.out}")
    say(f"{joining.subset(args.store, ids, args.out):,} images stored")
    return 0


def stats(parser: argparse.ArgumentParser, words: list[str]) -> int:
    """Tell what a store holds."""
    parser.add_argument("--store", type=path, required=True, help="region store")
    parser.add_argument("--histograms", type=path, metavar="PNG", help="picture to draw")
    parser.add_argument("--images", type=_positive, default=MANY, metavar="N", help=AT_MOST)
    args = parser.parse_args(words)
    from unimo_paddle.region_tools.stats import statistics

    found = statistics(args.store, args.images)
    say(found.table())
    if args.histograms:
        found.draw(args.histograms)
        say(f"drawn: {args.histograms}")
    return 0


def verify(parser: argparse.ArgumentParser, words: list[str]) -> int:
    """Check every shard's checksum and every number."""
    parser.add_argument("--store", type=path, required=True, help="region store")
    args = parser.parse_args(words)
    say(f"verifying {args.store}")
    from unimo_paddle.regions import RegionStore
    from unimo_paddle.regions import verify as faults_of

    images, faults = len(RegionStore(args.store)), faults_of(args.store)
    for fault in faults:
        fail(fault, 1)
    say(f"{images:,} images, {len(faults)} faults")
    return 1 if faults else 0


COMMANDS = {"import": import_, "compare": compare, "merge": merge, "subset": subset, "stats": stats, "verify": verify}


def run(words: list[str], tool: str) -> int:
    """Run the command that the first word names; `tool` is the tool's name."""
    command = COMMANDS[words[0]]
    return command(argparse.ArgumentParser(f"{tool} {words[0]}", description=command.__doc__), words[1:])


def _family(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise argparse.ArgumentTypeError(f"{text!r} is no name: printable letters are wanted")
    return text


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not at least 1")
    return value
