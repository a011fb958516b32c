"""What rewriting and retrieval ask of the regions of a corpus's pairs."""

from __future__ import annotations

from unimo_paddle.corpus import Corpus
from unimo_paddle.errors import UserError
from unimo_paddle.regions import RegionStore


def require_regions(corpus: Corpus, split: str, store: RegionStore) -> None:
    """Raise UserError, with the first id, when images of a split's pairs are not in a region store."""
    wanted = set(corpus.pairs(split).column("image_id"))
    missing = sorted(image_id for image_id in wanted if image_id not in store)
    if missing:
        raise UserError(
            f"{len(missing):,} of {len(wanted):,} images of split {split!r} have no regions in {store.path}, the first "
            f"{missing[0]!r}; extract them with: tools/extract.py --detector DIR --corpus {corpus.path} --out "
            f"{store.path}, or name the store that has them")
