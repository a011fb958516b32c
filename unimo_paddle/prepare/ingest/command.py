"""`tools/prepare.py ingest`: words on the command line to one function call."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from unimo_paddle.console import path, say
from unimo_paddle.corpus_shards import SPLIT, SPLIT_RULE
from unimo_paddle.errors import UserError

OPTIONS = {   # format -> the options that are its own
    "coco": ("images",),
    "visual-genome": ("images", "split_file", "exclude_coco", "exclude_flickr30k", "captions_per_image"),
    "conceptual-captions": ("images", "first_row"),
    "sbu": ("images", "first_row", "exclude_flickr30k"),
    "images": ("list",),
    "text": ("document",),
    "jsonl": ("images",),
}


def add_arguments(this: argparse.ArgumentParser) -> None:
    """Add the arguments of the sub-command; options of one format are None unless given."""
    this.add_argument("format", choices=tuple(OPTIONS), help="what the source is; docs/corpora.md has each command")
    this.add_argument("--from", dest="source", type=path, nargs="+", required=True,
                      help="coco: captions JSON (COCO's or Karpathy's); visual-genome: the folder of its JSON files; "
                           "conceptual-captions: the TSV; sbu: the JSON, or the files of URLs and of captions; both: "
                           "or a folder of img2dataset; text: files, tars, folders; images: a folder; jsonl: the file")
    this.add_argument("--corpus", type=path, required=True, help="corpus to add to; made when it is not there")
    this.add_argument("--split", default="train", help="split, where the source names none (default train)")
    this.add_argument("--name", help="name of the source in the corpus (default: from the file)")
    this.add_argument("--skip-faulty", action="store_true", help="leave faulty records out instead of stopping")
    this.add_argument("--images", type=path, help="the folder that image names start from, or of the pictures")
    this.add_argument("--document", choices=("line", "file", "wikipedia"),
                      help="text: what is one document; wikipedia: an article of WikiExtractor (default line)")
    this.add_argument("--list", type=path, help="images: take only those that this file names, one a line")
    this.add_argument("--first-row", type=int, choices=(0, 1),
                      help="conceptual-captions, sbu: the number of the first row's picture (default 0)")
    this.add_argument("--captions-per-image", type=int, metavar="N",
                      help="visual-genome: the phrases of the N largest regions (default: all)")
    this.add_argument("--split-file", type=path, help="visual-genome: split -> image ids (densecap_splits.json)")
    this.add_argument("--exclude-coco", type=path, metavar="FILE",
                      help="visual-genome: leave out the val and test pictures of Karpathy's dataset_coco.json")
    this.add_argument("--exclude-flickr30k", type=path, metavar="FILE",
                      help="visual-genome, sbu: leave out the val and test pictures of dataset_flickr30k.json")


def run(args: argparse.Namespace) -> int:
    """Take the source into the corpus; UserError when an option does not go with the format or --split is no name."""
    given = {name for names in OPTIONS.values() for name in names if getattr(args, name) is not None}
    foreign = sorted(given - set(OPTIONS[args.format]))
    if foreign:
        raise UserError(f"--{foreign[0].replace('_', '-')} is no option of {args.format}")
    if not SPLIT.fullmatch(args.split):
        raise UserError(f"--split is {args.split!r}; {SPLIT_RULE} are wanted, e.g. train")
    several = args.format in ("text", "sbu")
    if len(args.source) > 1 and not several:
        raise UserError(f"--from takes one path for {args.format}, not {len(args.source)}")
    say(f"looking through {args.source[0]}")
    _take(args, args.source[0], {"name": args.name, "skip_faulty": args.skip_faulty})
    return 0


def _take(args: argparse.Namespace, source: Path, common: dict[str, Any]) -> None:
    if args.format == "coco":
        from unimo_paddle.prepare.ingest.coco import ingest_coco

        ingest_coco(args.corpus, source, args.images or source.parent, split=args.split, **common)
    elif args.format == "images":
        from unimo_paddle.prepare.ingest.images import ingest_images

        ingest_images(args.corpus, source, listing=args.list, split=args.split, **common)
    elif args.format == "text":
        from unimo_paddle.prepare.ingest.text import ingest_text

        ingest_text(args.corpus, args.source, document=args.document or "line", split=args.split, **common)
    elif args.format == "jsonl":
        from unimo_paddle.prepare.ingest.jsonl import ingest_jsonl

        ingest_jsonl(args.corpus, source, images=args.images, split=args.split, **common)
    elif args.format == "visual-genome":
        _take_visual_genome(args, source, common)
    else:
        _take_web_pairs(args, source, common)


def _take_visual_genome(args: argparse.Namespace, source: Path, common: dict[str, Any]) -> None:
    from unimo_paddle.prepare.ingest.visual_genome import Choice, ingest_visual_genome

    choice = Choice(args.split, args.split_file, args.exclude_coco, args.exclude_flickr30k,
                    args.captions_per_image or 0)
    ingest_visual_genome(args.corpus, source, args.images or source, choice, **common)


def _take_web_pairs(args: argparse.Namespace, source: Path, common: dict[str, Any]) -> None:
    from unimo_paddle.prepare.ingest.conceptual_captions import ingest_conceptual_captions
    from unimo_paddle.prepare.ingest.sbu import ingest_sbu

    more = {"first_row": args.first_row or 0, "split": args.split, **common}
    if args.format == "sbu":
        ingest_sbu(args.corpus, args.source, args.images, exclude_flickr30k=args.exclude_flickr30k, **more)
    else:
        ingest_conceptual_captions(args.corpus, source, args.images, **more)
