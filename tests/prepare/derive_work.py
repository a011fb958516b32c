"""Work for test_derive.py, in a module of its own so that spawned processes and Ray's can import it."""

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from unimo_paddle.corpus import CorpusWriter, Pair
from unimo_paddle.corpus_derived import DerivedWriter, Shard, Slice, columns_of, read_slice_pairs, write_slice
from unimo_paddle.files import atomic_write
from unimo_paddle.prepare.derive import derive
from unimo_paddle.workers.engine import Engine

PAIRS, ROWS = 57, 5   # twelve slices: the shards of pairs hold 20, 20 and 17


def write_pairs(path: Path) -> Path:
    with CorpusWriter(path, "pairs", "f", rows_per_shard=20) as writer:
        for number in range(PAIRS):
            writer.add("train", Pair(f"p{number}", f"i{number // 2}", f"caption {number}"))
    return path


def contents(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(path.iterdir())}


@dataclass(frozen=True)
class Graphs:
    """Makes the work of writing a graph a pair, noting beside the corpus who did what.

    deadly: first row of the slice in whose middle the worker is killed; deaths: how often.
    """

    deadly: int = -1
    deaths: int = 1
    seconds: float = 0.0

    def __call__(self) -> Callable[[Slice], Shard]:
        return self.work

    def work(self, part: Slice) -> Shard:
        time.sleep(self.seconds)
        log = part.corpus.parent / "log"
        killed = log.read_text().count("killed") if log.exists() else 0
        if part.first == self.deadly and killed < self.deaths:
            note(log, f"killed {part.first}")
            with atomic_write(part.corpus / part.file) as file:
                file.write(b"half a fi")
                file.flush()
                os.kill(os.getpid(), signal.SIGKILL)
        _, _, captions = read_slice_pairs(part)
        rows = [caption[::-1] for caption in captions]
        shard = write_slice(part, columns_of("graphs", rows), {"graphs": len(rows)})
        note(log, f"wrote {part.first} {os.getpid()}")
        return shard


def note(log: Path, line: str) -> None:
    with log.open("a") as file:
        file.write(line + "\n")


def make_graphs(corpus: Path, engine: Engine, work: Graphs, collection: str = "graphs") -> None:
    with DerivedWriter(corpus, collection, "train", "f", rows_per_slice=ROWS) as writer:
        derive(writer, work, engine)


if __name__ == "__main__":   # the one in charge, for the test that kills it
    make_graphs(Path(sys.argv[1]), Engine("local", 2), Graphs(seconds=0.3))
