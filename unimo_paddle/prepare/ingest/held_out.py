"""Pictures that a later evaluation asks about, so that pretraining can leave them out.

Half of Visual Genome's pictures are COCO's, and all of COCO, Flickr30k and SBU come from Flickr.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from unimo_paddle.errors import UserError
from unimo_paddle.files import read_json

SPLITS = ("val", "test")


def held_out_coco(karpathy: Path) -> frozenset[int]:
    """Return the COCO ids of the val and test pictures in dataset_coco.json; UserError when it is another file."""
    return _held_out(karpathy, "cocoid")


def held_out_flickr30k(karpathy: Path) -> frozenset[int]:
    """Return the Flickr numbers of the val and test pictures in dataset_flickr30k.json: their files' names."""
    return _held_out(karpathy, "filename")


def _held_out(path: Path, key: str) -> frozenset[int]:
    value = read_json(path)
    images = value.get("images") if isinstance(value, dict) else None
    entries = [entry for entry in images if isinstance(entry, dict)] if isinstance(images, list) else []
    names = [PurePosixPath(str(entry.get(key))).stem for entry in entries if entry.get("split") in SPLITS]
    strange = [name for name in names if not name.isdecimal()]
    if strange or not names:
        what = f"a picture whose {key} is {strange[0]!r}" if strange else f"no picture of {' or '.join(SPLITS)}"
        raise UserError(f"{path} has {what}; Karpathy's dataset_{'coco' if key == 'cocoid' else 'flickr30k'}.json "
                        f"is wanted")
    return frozenset(map(int, names))
