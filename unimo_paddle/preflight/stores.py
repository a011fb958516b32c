"""What a run reads: how much of it there is, whether all ranks see the same, whether it is what was written."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from unimo_paddle.config import PretrainRun
from unimo_paddle.console import duration, say
from unimo_paddle.corpus import Corpus
from unimo_paddle.distributed import require_same
from unimo_paddle.engine.plan import DataSizes
from unimo_paddle.engine.plan.table import gib
from unimo_paddle.errors import UserError
from unimo_paddle.preflight.findings import FAIL, OK, Finding
from unimo_paddle.regions import RegionStore, verify
from unimo_paddle.token_store import TokenStore

MANIFESTS = {"corpus": "corpus.json", "regions": "regions.json", "tokens": "tokens.json"}
CAPTIONS = 1000
SAMPLE = 64 << 20
SHOWN = 5


def data_sizes(run: PretrainRun) -> DataSizes:
    """Return what is known of a run's data, as far as it is there. Raises UserError for what is there and broken."""
    corpus, regions, images, tokens = run.data.corpus, run.data.regions, run.images.regions, run.texts.tokens
    pairs = Corpus(corpus).pairs(run.data.split) if _is_there(corpus, "corpus") else None
    store = RegionStore(regions) if _is_there(regions, "regions") else None
    return DataSizes(
        pairs=len(pairs) if pairs is not None else None,
        images=len(RegionStore(images)) if images and _is_there(images, "regions") else None,
        tokens=TokenStore(tokens).tokens if tokens and _is_there(tokens, "tokens") else None,
        regions=float(store.region_counts.clip(max=run.data.max_regions).mean()) if store and len(store) else None,
        # As the stream estimates it: four letters a token.
        caption=_mean([len(pair.caption) / 4 + 3 for pair in islice(pairs, CAPTIONS)]) if pairs else None,
    )


def look(run: PretrainRun) -> Iterator[Finding]:
    """Yield whether everything that the run names is there, and how much it is."""
    for folder, kind in named(run).items():
        if _is_there(folder, kind):
            yield Finding(OK, kind, f"{folder}, {gib(_bytes(folder))}")
        else:
            yield Finding(FAIL, kind, f"{folder} has no {MANIFESTS[kind]}", _remedy(kind))


def same_everywhere(run: PretrainRun) -> Finding:
    """Compare manifests over all ranks, which must all call it."""
    digest = hashlib.sha256()
    for folder, kind in named(run).items():
        digest.update((folder / MANIFESTS[kind]).read_bytes() if _is_there(folder, kind) else b"absent")
    try:
        require_same("data", int(digest.hexdigest()[:12], 16))
    except UserError as error:
        return Finding(FAIL, "data of all processes", str(error), "copy the same stores to every node")
    return Finding(OK, "data of all processes", f"the same manifests, {digest.hexdigest()[:12]}")


def checksums(run: PretrainRun) -> list[Finding]:
    """Read every store from end to end and compare its checksums; says before how long that may take."""
    checks: dict[str, Callable[[Path], list[str]]] = {
        "corpus": lambda folder: Corpus(folder).verify(),
        "regions": verify,
        "tokens": lambda folder: TokenStore(folder).verify(),
    }
    found = []
    for folder, kind in named(run).items():
        size = _bytes(folder)
        say(f"comparing checksums of {folder}: {gib(size)}, about {duration(size / _reading_speed(folder))}")
        faults = checks[kind](folder)
        shown = "; ".join(faults[:SHOWN]) + (f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else "")
        found.append(
            Finding(FAIL, f"checksums of {kind}", f"{folder}: {shown}", _remedy(kind))
            if faults
            else Finding(OK, f"checksums of {kind}", f"{folder}: all as written")
        )
    return found


def named(run: PretrainRun) -> dict[Path, str]:
    """Return each store that the run reads, once, with its kind."""
    data = run.data
    retrieved = data.image_regions if run.objectives.contrastive and data.retrieved_images else None
    wanted = [
        (data.corpus, "corpus", data.weight),
        (data.regions, "regions", 1.0),
        (retrieved, "regions", data.weight),
        (run.images.regions, "regions", run.images.weight),
        (run.texts.tokens, "tokens", run.texts.weight),
    ]
    return {folder: kind for folder, kind, weight in wanted if folder and weight}


def _is_there(folder: Path, kind: str) -> bool:
    return (folder / MANIFESTS[kind]).is_file()


def _remedy(kind: str) -> str:
    made = {"corpus": "tools/prepare.py ingest", "regions": "tools/extract.py", "tokens": "tools/prepare.py tokens"}
    return f"make or mend it with {made[kind]} (docs/pretraining.md)"


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())


def _reading_speed(folder: Path) -> float:
    """Bytes a second of reading and hashing the beginning of the largest file."""
    largest = max((file for file in folder.iterdir() if file.is_file()), key=lambda file: file.stat().st_size)
    begun = time.monotonic()
    with largest.open("rb") as file:
        read = len(hashlib.sha256(some := file.read(SAMPLE)).digest()) and len(some)
    return max(read, 1) / max(time.monotonic() - begun, 1e-6)


def _mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers)
