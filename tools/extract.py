#!/usr/bin/env python3
"""Extract region features: every picture becomes boxes, features and class distributions in a region store.

    python tools/extract.py --detector DIR --corpus CORPUS --out STORE          # the images of a corpus, by their ids
    python tools/extract.py --detector DIR --images DIR|list.txt --out STORE    # files; the id is the name
    python tools/extract.py show --store STORE --images DIR --image ID -o boxes.png
    python tools/extract.py verify --store STORE

A killed extraction goes on with the same command. Exit status: 0 done, 1 failed, 2 the request is wrong.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from unimo_paddle.environment import tune_process

if __name__ == "__main__":
    tune_process()

from unimo_paddle.console import run_tool
from unimo_paddle.vision.command import run


def main(words: list[str]) -> int:
    """Run the command that the first word names."""
    return run(words, __doc__ or "")


if __name__ == "__main__":
    run_tool(main)
