#!/usr/bin/env python3
"""Extract region features: every picture becomes boxes, features and class distributions in a region store.

    python tools/extract.py --detector DIR --corpus CORPUS --out STORE          # the images of a corpus, by their ids
    python tools/extract.py --detector DIR --images DIR|list.txt --out STORE    # files; the id is the name
    python tools/extract.py show --store STORE --images DIR --image ID -o boxes.png
    python tools/extract.py import --format bottom-up-tsv --from TSV --out STORE --family NAME    # features you hold
    python tools/extract.py compare STORE STORE          # do two stores of the same images agree?
    python tools/extract.py merge STORE STORE --out STORE
    python tools/extract.py subset --store STORE --corpus CORPUS --split SPLIT --out STORE
    python tools/extract.py stats --store STORE --histograms stats.png
    python tools/extract.py verify --store STORE

`COMMAND --help` lists a command's settings; docs/regions.md tells about features, formats and families.
A killed run goes on with the same command. Exit status: 0 done, 1 failed, 2 the request is wrong.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from unimo_paddle.environment import tune_process

if __name__ == "__main__":
    tune_process()

from unimo_paddle.console import run_tool
from unimo_paddle.region_tools import command as stores
from unimo_paddle.vision import command as pictures


def main(words: list[str]) -> int:
    """Run the command that the first word names; extract is the one without a name."""
    if words and words[0] in stores.COMMANDS:
        return stores.run(words, Path(sys.argv[0]).name)
    return pictures.run(words, __doc__ or "")


if __name__ == "__main__":
    run_tool(main)
