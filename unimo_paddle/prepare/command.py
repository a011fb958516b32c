"""The sub-commands of tools/prepare.py: words on the command line to one function call each."""

from __future__ import annotations

import argparse
from pathlib import Path

from unimo_paddle.config import load_corpus_plan
from unimo_paddle.console import fail, path, say
from unimo_paddle.errors import UserError
from unimo_paddle.files import write_json
from unimo_paddle.prepare.ingest.command import add_arguments
from unimo_paddle.prepare.ingest.command import run as run_ingest
from unimo_paddle.prepare.tasks.command import add_arguments as add_task_arguments
from unimo_paddle.prepare.tasks.command import run as run_task
from unimo_paddle.prepare.tasks.small_data import add_arguments as add_small_task_arguments
from unimo_paddle.prepare.tasks.small_data import run as run_small_task
from unimo_paddle.workers.engine import Engine

CORPUS_PLAN = Path(__file__).resolve().parents[2] / "configs" / "corpus.yaml"


def parser(description: str) -> argparse.ArgumentParser:
    """Return the parser of all sub-commands; the chosen one is in `args.run`."""
    top = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    _scenes(commands.add_parser("scenes", help="make the small world: pictures with captions, boxes, questions"))
    _ingest(commands.add_parser("ingest", help="take captions, texts, images or your own JSONL into a corpus"))
    _task(commands.add_parser("task", help="turn a task's download, released archive or your own JSONL into records"))
    _small_task(commands.add_parser("small-task", help="fetch a small set of real data and make records of it"))
    _validate(commands.add_parser("validate", help="check a corpus with its rewrites, or custom data"))
    _tokenizer(commands.add_parser("tokenizer", help="train a tokenizer on a corpus"))
    _tokens(commands.add_parser("tokens", help="turn a corpus's texts into token ids, to train on texts alone"))
    _rewrite(commands.add_parser("rewrite", help="prepare the positives and hard negatives of every pair"))
    _retrieve(commands.add_parser("retrieve", help="find the images and sentences near every pair"))
    _inspect(commands.add_parser("inspect", help="show all that is prepared for one pair"))
    _score_parser(commands.add_parser("score-parser", help="measure the English parser on captions with true graphs"))
    return top


def _scenes(this: argparse.ArgumentParser) -> None:
    this.add_argument("--out", type=path, required=True, help="folder of the small world")
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
    add_arguments(this)
    this.set_defaults(run=run_ingest)


def _task(this: argparse.ArgumentParser) -> None:
    add_task_arguments(this)
    this.set_defaults(run=run_task)


def _small_task(this: argparse.ArgumentParser) -> None:
    add_small_task_arguments(this)
    this.set_defaults(run=run_small_task)


def _validate(this: argparse.ArgumentParser) -> None:
    what = this.add_mutually_exclusive_group(required=True)
    what.add_argument("--corpus", type=path, help="corpus: counts, coverage of each level, doubles, false positives")
    what.add_argument("--jsonl", type=path, help="custom data, docs/data_formats.md has the schema")
    this.add_argument("--images", type=path, help="jsonl: folder that image names start from (default: the file's own)")
    this.add_argument("-c", "--config", type=path, default=CORPUS_PLAN,
                      help="corpus: settings with the quotas (default configs/corpus.yaml)")  # fmt: skip
    this.add_argument("--json", type=path, metavar="FILE", help="corpus: write the report there too")
    this.set_defaults(run=_run_validate)


def _run_validate(args: argparse.Namespace) -> int:
    return _validate_corpus(args) if args.corpus else _validate_jsonl(args)


def _validate_corpus(args: argparse.Namespace) -> int:
    from unimo_paddle.prepare.rewriting.stages import LEVELS
    from unimo_paddle.prepare.validation import validate

    quotas = load_corpus_plan(args.config).negatives
    report = validate(args.corpus, {level: getattr(quotas, level) for level in LEVELS})
    for line in report.lines():
        say(line)
    if args.json:
        write_json(args.json, report.to_json())
    return 0 if report.is_clean else 1


def _validate_jsonl(args: argparse.Namespace) -> int:
    from unimo_paddle.prepare.ingest.jsonl import validate_jsonl

    report = validate_jsonl(args.jsonl, images=args.images)
    for split, counts in sorted(report.counts.items()):
        say(f"{split}: " + ", ".join(f"{count:,} {what}" for what, count in sorted(counts.items())))
    if not report.counts and not report.faults:
        return fail(f"{args.jsonl} holds no records", 2)
    return fail("this file is not ready:\n" + report.faults.report(), 2) if report.faults else 0


def _tokenizer(this: argparse.ArgumentParser) -> None:
    this.add_argument("--corpus", type=path, required=True, help="corpus whose captions and texts are learnt from")
    this.add_argument("--split", default="train", help="split to learn from (default train)")
    this.add_argument("--vocabulary", type=int, default=8000, help="tokens wanted at most (default 8000)")
    this.add_argument("--lowercase", action="store_true", help="lower-case all text, now and when it is used")
    this.add_argument("--out", type=path, required=True, help="folder of the tokenizer")
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


