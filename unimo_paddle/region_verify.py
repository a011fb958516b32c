"""Reading a whole region store to find what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from unimo_paddle.region_shards import (
    Encoded,
    Shard,
    StoreMeta,
    decode,
    read_meta,
    read_shards,
    region_faults,
    require_fit,
    unknown_ids,
)


def verify(path: Path | str) -> list[str]:
    """Read a whole store and return its faults: missing or short files, checksums, values, boxes, doubled ids.

    UserError when regions.json is broken or fits no shard.
    """
    store_path = Path(path)
    meta, faults, seen = read_meta(store_path), [], set[str]()
    require_fit(store_path, meta, [shard.file for shard in read_shards(store_path)])
    for shard in read_shards(store_path):
        faults += [f"{shard.path}: image {i!r} is stored twice" for i in shard.ids if i in seen]
        seen.update(shard.ids)
        fault = shard.file.content_fault(meta)
        faults += [fault] if fault else _value_faults(shard, meta)
    return faults


def _value_faults(shard: Shard, meta: StoreMeta) -> Iterator[str]:
    arrays, begin = shard.file.arrays(meta), 0
    if fault := unknown_ids(arrays, meta):
        yield f"{shard.path}: {fault}"
        return
    for image_id, count, width, height in zip(shard.ids, shard.counts, shard.widths, shard.heights, strict=True):
        part = {name: array[begin : begin + count] for name, array in arrays.items()}
        regions = decode(Encoded(part, width, height), meta)
        begin += count
        yield from (f"{shard.path}: image {image_id!r}: {fault}" for fault in region_faults(regions, meta))
