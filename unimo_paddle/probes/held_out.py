"""The pairs that probes look at: of a split that is not trained on, the first images with one caption each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unimo_paddle.data.encode import Bools, ImageRow, TextRow, encode_image, encode_text
from unimo_paddle.data.tokenizer import Tokenizer
from unimo_paddle.errors import UserError
from unimo_paddle.regions import RegionStore
from unimo_paddle.retrieval import Candidates


@dataclass(frozen=True)
class HeldOut:
    """N images with one caption each, the n-th of the n-th; paths: of the pictures, which need not be there;
    is_right: bool [N, N], caption t is true of image i."""

    paths: Sequence[Path]
    captions: Sequence[str]
    images: Sequence[ImageRow]
    texts: Sequence[TextRow]
    is_right: Bools


def held_out(
    found: Candidates, store: RegionStore, tokenizer: Tokenizer, pairs: int, max_regions: int, max_tokens: int
) -> HeldOut:
    """Read the first `pairs` images, fewer where there are fewer, with their captions.

    found: of the split, with one caption per image. Raises UserError when the store lacks an image, or there is only
    one, which nothing could be told from.
    """
    assert len(found.captions) == len(found.image_ids), "one caption an image"
    ids, captions = found.image_ids[:pairs], found.captions[:pairs]
    missing = [image_id for image_id in ids if image_id not in store]
    if missing or len(ids) < 2:
        what = f"{store.path} lacks {len(missing)} of them, e.g. {missing[0]}" if missing else "at least 2 are wanted"
        raise UserError(
            f"the probe looks at {len(ids)} held-out images, but {what}; extract their regions too, name another "
            f"evaluation.split, or set watch.probe_every to 0"
        )
    tokens = tokenizer.encode_batch(captions)
    return HeldOut(
        paths=found.image_paths[:pairs],
        captions=captions,
        images=[encode_image(store.read(image_id), image_id, max_regions) for image_id in ids],
        texts=[encode_text(one, tokenizer.cls, tokenizer.sep, max_tokens) for one in tokens],
        is_right=found.is_right[:pairs, :pairs],
    )
