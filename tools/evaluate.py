#!/usr/bin/env python3
"""Evaluate a trained model: zero-shot retrieval after pretraining, or a task's metrics after fine-tuning.

    python tools/evaluate.py -c configs/pretrain_tiny.yaml --weights runs/pretrain_tiny --sheet sheet.png
    python tools/evaluate.py -c configs/finetune/vqa_base.yaml --weights runs/vqa_base --split dev

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

from unimo_paddle.config import load_run
from unimo_paddle.console import path, run_tool, say


def main(words: list[str]) -> int:
    """Parse, load the configuration, evaluate, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-c", "--config", type=path, required=True, help="YAML file of the run")
    parser.add_argument("-o", "--override", nargs="+", action="extend", default=[], metavar="KEY=VALUE",
                        help="settings that differ from the file, e.g. decoding.beams=1")  # fmt: skip
    parser.add_argument("--weights", type=path, required=True, help="folder of a run, or of one checkpoint")
    parser.add_argument("--split", help="split of the data; left out: evaluation.split")
    parser.add_argument("--sheet", type=path, help="pretraining: PNG to draw: pictures, regions, captions found")
    parser.add_argument("--predictions", type=path, help="tasks: JSONL to write, one answer a record")
    args = parser.parse_args(words)
    run = load_run(args.config, args.override)
    say(f"{args.config}: {run.kind}, with the weights in {args.weights}")
    from unimo_paddle import build

    say(json.dumps(build.evaluate(run, args.weights, args.split, args.sheet, args.predictions)))
    return 0


if __name__ == "__main__":
    run_tool(main)
