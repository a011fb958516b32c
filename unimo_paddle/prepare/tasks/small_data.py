"""`tools/prepare.py small-task`: small sets of real data that Python's and Debian's packages bring.

    sentiment         sentences, negative or positive by what twenty people thought      (custom_classification)
    sentiment_scores  the same and the undecided ones, with the people's mean score      (custom_regression)
    titles            what a Debian package is, in a paragraph -> its title in one line  (custom_generation)

And mnli, cola, stsb, coqa and squad_qg: no real data, but constructed from a small world's scenes, in the files of the
public downloads, so that tools/prepare.py task reads them.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from unimo_paddle.console import path, say
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.tasks.constructed.command import CONSTRUCTED
from unimo_paddle.prepare.tasks.constructed.command import run as run_constructed
from unimo_paddle.prepare.tasks.reader import Options
from unimo_paddle.prepare.tasks.small_sentiment import read_scores, read_sentiment
from unimo_paddle.prepare.tasks.small_titles import read_titles
from unimo_paddle.records import Record
from unimo_paddle.tasks import TASKS

_SPLITS = (("test", 0.1), ("dev", 0.2), ("train", 1.0))   # up to which share of all groups


@dataclass(frozen=True)
class SmallTask:
    """task: name of the declaration.  read: (what --from names, or None to fetch it; lower-case or not) -> (group,
    record); records of one group come into one split.
    """

    task: str
    read: Callable[[Path | None, bool], Iterator[tuple[str, Record]]]


SMALL_TASKS: Mapping[str, SmallTask] = {
    "sentiment": SmallTask("custom_classification", read_sentiment),
    "sentiment_scores": SmallTask("custom_regression", read_scores),
    "titles": SmallTask("custom_generation", read_titles),
}


def add_arguments(this: argparse.ArgumentParser) -> None:
    """Add the arguments of the sub-command."""
    this.add_argument("task", choices=(*SMALL_TASKS, *CONSTRUCTED), help="which one")
    this.add_argument("--to", type=path, required=True,
                      help="folder to make: SPLIT.jsonl and task.json, or a public download's files")  # fmt: skip
    this.add_argument("--from", dest="source", type=path,
                      help="the package's file, or a file of Debian's descriptions (default: fetch it)")  # fmt: skip
    this.add_argument("--no-lowercase", action="store_true", help="keep the case of words")
    this.add_argument("--scenes", type=path, help=f"{', '.join(CONSTRUCTED)}: the small world to construct them from")
    this.add_argument("--seed", type=int, default=1, help="the same; the same seed gives the same bytes (default 1)")


def run(args: argparse.Namespace) -> int:
    """Make the folder, and say what is in it."""
    if args.task in CONSTRUCTED:
        return run_constructed(args)
    from unimo_paddle.prepare.tasks.writing import write

    if args.scenes is not None:
        raise UserError(f"--scenes is no option of {args.task}, which is real data")
    chosen = SMALL_TASKS[args.task]
    options = Options("public", not args.no_lowercase, task=TASKS[chosen.task])
    found = split_by_group(chosen.read(args.source, options.lowercase))
    written = write(found, TASKS[chosen.task], args.to, options, skip_faulty=False)
    say(f"{args.to}: " + ", ".join(f"{count:,} {split}" for split, count in written.counts.items())
        + f", for {chosen.task}")  # fmt: skip
    return 0


def split_by_group(grouped: Iterable[tuple[str, Record]]) -> Iterator[tuple[str, Record]]:
    """Yield (split, record): train, dev and test with 80, 10 and 10 % of the groups, the same ones on every run."""
    placed: dict[str, list[Record]] = {"train": [], "dev": [], "test": []}
    for group, record in grouped:
        digest = hashlib.sha256(group.encode()).digest()
        share = int.from_bytes(digest[:8], "big") / 2**64
        placed[next(split for split, until in _SPLITS if share < until)].append(record)
    for split, records in placed.items():
        yield from ((split, record) for record in records)
