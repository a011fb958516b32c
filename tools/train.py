#!/usr/bin/env python3
"""Train what a configuration describes: pretraining, or the detector.

    python tools/train.py -c configs/pretrain_tiny.yaml -o optimizer.peak_lr=1e-4
    python tools/train.py -c configs/pretrain_large.yaml --dry-run

The same command goes on where it was stopped. Exit status: 0 done, 1 failed, 2 the request is wrong.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from unimo_paddle.environment import tune_process

if __name__ == "__main__":
    tune_process()

from unimo_paddle.config import load_run
from unimo_paddle.console import run_tool, say


def main(words: list[str]) -> int:
    """Parse, load the configuration, train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-c", "--config", type=Path, required=True, help="YAML file of the run")
    parser.add_argument("-o", "--override", nargs="+", action="extend", default=[], metavar="KEY=VALUE",
                        help="settings that differ from the file, e.g. optimizer.peak_lr=1e-4")  # fmt: skip
    parser.add_argument("--dry-run", action="store_true",
                        help="print parameters, memory, batch and step plan; needs no data")  # fmt: skip
    parser.add_argument("--restart", action="store_true", help="move an earlier run in this folder aside")
    args = parser.parse_args(words)
    run = load_run(args.config, args.override)
    say(f"{args.config}: {run.kind}, {run.train.steps:,} steps, output in {run.output.directory}")
    if args.dry_run:
        from unimo_paddle.engine import plan

        for line in plan.describe(run):
            say(line)
        return 0
    from unimo_paddle import build

    build.train(run, args.restart)
    return 0


if __name__ == "__main__":
    run_tool(main)
