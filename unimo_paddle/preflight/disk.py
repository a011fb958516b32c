"""Where checkpoints go: is there room, may it be written, how fast."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from unimo_paddle.config import PretrainRun
from unimo_paddle.console import duration
from unimo_paddle.engine.plan.memory import checkpoint_bytes
from unimo_paddle.engine.plan.sizes import all_parameters, sizes_of
from unimo_paddle.engine.plan.table import gib
from unimo_paddle.preflight.findings import FAIL, Finding, judged

MIB = 1 << 20
SAMPLE = 256 * MIB
PATIENCE = 120.0  # seconds of a save beyond which training waits for its disk more than it should


def look(run: PretrainRun) -> Iterator[Finding]:
    """Yield what there is to say about the disk of output.directory, which is left as it is."""
    place, one = existing_parent(run.output.directory), checkpoint_bytes(all_parameters(sizes_of(run)))
    needed = one * (run.train.keep_last + 1 + (run.watch.keep_best is not None))
    free = shutil.disk_usage(place).free
    yield judged(
        "room for checkpoints", f"{gib(free)} free at {place}, {gib(needed)} wanted", needed < free,
        "free some space, name another output.directory, or lower train.keep_last", FAIL,
    )  # fmt: skip
    try:
        speed = writing_speed(place, min(SAMPLE, one, free // 4))
    except OSError as error:
        yield Finding(FAIL, "writing", f"{place}: {error.strerror}", "name an output.directory that can be written")
        return
    yield judged(
        "writing", f"{speed / 1e6:,.0f} MB/s with fsync; a checkpoint of {gib(one)} takes {duration(one / speed)}",
        one / speed < PATIENCE, "raise train.save_every, or name an output.directory on a faster disk",
    )  # fmt: skip


def existing_parent(path: Path) -> Path:
    """Return the innermost folder above `path` that exists; the run's own folder is left alone."""
    return next(parent for parent in path.absolute().parents if parent.is_dir())


def writing_speed(folder: Path, size: int) -> float:
    """Return bytes a second of a file that is written, synced and gone again. Raises OSError as the system gives it."""
    chunk = os.urandom(min(MIB, max(size, 1)))
    with tempfile.TemporaryFile(dir=folder) as file:
        begun, written = time.monotonic(), 0
        while written < size:
            written += file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
        return max(written, 1) / max(time.monotonic() - begun, 1e-6)
