"""The sub-commands of tools/prepare.py: words on the command line to one function call each."""

from __future__ import annotations

import argparse
from pathlib import Path

from unimo_paddle.console import fail, say
from unimo_paddle.errors import UserError


def parser(description: str) -> argparse.ArgumentParser:
    """Return the parser of all sub-commands; the chosen one is in `args.run`."""
    top = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    _scenes(commands.add_parser("scenes", help="make the small world: pictures with captions, boxes, questions"))
    _ingest(commands.add_parser("ingest", help="take captions, texts, images or your own JSONL into a corpus"))
    _validate(commands.add_parser("validate", help="check custom data; writes nothing"))
    _tokenizer(commands.add_parser("tokenizer", help="train a tokenizer on a corpus"))
    _rewrite(commands.add_parser("rewrite", help="prepare the positives and hard negatives of every pair"))
    return top


def _scenes(this: argparse.ArgumentParser) -> None:
    this.add_argument("--out", type=Path, required=True, help="folder of the small world")
    this.add_argument("--images", type=int, default=2000, help="training scenes (default 2000)")
    this.add_argument("--seed", type=int, default=1, help="the same seed gives the same bytes (default 1)")
    this.add_argument("--source", choices=("auto", "stamps", "shapes"), default="auto",
                      help="photographic cut-outs, drawn shapes, or the first that can be had")  # fmt: skip
    this.set_defaults(run=_run_scenes)


def _run_scenes(args: argparse.Namespace) -> int:
    from unimo_paddle.prepare.small_world.run import make_scenes

    say(f"making the small world in {args.out}")
    made = make_scenes(args.out, args.images, args.seed, args.source)
    counts = ", ".join(f"{count:,} {split}" for split, count in made.counts.items())
    say(f"scenes from {made.source}: {counts}; look at {made.sheet}")
    return 0


def _ingest(this: argparse.ArgumentParser) -> None:
    this.add_argument("format", choices=("coco", "text", "images", "jsonl"), help="what the source is")
    this.add_argument("--from", dest="source", type=Path, nargs="+", required=True,
                      help="coco: captions JSON (COCO's or Karpathy's); jsonl: the file; text: files or folders; "
                           "images: a folder")  # fmt: skip
    this.add_argument("--images", type=Path, help="coco, jsonl: the folder that image names start from")
    this.add_argument("--corpus", type=Path, required=True, help="corpus to add to; made when it is not there")
    this.add_argument("--split", default="train", help="split, where the source names none (default train)")
    this.add_argument("--name", help="name of the source in the corpus (default: from the file)")
    this.add_argument("--document", choices=("line", "file"), default="line", help="text: what is one document")
    this.add_argument("--skip-faulty", action="store_true", help="leave faulty records out instead of stopping")
    this.set_defaults(run=_run_ingest)


def _run_ingest(args: argparse.Namespace) -> int:
    from unimo_paddle.prepare.ingest.coco import ingest_coco
    from unimo_paddle.prepare.ingest.images import ingest_images
    from unimo_paddle.prepare.ingest.jsonl import ingest_jsonl
    from unimo_paddle.prepare.ingest.text import ingest_text

    say(f"reading {args.format} into {args.corpus}")
    common = {"name": args.name, "skip_faulty": args.skip_faulty}
    if args.format == "text":
        ingest_text(args.corpus, args.source, document=args.document, split=args.split, **common)
        return 0
    if len(args.source) > 1:
        raise UserError(f"--from takes one path for {args.format}, not {len(args.source)}")
    source = args.source[0]
    if args.format == "coco":
        ingest_coco(args.corpus, source, args.images or source.parent, split=args.split, **common)
    elif args.format == "images":
        ingest_images(args.corpus, source, split=args.split, **common)
    else:
        ingest_jsonl(args.corpus, source, images=args.images, **common)
    return 0


def _validate(this: argparse.ArgumentParser) -> None:
    this.add_argument("--jsonl", type=Path, required=True, help="custom data, docs/data_formats.md has the schema")
    this.add_argument("--images", type=Path, help="folder that image names start from (default: the file's own)")
    this.set_defaults(run=_run_validate)


def _run_validate(args: argparse.Namespace) -> int:
    from unimo_paddle.prepare.ingest.jsonl import validate_jsonl

    report = validate_jsonl(args.jsonl, images=args.images)
    for split, counts in sorted(report.counts.items()):
        say(f"{split}: " + ", ".join(f"{count:,} {what}" for what, count in sorted(counts.items())))
    if not report.counts and not report.faults:
        return fail(f"{args.jsonl} holds no records", 2)
    return fail("this file is not ready:\n" + report.faults.report(), 2) if report.faults else 0


def _tokenizer(this: argparse.ArgumentParser) -> None:
    this.add_argument("--corpus", type=Path, required=True, help="corpus whose captions and texts are learnt from")
    this.add_argument("--split", default="train", help="split to learn from (default train)")
    this.add_argument("--vocabulary", type=int, default=8000, help="tokens wanted at most (default 8000)")
    this.add_argument("--lowercase", action="store_true", help="lower-case all text, now and when it is used")
    this.add_argument("--out", type=Path, required=True, help="folder of the tokenizer")
    this.set_defaults(run=_run_tokenizer)


def _run_tokenizer(args: argparse.Namespace) -> int:
    from unimo_paddle.corpus import Corpus
    from unimo_paddle.data.tokenizer import train_tokenizer

    say(f"training a tokenizer on {args.corpus}")
    corpus = Corpus(args.corpus)
    captions = (pair.caption for pair in corpus.pairs(args.split))
    texts = (document.text for document in corpus.texts(args.split))
    made = train_tokenizer([*captions, *texts], args.vocabulary, args.lowercase)
    made.save(args.out)
    say(f"{args.out}: {made.vocab_size:,} tokens, {'lower-cased' if args.lowercase else 'case kept'}")
    return 0


def _rewrite(this: argparse.ArgumentParser) -> None:
    this.add_argument("--corpus", type=Path, required=True, help="corpus with pairs")
    this.add_argument("--levels", default="sentence,word", help="of sentence, word (default both)")
    this.add_argument("--vocabulary", type=Path, help="word: folder with objects_, attributes_, relations_vocab.txt")
    this.add_argument("--regions", type=Path, help="region store: what an image shows is not put in a negative")
    this.add_argument("--negatives", type=int, default=20, help="hard negatives of a pair (default 20)")
    this.add_argument("--seed", type=int, default=1, help="the same seed gives the same rewrites (default 1)")
    this.add_argument("--splits", default="train", help="splits, comma-separated (default train)")
    this.set_defaults(run=_run_rewrite)


def _run_rewrite(args: argparse.Namespace) -> int:
    from unimo_paddle.prepare.rewriting.run import rewrite

    say(f"rewriting the pairs of {args.corpus}")
    rewrite(args.corpus, args.levels.split(","), args.vocabulary, args.regions, args.negatives, args.seed,
            args.splits.split(","))
    return 0
