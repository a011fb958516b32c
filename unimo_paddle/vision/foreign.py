"""bottom-up-attention's weights, converted from Caffe by others, as one of our detectors.

The file is py-bottom-up-attention's faster_rcnn_from_caffe_attr.pkl (or the one without _attr): a pickle of
{"model": {detectron2's name: array}, "__author__": ..., "matching_heuristics": True}. With that last mark detectron2
takes an array for every name that ends in the array's, the longest one first; so it is read here. The order of anchors,
classes (the background last) and attributes ("none" last) is detectron2's, the arithmetic Caffe's (see caffe.py):
the weights were learned with that, and the published features were made with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.errors import UserError
from unimo_paddle.files import sha256_of
from unimo_paddle.safe_pickle import read_numpy_pickle
from unimo_paddle.vision.compat import RegionDetector
from unimo_paddle.vision.detector import StoredDetector, build_detector, save_detector
from unimo_paddle.vision.genome import ATTRIBUTE_NAMES, OBJECT_NAMES, read_vocabulary
from unimo_paddle.vision.resnet_c4 import block_number
from unimo_paddle.vision.settings import CAFFE, Choice, DetectorSettings

Array = NDArray[Any]
FAMILY = "bottom-up-attention-caffe"
DEPTHS = {6: "resnet50_c4", 23: "resnet101_c4"}  # blocks of stage 4 -> backbone
SHOWN = 20  # faults in one message
PREDICTOR = "roi_heads.box_predictor."
ATTRIBUTE_LAYERS = ("cls_embedding", "fc_attr", "attr_score")


@dataclass(frozen=True)
class Source:
    """Where an array of ours comes from: its name in detectron2 and what is done to it."""

    name: str
    change: Callable[[Array], Array]


@dataclass(frozen=True)
class Conversion:
    """What became of the file: how many arrays were taken, which were not, and the SHA-256 of the weights written."""

    taken: int
    unused: tuple[str, ...]
    sha256: str


def convert_bottom_up(source: Path, vocabulary: Path, target: Path) -> Conversion:
    """Make the detector's folder `target`.

    vocabulary: folder with objects_vocab.txt and, for weights with attributes, attributes_vocab.txt.
    UserError naming every array that is missing, of another shape or not finite, or when the vocabularies do not fit.
    """
    arrays = Suffixes(read_numpy_pickle(source))
    settings = settings_for(source, arrays, vocabulary)
    detector = build_detector(settings)
    _fill(detector, arrays, source)
    detector.eval()
    notes = {"converted_from": source.name, "source_sha256": sha256_of(source)}
    digest = save_detector(StoredDetector(detector, settings, Choice(), ""), target, notes)
    return Conversion(len(arrays.used), tuple(sorted(arrays.all.keys() - arrays.used)), digest)


class Suffixes:
    """Arrays that may be stored under the end of their name. used: the names asked for so far, as the file has them."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self.all, self.used = dict(arrays), set[str]()

    def find(self, name: str) -> Array | None:
        """Return the array with the longest name that `name` is or ends in, at a dot; None without any."""
        parts = name.split(".")
        stored = next((end for k in range(len(parts)) if (end := ".".join(parts[k:])) in self.all), None)
        if stored is None:
            return None
        self.used.add(stored)
        return self.all[stored]

    def rows(self, name: str) -> int:
        """Return the first side of an array, 0 when it is missing."""
        array = self.find(name)
        return len(array) if array is not None and array.ndim else 0


def sources(detector: RegionDetector) -> dict[str, Source]:
    """Return for each array of a converted detector where it comes from."""
    return {name: _source(name) for name in detector.state_dict()}


def settings_for(source: Path, arrays: Suffixes, vocabulary: Path) -> DetectorSettings:
    """Return the detector that the file's arrays make; UserError as in `convert_bottom_up`, naming `source`."""
    blocks = next(k for k in range(1000) if arrays.find(f"backbone.res4.{k}.conv1.weight") is None)
    if blocks not in DEPTHS:
        raise UserError(
            f"{source}: its stage 4 (backbone.res4.*) has {blocks} blocks; a ResNet-101 has 23: this is no "
            f"bottom-up-attention detector as py-bottom-up-attention stores it"
        )
    has_attributes = any(arrays.find(f"{PREDICTOR}{layer}.weight") is not None for layer in ATTRIBUTE_LAYERS)
    attributes = _names(arrays, "attr_score", vocabulary / ATTRIBUTE_NAMES, source) if has_attributes else ()
    return DetectorSettings(
        classes=_names(arrays, "cls_score", vocabulary / OBJECT_NAMES, source),
        attributes=attributes,
        family=FAMILY,
        backbone=DEPTHS[blocks],
        conventions=CAFFE,
        short_side=600,
        long_side=1000,
        neck_width=512,
        feature_width=2048,
        roi_size=14,
        anchor_sizes=(64, 128, 256, 512),
        candidates=6000,
        smallest=16.0,
        train_proposals=2000,
        test_proposals=300,
        anchors_per_image=64,
        rois_per_image=64,
    )


