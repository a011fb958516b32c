#!/usr/bin/env python3
"""Evaluate a trained model: zero-shot retrieval on a held-out split, image to text and text to image.

    python tools/evaluate.py -c configs/pretrain_tiny.yaml --weights runs/pretrain_tiny --sheet sheet.png

The last line on standard output is JSON. Exit status: 0 done, 1 failed, 2 the request is wrong.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from unimo_paddle.environment import tune_process

if __name__ == "__main__":
    tune_process()

from unimo_paddle.config import PretrainRun, load_run
from unimo_paddle.console import run_tool, say
from unimo_paddle.errors import UserError


def main(words: list[str]) -> int:
    """Parse, load the configuration, evaluate, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-c", "--config", type=Path, required=True, help="YAML file of the run")
    parser.add_argument("-o", "--override", nargs="+", action="extend", default=[], metavar="KEY=VALUE",
                        help="settings that differ from the file, e.g. evaluation.split=composition")  # fmt: skip
    parser.add_argument("--weights", type=Path, required=True, help="folder of a run, or of one checkpoint")
    parser.add_argument("--sheet", type=Path, help="PNG to draw: pictures, regions, captions found")
    args = parser.parse_args(words)
    run = load_run(args.config, args.override)
    if not isinstance(run, PretrainRun):
        raise UserError(f"{args.config}: is of kind {run.kind}; retrieval needs one of kind pretrain")
    say(f"{args.config}: retrieval on split {run.evaluation.split!r} with the weights in {args.weights}")
    from unimo_paddle import build

    result = build.evaluate(run, args.weights, args.sheet)
    say(json.dumps({"split": run.evaluation.split, "weights": str(args.weights), **result}))
    return 0


if __name__ == "__main__":
    run_tool(main)
