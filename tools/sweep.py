#!/usr/bin/env python3
"""Train and judge many runs of one configuration, and show them in one table, the best variant first.

    python tools/sweep.py -c configs/finetune/vqa_base.yaml --grid optimizer.peak_lr=1e-5,2e-5 train.seed=1..5
    python tools/sweep.py -c configs/study/granularity.yaml --jobs 2

The same command goes on where it was stopped, and tries failed runs again; what is done is never done twice. All runs,
with settings, losses and costs, are in OUT/runs.parquet.

Exit status: 0 done, 1 some runs failed, 2 the request is wrong.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from unimo_paddle.console import run_tool
from unimo_paddle.study.command import run


def main(words: list[str]) -> int:
    """Run the sweep; the tools that it starts tune themselves."""
    return run(words, __doc__ or "")


if __name__ == "__main__":
    run_tool(main)
