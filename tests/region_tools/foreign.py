"""Made-up detections, and writers of other people's formats, written from those formats' own descriptions."""

import base64
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

WIDTH = 12  # of a feature
CLASSES, ATTRIBUTES = 7, 5  # with background and none


@dataclass
class Found:
    """One image as an extractor had it."""

    key: str
    width: int
    height: int
    boxes: np.ndarray
    features: np.ndarray
    class_probs: np.ndarray
    attr_probs: np.ndarray


def found(key: str, seed: int, width: int = 60, height: int = 40, rows: int = 4) -> Found:
    rng = np.random.default_rng(seed)
    corners = np.sort(rng.uniform(0, 1, (rows, 2, 2)), axis=1).reshape(rows, 4)
    corners[0] = [0.0, 0.0, 1.0, 1.0]  # reaches the borders, so that the size's order shows
    boxes = (corners * [width, height, width, height]).astype(np.float32)
    probs = [softmax(rng.normal(0, 2, (rows, n))) for n in (CLASSES, ATTRIBUTES)]
    return Found(key, width, height, boxes, rng.normal(0, 3, (rows, WIDTH)).astype(np.float32), *probs)


def many(count: int = 5) -> list[Found]:
    sizes = [(60, 40), (40, 60), (50, 50), (640, 480)]
    return [found(f"img{i}", i, *sizes[i % 4], rows=2 + i % 3) for i in range(count)]


def softmax(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits - logits.max(1, keepdims=True))
    return (e / e.sum(1, keepdims=True)).astype(np.float32)


def b64(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def write(path: Path, lines: Sequence[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(line + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def flickr(one: Found, width_first: bool = True) -> str:
    sizes = [one.width, one.height] if width_first else [one.height, one.width]
    fields = [one.key, *sizes, len(one.boxes), b64(one.boxes), b64(one.features), b64(one.class_probs)]
    return "\t".join(map(str, fields))


def entailment(one: Found, text: str = "0 5 2") -> str:
    fields = [one.key, "d1", 2, text, "0 0 0", "2 3 4", "", one.width, one.height, len(one.boxes), b64(one.boxes),
              b64(one.features), "", ""]  # fmt: skip
    return ";".join(map(str, fields))


def caption(one: Found, text: str = "0 5 2") -> str:
    fields = [one.key, "c1", text, "0 0 0", "2 3 4", "0 0 0", "0", "1", one.height, one.width, len(one.boxes),
              b64(one.boxes), b64(one.class_probs), b64(one.attr_probs), b64(one.features), ""]  # fmt: skip
    return ";".join(map(str, fields))


def bottom_up(one: Found, cls_prob: bool = False) -> str:
    fields = [one.key, one.width, one.height, len(one.boxes), b64(one.boxes), b64(one.features)]
    return "\t".join(map(str, fields + [b64(one.class_probs)] * cls_prob))


def lxmert(one: Found) -> str:
    best = []
    for probs in (one.class_probs, one.attr_probs):
        best += [b64(probs[:, 1:].argmax(1).astype("<i8")), b64(probs[:, 1:].max(1))]
    fields = [one.key, one.height, one.width, *best, len(one.boxes), b64(one.boxes), b64(one.features)]
    return "\t".join(map(str, fields))


NAMES = ["cat", "dog", "hat", "bus", "tree", "car"]
ATTRIBUTE_NAMES = ["red", "big", "old", "wet"]


def objects(one: Found, feature: bool) -> list[dict]:
    listed = []
    for i, box in enumerate(one.boxes):
        best = int(one.class_probs[i, 1:].argmax())
        ranked = np.argsort(-one.attr_probs[i, 1:])[:2]
        listed.append({
            "rect": box.tolist(), "bbox_id": i, "class": NAMES[best], "conf": float(one.class_probs[i, 1 + best]),
            "attributes": [ATTRIBUTE_NAMES[k] for k in ranked],
            "attr_scores": [float(one.attr_probs[i, 1 + k]) for k in ranked],
            **({"feature": b64(one.features[i])} if feature else {}),
        })  # fmt: skip
    return listed


def vinvl_predictions(images: Sequence[Found], folder: Path) -> Path:
    """scene_graph_benchmark: all in predictions.tsv, sizes in a .hw.tsv."""
    write(folder / "hw.tsv", [f"{one.key}\t{json.dumps([{'height': one.height, 'width': one.width}])}"
                              for one in images])  # fmt: skip
    return write(folder / "predictions.tsv", [
        f"{one.key}\t{json.dumps({'objects': objects(one, True), 'relations': None})}" for one in images
    ])  # fmt: skip


def vinvl_features(images: Sequence[Found], folder: Path) -> Path:
    """Oscar+ pretraining: features.tsv with three columns, predictions.tsv with the sizes."""
    write(folder / "predictions.tsv", [
        f"{one.key}\t{json.dumps({'image_h': one.height, 'image_w': one.width, 'objects': objects(one, False)})}"
        for one in reversed(images)
    ])  # fmt: skip
    lines = [f"{one.key}\t{len(one.boxes)}\t{b64(one.features)}" for one in images]
    starts = np.cumsum([0] + [len(line) + 1 for line in lines])[:-1]
    write(folder / "features.lineidx", list(map(str, starts)))
    return write(folder / "features.tsv", lines)


def vinvl_labels(images: Sequence[Found], folder: Path) -> Path:
    """Oscar's tasks: train.feature.tsv and train.label.tsv, both JSON."""
    write(folder / "train.hw.tsv", [f"{one.key}\t{json.dumps([{'height': one.height, 'width': one.width}])}"
                                    for one in images])  # fmt: skip
    write(folder / "train.label.tsv", [f"{one.key}\t{json.dumps(objects(one, False))}" for one in images])
    return write(folder / "train.feature.tsv", [
        f"{one.key}\t{json.dumps({'num_boxes': len(one.boxes), 'features': b64(one.features)})}" for one in images
    ])  # fmt: skip


def npz(one: Found, folder: Path, **more: object) -> Path:
    """bottom-up-attention.pytorch's save_roi_features."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{one.key}.npz"
    info = {"image_id": one.key, "objects_id": one.class_probs.argmax(1)}
    arrays = {"x": one.features, "bbox": one.boxes, "num_bbox": len(one.boxes), "image_h": one.height,
              "image_w": one.width, "info": info, **more}  # fmt: skip
    np.savez_compressed(path, **{name: value for name, value in arrays.items() if value is not None})
    return path
