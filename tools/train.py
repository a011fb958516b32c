#!/usr/bin/env python3
"""Train what a configuration describes: pretraining, a task, or the detector.

    python tools/train.py -c configs/pretrain_tiny.yaml -o optimizer.peak_lr=1e-4
    python tools/train.py -c configs/finetune/vqa_base.yaml
    python tools/train.py -c configs/pretrain_large.yaml --dry-run
    fleetrun --gpus 0,1,2,3 tools/train.py -c configs/pretrain_large.yaml

The same command goes on where it was stopped. Exit status: 0 done, 1 failed, 2 the request is wrong, 75 stopped by
SIGTERM or SIGUSR1 with everything saved (start it again), 130 by Ctrl-C.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from unimo_paddle.environment import tune_process

if __name__ == "__main__":
    tune_process()

from unimo_paddle.config import load_run
from unimo_paddle.console import path, run_tool, say


def main(words: list[str]) -> int:
    """Parse, load the configuration, train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-c", "--config", type=path, required=True, help="YAML file of the run")
    parser.add_argument("-o", "--override", nargs="+", action="extend", default=[], metavar="KEY=VALUE",
                        help="settings that differ from the file, e.g. optimizer.peak_lr=1e-4")  # fmt: skip
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--resume", metavar="auto|CHECKPOINT", type=path,
                       help="auto (default): from the newest sound checkpoint, from the start without one; "
                            "or from one of this run's checkpoints, later ones are moved aside")  # fmt: skip
    start.add_argument("--restart", action="store_true", help="anew; an earlier run in this folder is moved aside")
    start.add_argument("--dry-run", action="store_true",
                       help="print parameters, memory, batch and step plan; needs no data")  # fmt: skip
    start.add_argument("--preflight", action="store_true",
                       help="check machine, data, a step of each kind; under fleetrun on every node")  # fmt: skip
    start.add_argument("--replay", type=path, metavar="DIR",
                       help="make again a step that failed with numbers that are not finite")  # fmt: skip
    args = parser.parse_args(words)
    run = load_run(args.config, args.override)
    say(f"{args.config}: {run.kind}, {run.train}, output in {run.output.directory}")
    from unimo_paddle import build

    if args.preflight:
        return build.check(run)
    if args.dry_run:
        build.tell_plan(run)
    elif args.replay:
        build.run_again(run, args.replay)
    else:
        build.train(run, args.restart, None if args.resume == Path("auto") else args.resume)
    return 0


if __name__ == "__main__":
    run_tool(main)