def _tokens(this: argparse.ArgumentParser) -> None:
    this.add_argument("--corpus", type=path, required=True, help="corpus with texts")
    this.add_argument("--split", default="train", help="split whose texts are taken (default train)")
    this.add_argument("--tokenizer", type=path, required=True, help="folder of the tokenizer")
    this.add_argument("--out", type=path, required=True, help="folder of the token store")
    _engine_options(this)
    this.set_defaults(run=_run_tokens)


def _run_tokens(args: argparse.Namespace) -> int:
    from unimo_paddle.prepare.tokens import make_tokens

    say(f"tokenising the texts of {args.corpus}")
    made = make_tokens(args.corpus, args.split, args.tokenizer, args.out, _engine(args))
    say(f"{args.out}: {made.documents:,} documents, {made.tokens:,} tokens; {made.empty:,} documents without a word")
    return 0


def _plan_and_engine(this: argparse.ArgumentParser) -> None:
    """Add what rewrite and retrieve share: the settings, and where the work is done."""
    this.add_argument("-c", "--config", type=path, default=CORPUS_PLAN, help="settings (default configs/corpus.yaml)")
    this.add_argument("-o", "--override", nargs="+", action="extend", default=[], metavar="KEY=VALUE",
                      help="settings otherwise than in the file, e.g. negatives.word=50 seed=2")  # fmt: skip
    this.add_argument("--splits", default="train", help="splits, comma-separated (default train)")
    _engine_options(this)


def _engine_options(this: argparse.ArgumentParser) -> None:
    this.add_argument("--engine", choices=("local", "ray"), default="local",
                      help="a pool of processes here, or a Ray cluster")  # fmt: skip
    this.add_argument("--workers", type=int, default=0, metavar="N", help="processes (default: one for each core)")
    this.add_argument("--address", default="", help="ray: of the cluster (default: start one here)")


def _engine(args: argparse.Namespace) -> Engine:
    return Engine(args.engine, args.workers, args.address)


def _rewrite(this: argparse.ArgumentParser) -> None:
    this.add_argument("--corpus", type=path, required=True, help="corpus with pairs")
    this.add_argument("--levels", default="sentence,phrase,word", help="of sentence, phrase, word (default all)")
    this.add_argument("--regions", type=path, help="region store: what an image shows is not put in a negative")
    this.add_argument("--translations", type=path, help="human translations of captions or of names in them, JSONL")
    _plan_and_engine(this)
    this.set_defaults(run=_run_rewrite)


def _run_rewrite(args: argparse.Namespace) -> int:
    from unimo_paddle.prepare.rewriting.run import rewrite

    say(f"rewriting the pairs of {args.corpus}")
    rewrite(args.corpus, load_corpus_plan(args.config, args.override), _engine(args), levels=args.levels.split(","),
            store=args.regions, translations=args.translations, splits=args.splits.split(","))
    return 0


def _retrieve(this: argparse.ArgumentParser) -> None:
    this.add_argument("--corpus", type=path, required=True, help="corpus with pairs")
    this.add_argument("--images", type=path, help="region store of the image collection")
    this.add_argument("--texts", type=path, help="corpus with the text collection; may be the same")
    this.add_argument("--regions", type=path, help="region store of the pairs' own images (default: --images)")
    _plan_and_engine(this)
    this.set_defaults(run=_run_retrieve)


def _run_retrieve(args: argparse.Namespace) -> int:
    from unimo_paddle.prepare.retrieval import retrieve

    say(f"retrieving for the pairs of {args.corpus}")
    retrieve(args.corpus, load_corpus_plan(args.config, args.override), _engine(args), images=args.images,
             texts=args.texts, regions=args.regions, splits=args.splits.split(","))
    return 0


def _inspect(this: argparse.ArgumentParser) -> None:
    this.add_argument("--corpus", type=path, required=True, help="corpus with pairs")
    this.add_argument("--pair", required=True, metavar="ID", help="id of the pair")
    this.add_argument("--regions", type=path, help="region store: boxes are drawn on the picture")
    this.add_argument("-o", "--out", type=path, help="HTML page to write (default: only the terminal)")
    this.set_defaults(run=_run_inspect)


def _run_inspect(args: argparse.Namespace) -> int:
    from unimo_paddle.prepare.inspection.run import inspect

    inspect(args.corpus, args.pair, args.regions, args.out)
    return 0


def _score_parser(this: argparse.ArgumentParser) -> None:
    this.add_argument("--graphs", type=path, required=True, help="captions with their true graphs, as `scenes` writes "
                                                                 "them: caption_graphs.jsonl")
    this.add_argument("--limit", type=int, default=0, metavar="N", help="only the first N captions (default 0: all)")
    this.set_defaults(run=_run_score_parser)


def _run_score_parser(args: argparse.Namespace) -> int:
    from unimo_paddle.prepare.rewriting.judge_parser import judge

    if args.limit < 0:
        raise UserError(f"--limit is {args.limit}; 1 or more captions are wanted, or 0 for all")
    say(judge(args.graphs, args.limit).table())
    return 0