def _names(arrays: Suffixes, layer: str, path: Path, source: Path) -> tuple[str, ...]:
    names, rows = read_vocabulary(path).names, arrays.rows(f"{PREDICTOR}{layer}.weight")
    if rows != len(names) + 1:
        raise UserError(
            f"{source}: {PREDICTOR}{layer}.weight has {rows} rows, but {path} has {len(names)} names, which with none "
            f"or the background want {len(names) + 1}; give the vocabulary that the weights were trained with"
        )
    return names


def _fill(detector: RegionDetector, arrays: Suffixes, source: Path) -> None:
    tensors = detector.state_dict()
    found = {name: (origin, arrays.find(origin.name)) for name, origin in sources(detector).items()}
    faults = [fault for name, (origin, array) in found.items() for fault in _faults(origin, array, tensors[name].shape)]
    if faults:
        more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise UserError(f"{source} is no bottom-up-attention detector: {'; '.join(faults[:SHOWN])}{more}")
    for name, (origin, array) in found.items():
        tensors[name].set_value(np.ascontiguousarray(origin.change(np.asarray(array, np.float32))))


def _faults(origin: Source, array: Array | None, shape: Any) -> Iterator[str]:
    if array is None:
        yield f"{origin.name} is missing"
        return
    wanted = list(shape)[::-1] if origin.change in (_turned, _none_first_turned) else list(shape)
    if list(array.shape) != wanted:
        yield f"{origin.name} has shape {list(array.shape)}, not {wanted}"
    elif array.dtype.kind != "f" or not np.isfinite(array).all():
        yield f"{origin.name} has values that are no finite numbers ({array.dtype})"


def _same(array: Array) -> Array:
    return array


def _turned(array: Array) -> Array:
    """Paddle's Linear has its inputs first."""
    return array.T


def _none_first(array: Array) -> Array:
    """"None" is detectron2's last attribute and our first."""
    return np.roll(array, 1, axis=0)


def _none_first_turned(array: Array) -> Array:
    return _none_first(array).T


_CONVOLUTIONS = {"short": "shortcut", "branch2a": "conv1", "branch2b": "conv2", "branch2c": "conv3"}
_NORM_PARTS = {"weight": "weight", "bias": "bias", "_mean": "running_mean", "_variance": "running_var"}
_LAYERS = {
    "rpn_head.rpn_feat.rpn_conv": ("proposal_generator.rpn_head.conv", _same),
    "rpn_head.rpn_rois_score": ("proposal_generator.rpn_head.objectness_logits", _same),
    "rpn_head.rpn_rois_delta": ("proposal_generator.rpn_head.anchor_deltas", _same),
    "bbox_head.bbox_score": (PREDICTOR + "cls_score", _turned),
    "bbox_head.bbox_delta": (PREDICTOR + "bbox_pred", _turned),
    "bbox_head.attribute_head.class_embedding": (PREDICTOR + "cls_embedding", _same),
    "bbox_head.attribute_head.hidden": (PREDICTOR + "fc_attr", _turned),
    "bbox_head.attribute_head.score": (PREDICTOR + "attr_score", _none_first_turned),
}  # fmt: skip
_OF_BIASES = {_turned: _same, _none_first_turned: _none_first}


def _source(name: str) -> Source:
    layer, _, part = name.rpartition(".")
    if layer in _LAYERS:
        origin, change = _LAYERS[layer]
        return Source(f"{origin}.{part}", _OF_BIASES.get(change, change) if part == "bias" else change)
    *place, kind, part = name.split(".")
    end = "weight" if kind == "conv" else f"norm.{_NORM_PARTS[part]}"
    if place[1] == "conv1":
        return Source(f"backbone.stem.conv1.{end}", _same)
    stage, block, branch = place[-3:]
    root = "roi_heads" if stage == "res5" else "backbone"
    return Source(f"{root}.{stage}.{block_number(block)}.{_CONVOLUTIONS[branch]}.{end}", _same)
