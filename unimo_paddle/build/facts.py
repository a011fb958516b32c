"""What a run's data are known by, so that other data under the same path are noticed when it goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from unimo_paddle.config import PretrainRun
from unimo_paddle.corpus import Corpus
from unimo_paddle.files import sha256_of


def data_facts(run: PretrainRun) -> dict[str, str]:
    """Return the checksum of all that a run's steps are drawn from, by name.

    Of what the indexes say, which hold the checksums of their shards: no shard is read.
    """
    data = run.data
    facts = {"regions": store_checksum(data.regions)}
    if data.weight:
        facts |= _corpus_checksums(run)
        if data.image_regions:
            facts["regions of retrieved images"] = store_checksum(data.image_regions)
    if run.texts.tokens and run.texts.weight:
        facts["texts"] = store_checksum(run.texts.tokens)
    if run.images.regions and run.images.weight:
        facts["images"] = store_checksum(run.images.regions)
    return facts


def _corpus_checksums(run: PretrainRun) -> dict[str, str]:
    """Return the checksums of the pairs and of those collections beside them that a step draws from."""
    data, contrast = run.data, run.objectives.contrastive > 0
    wanted = {
        "pairs": ["pairs"],
        "rewrites": ["rewrites"] * (contrast and data.positives + data.negatives > 0),
        "retrieved images": ["retrieved_images"] * (contrast and data.retrieved_images > 0),
        "retrieved texts": ["retrieved_texts", "sentences"] * (contrast and data.retrieved_texts > 0),
    }
    manifest = Corpus(data.corpus).manifest
    shards = {
        name: [shard for collection in collections for shard in manifest.select(collection, data.split)]
        for name, collections in wanted.items()
        if collections
    }
    return {name: _joined(f"{one.rows} {one.sha256}" for one in listed) for name, listed in shards.items()}


def store_checksum(folder: Path) -> str:
    """Return the checksum of a store of regions or tokens: of its index files, in order."""
    return _joined(f"{index.name} {sha256_of(index)}" for index in sorted(folder.glob("*.json")))


def _joined(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
