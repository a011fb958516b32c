"""`tools/prepare.py task`: words on the command line to one function call."""

from __future__ import annotations

import argparse
from pathlib import Path

from unimo_paddle.console import path, say
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.tasks.layout import layout_of
from unimo_paddle.prepare.tasks.reader import Options
from unimo_paddle.prepare.tasks.splitting import Cut, cut
from unimo_paddle.tasks import TASKS, Task


def add_arguments(this: argparse.ArgumentParser) -> None:
    """Add the arguments of the sub-command."""
    this.add_argument("task", choices=tuple(TASKS), metavar="TASK", help=f"one of {', '.join(TASKS)}")
    this.add_argument("--from", dest="source", type=path, required=True,
                      help="folder of the download, of the released archive, or of your own SPLIT.jsonl")  # fmt: skip
    this.add_argument("--to", type=path, required=True, help="folder to make: SPLIT.jsonl and task.json")
    this.add_argument("--layout", choices=("public", "release"),
                      help="the public download's, or the released archive's (default: by its files)")  # fmt: skip
    this.add_argument("--no-lowercase", action="store_true",
                      help="keep the case of words, which are lower-cased without it")  # fmt: skip
    this.add_argument("--tokenizer", type=path, help="release: folder of the released vocabulary, for token ids")
    this.add_argument("--regions", type=path, help="region store: list every image that it lacks")
    this.add_argument("--split-from", action="append", default=[], metavar="NEW=OLD:SHARE",
                      help="make a split of a part of another, e.g. dev=train:0.1")  # fmt: skip
    this.add_argument("--skip-faulty", action="store_true",
                      help="leave out faulty records and those without their image instead of stopping")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Make the task's folder, and say what is in it."""
    from unimo_paddle.prepare.tasks import READERS
    from unimo_paddle.prepare.tasks.writing import missing_list, write

    task = TASKS[args.task]
    options, cuts = _options(args, task), [Cut.parse(told) for told in args.split_from]
    say(f"reading {args.source} ({options.layout} layout, "
        f"{'words lower-cased' if options.lowercase else 'case kept'})")
    found = READERS[task.formats[options.layout]](args.source, options)
    written = write(cut(found, cuts), task, args.to, options, args.skip_faulty)
    say(f"{args.to}: " + ", ".join(f"{count:,} {split}" for split, count in written.counts.items()))
    if written.faulty:
        say(f"{written.faulty:,} faulty records were left out:\n{options.faults.report()}")
    if written.missing:
        say(f"{len(written.missing):,} images are missing, their records were left out: {missing_list(args.to)}")
    absent = [split for split in ("train", *task.evaluated) if split not in written.counts]
    if absent:
        say(f"there is no {' and no '.join(absent)}; --split-from can make one of a part of another")
    return 0


def _options(args: argparse.Namespace, task: Task) -> Options:
    layout = args.layout or layout_of(args.source, task)
    if layout not in task.formats:
        raise UserError(f"--layout {layout}: {task.name} comes only in the layout {', '.join(task.formats)}")
    if args.regions and not task.needs_regions:
        raise UserError(f"--regions is no option of {task.name}, which reads no image")
    if not Path(args.source).exists():
        raise UserError(f"--from: {args.source} does not exist")
    return Options(layout, not args.no_lowercase, args.regions, task.labels, args.tokenizer, task)
