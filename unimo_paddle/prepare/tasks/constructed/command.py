"""`tools/prepare.py small-task mnli|cola|stsb|coqa|squad_qg`: words on the command line to one function call."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from unimo_paddle.console import say
from unimo_paddle.errors import UserError
from unimo_paddle.files import atomic_directory, write_json
from unimo_paddle.prepare.tasks.constructed.glue_files import MARK, Counts, write_cola, write_mnli, write_stsb
from unimo_paddle.prepare.tasks.constructed.json_files import write_coqa, write_squad_qg
from unimo_paddle.prepare.tasks.constructed.scenes import Scenes, read_scenes

# Name of the declaration -> writes the files of its public download, and returns split -> number of examples.
CONSTRUCTED: Mapping[str, Callable[[Scenes, Path, int], Counts]] = {
    "mnli": write_mnli,
    "cola": write_cola,
    "stsb": write_stsb,
    "coqa": write_coqa,
    "squad_qg": write_squad_qg,
}


def run(args: argparse.Namespace) -> int:
    """Write the folder of a download, for tools/prepare.py task to read, and say what is in it."""
    if args.scenes is None:
        raise UserError(f"--scenes is wanted: {args.task} is constructed from a small world, which tools/prepare.py "
                        f"scenes makes")
    if args.source is not None or args.no_lowercase:
        raise UserError(f"--from and --no-lowercase are no options of {args.task}, which is constructed from --scenes; "
                        f"tools/prepare.py task reads what it makes")
    if args.seed < 0:
        raise UserError(f"--seed is {args.seed}; 0 or more is wanted")
    counts = construct(args.task, args.scenes, args.to, args.seed)
    say(f"{args.to}: " + ", ".join(f"{count:,} {split}" for split, count in counts.items())
        + f"; constructed, now run tools/prepare.py task {args.task} --from {args.to} --to FOLDER")  # fmt: skip
    return 0


def construct(task: str, scenes: Path, to: Path, seed: int) -> Counts:
    """Write a task's files into a new folder; the same scenes and seed give the same bytes.

    Raises UserError when `scenes` is no small world, or `to` is there already.
    """
    world = read_scenes(scenes)
    with atomic_directory(to) as folder:
        counts = CONSTRUCTED[task](world, folder, seed)
        write_json(folder / "origin.json", {"origin": MARK, "task": task, "scenes": world.source, "seed": seed,
                                            "counts": counts})  # fmt: skip
    return counts
