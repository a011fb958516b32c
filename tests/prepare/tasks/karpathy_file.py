"""Karpathy's JSON, as caption_datasets.zip has it."""

import json
from typing import Any


def image(number: int, split: str, *captions: str, folder: str = "val2014", **more: Any) -> dict[str, Any]:
    """An entry of dataset_coco.json; sentids count on from 10 times the image's number."""
    first = 10 * number
    sentences = [{"tokens": raw.lower().rstrip(".").split(), "raw": raw, "imgid": number, "sentid": first + k}
                 for k, raw in enumerate(captions)]  # fmt: skip
    return {"filepath": folder, "filename": f"COCO_{folder}_{number:012d}.jpg", "split": split, "imgid": number,
            "sentids": [one["sentid"] for one in sentences], "sentences": sentences, "cocoid": number,
            **more}  # fmt: skip


def flickr(number: int, split: str, *captions: str) -> dict[str, Any]:
    """An entry of dataset_flickr30k.json: neither folder nor cocoid."""
    entry = image(number, split, *captions)
    return {name: value for name, value in entry.items() if name not in ("filepath", "cocoid")} | {
        "filename": f"{number}.jpg"
    }


def dataset(*entries: Any) -> str:
    """The file."""
    return json.dumps({"images": list(entries), "dataset": "coco"})
