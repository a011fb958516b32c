"""The numbers that make a detector; no Paddle here."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from unimo_paddle.errors import UserError

BACKGROUND, NO_ATTRIBUTE = "__background__", "__none__"
OWN, CAFFE = "own", "caffe"


@dataclass(frozen=True)
class Kind:
    """What a backbone's name stands for.

    depth: layers of a ResNet, 0 for EfficientNet-Lite0.  feature_width: of a region, 0 where the settings choose it.
    is_frozen: the whole backbone stays as it is, so that its maps can be computed once.
    multiple: pictures are padded to multiples of so many pixels; the maps of a C4 detector need none.
    """

    depth: int = 0
    feature_width: int = 0
    is_frozen: bool = True
    multiple: int = 32


KINDS = {
    "efficientnet_lite0": Kind(),
    "resnet18_c4": Kind(18, 512, is_frozen=False, multiple=1),
    "resnet50_c4": Kind(50, 2048, is_frozen=False, multiple=1),
    "resnet101_c4": Kind(101, 2048, is_frozen=False, multiple=1),
}


@dataclass(frozen=True)
class Choice:
    """Which regions are kept, best first: those whose class probability is above `threshold`, at least `least` and at
    most `most`, and never more than the proposals that survive suppression."""

    threshold: float = 0.2
    least: int = 10
    most: int = 100

    def __post_init__(self) -> None:
        """UserError when the numbers contradict each other."""
        if not 1 <= self.least <= self.most:
            raise UserError(f"at least {self.least} and at most {self.most} regions cannot be kept; 1 <= min <= max")
        if not 0 <= self.threshold < 1:
            raise UserError(f"the threshold is a probability, 0 <= threshold < 1, not {self.threshold}")

    def __str__(self) -> str:
        return f"class probability above {self.threshold}, {self.least} to {self.most} regions"

    @classmethod
    def from_dict(cls, values: Any, where: str) -> Choice:
        """Rebuild from JSON values; UserError names the file when they are no choice."""
        try:
            return cls(**values)
        except (TypeError, ValueError) as error:
            raise UserError(f"{where}: extraction is {values!r:.80}: {error}; train the detector again") from None


@dataclass(frozen=True)
class DetectorSettings:
    """Everything a Faster R-CNN needs to be built; stored beside its weights.

    classes: names without the background.  attributes: names without "none"; empty: there is no attribute head.
    family: name of the feature family; stores of two families never mix.
    conventions: "own", or "caffe" as bottom-up-attention has them (see caffe.py); only converted weights have these.
    short_side, long_side: an image is scaled until its short side is short_side pixels, or its long side long_side.
    neck_width: channels of the map that proposals are read from: the fused one, or the proposal network's hidden one.
    feature_width: width of a region's feature.  roi_size: cells of a pooled region along a side.
    anchor_sizes: pixels of the scaled image.  candidates: proposals before the proposal network's suppression.
    smallest: side below which a proposal is dropped, pixels.  *_proposals: kept after the suppression.
    rois_per_image: proposals that the region head learns from in a step.
    """

    classes: tuple[str, ...]
    attributes: tuple[str, ...] = ()
    family: str = "small-world"
    backbone: str = "efficientnet_lite0"
    conventions: str = OWN
    short_side: int = 256
    long_side: int = 384
    neck_width: int = 128
    feature_width: int = 256
    roi_size: int = 7
    anchor_sizes: tuple[int, ...] = (40, 80, 160)
    anchor_ratios: tuple[float, ...] = (0.5, 1.0, 2.0)
    candidates: int = 1000
    smallest: float = 4.0
    train_proposals: int = 100
    test_proposals: int = 64
    anchors_per_image: int = 128
    rois_per_image: int = 32

    @property
    def kind(self) -> Kind:
        """What the backbone's name stands for; UserError for an unknown one."""
        if self.backbone not in KINDS:
            raise UserError(f"backbone {self.backbone!r} is not known; known are: {', '.join(KINDS)}")
        return KINDS[self.backbone]

    @property
    def stored_attributes(self) -> tuple[str, ...]:
        """Attribute names in the order of Regions.attr_probs: none first; empty without an attribute head."""
        return (NO_ATTRIBUTE, *self.attributes) if self.attributes else ()

    @property
    def stored_classes(self) -> tuple[str, ...]:
        """Class names in the order of Regions.class_probs: the background first."""
        return (BACKGROUND, *self.classes)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any], where: str) -> DetectorSettings:
        """Rebuild from JSON values; UserError names the file and the keys that are unknown or missing."""
        known = {field.name for field in fields(cls)}
        faults = [f"unknown setting {name!r}" for name in sorted(set(values) - known)]
        faults += [] if "classes" in values else ["setting 'classes' is missing"]
        if faults:
            raise UserError(f"{where}: {'; '.join(faults)}; the file was made by another version: train again")
        plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**plain)
