"""How fast each stage of rewriting and retrieval is, at several sizes: the table of docs/rewriting.md.

    .venv/bin/python -m tests.prepare.measure --corpus work/small_world/corpus --pairs 2500 5000 10000 \
        [--regions STORE --images STORE --texts CORPUS] [--workers 2]

Takes the first N pairs of the split into a corpus of their own in a temporary folder, makes every collection there, and
prints pairs/s and the peak of resident memory of this process and of its largest worker. One size, one process.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from unimo_paddle.config import CorpusPlan
from unimo_paddle.corpus import Corpus, CorpusWriter
from unimo_paddle.prepare import retrieval as retrieval_module
from unimo_paddle.prepare.derive import derive
from unimo_paddle.prepare.rewriting import run as rewriting_module
from unimo_paddle.workers.engine import Engine


def timed(writer, make_work, chosen, unit="pair"):
    begun = time.monotonic()
    derive(writer, make_work, chosen, unit)
    pairs, seconds = sum(len(part.rows) for part in writer.slices), time.monotonic() - begun
    show(writer.collection, pairs, seconds)


def show(what, pairs, seconds):
    peaks = [peak(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(f"| {what} | {pairs:,} | {pairs / seconds:,.0f} | {peaks[0]:,.0f} | {peaks[1]:,.0f} |", flush=True)


def peak(who):
    """Return the peak of resident memory, MiB."""
    return resource.getrusage(who).ru_maxrss / 1024


def measure(args, size):
    with tempfile.TemporaryDirectory() as folder:
        source, target = Corpus(args.corpus), Path(folder) / "corpus"
        with CorpusWriter(target, "first", "1") as writer:
            for pair in source.pairs("train")[:size]:
                writer.add("train", pair)
        rewriting_module.derive = retrieval_module.derive = timed
        plan, workers = CorpusPlan(), Engine(workers=args.workers)
        begun = time.monotonic()
        rewriting_module.rewrite(target, plan, workers, store=args.regions)
        show("all of rewrite", size, time.monotonic() - begun)
        if args.images or args.texts:
            retrieval_module.retrieve(target, plan, workers, images=args.images, texts=args.texts, regions=args.regions,
                                      splits=["train"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("corpus", "regions", "images", "texts"):
        parser.add_argument(f"--{name}", type=Path, required=name == "corpus")
    parser.add_argument("--pairs", type=int, nargs="+", required=True)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    if len(args.pairs) == 1:
        measure(args, args.pairs[0])
        return
    words = sys.argv[1:]
    place = words.index("--pairs")
    rest = words[:place] + words[place + 1 + len(args.pairs):]
    for size in args.pairs:   # a process each, or the peak of the first would hide the others'
        subprocess.run([sys.executable, "-m", "tests.prepare.measure", *rest, "--pairs", str(size)], check=True)


if __name__ == "__main__":
    main()
