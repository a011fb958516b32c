#!/usr/bin/env python3
"""Turn raw files into what training reads; every step can be killed and goes on with the same command.

    python tools/prepare.py scenes --out world --images 2000
    python tools/prepare.py ingest coco --from world/coco/dataset.json --images world/images --corpus corpus
    python tools/prepare.py validate --jsonl my.jsonl
    python tools/prepare.py ingest jsonl --from my.jsonl --corpus corpus
    python tools/prepare.py tokenizer --corpus corpus --out tokenizer
    python tools/prepare.py rewrite --corpus corpus --regions regions
    python tools/prepare.py retrieve --corpus corpus --images collection --texts corpus --regions regions
    python tools/prepare.py inspect --corpus corpus --pair ID -o pair.html
    python tools/prepare.py validate --corpus corpus
    python tools/prepare.py task coqa --from coqa --to tasks/coqa
    python tools/prepare.py small-task sentiment --to tasks/sentiment

Exit status: 0 done, 1 failed, 2 the request is wrong.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from unimo_paddle.environment import tune_process

if __name__ == "__main__":
    tune_process()

from unimo_paddle.console import run_tool
from unimo_paddle.prepare.command import parser


def main(words: list[str]) -> int:
    """Parse and run one sub-command."""
    args = parser(__doc__ or "").parse_args(words)
    return int(args.run(args))


if __name__ == "__main__":
    run_tool(main)
