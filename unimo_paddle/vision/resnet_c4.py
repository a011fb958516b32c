"""PaddleDetection's ResNet up to stage 4 as a backbone, and its stage 5 as the head of each region.

Batch normalisation never learns, and the stem and stages 2 and 3 do not either: so bottom-up-attention's
train.prototxt has it (lr_mult 0). Pictures are RGB with ImageNet's statistics; in Caffe's conventions BGR, unscaled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from paddle import Tensor, nn
from paddle.nn import functional as F

from unimo_paddle.errors import UserError
from unimo_paddle.vision.compat import BasicBlock, Blocks, BottleNeck, NameAdapter, ResNet, ResNet_cfg
from unimo_paddle.vision.settings import CAFFE

Array = NDArray[Any]
STRIDE = 16
FROZEN_STAGES = 1  # PaddleDetection's freeze_at: the stem and stages 2 to 2 + FROZEN_STAGES
MEAN, DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # RGB, of ImageNet
CAFFE_MEAN = (102.9801, 115.9465, 122.7717)  # BGR; lib/fast_rcnn/config.py, PIXEL_MEANS
NORM_EPSILON = 1e-5
SHOWN = 12  # faults in one message


class ResNetC4(ResNet):
    """The stem and stages 2 to 4: one map of stride 16, 1,024 channels (256 in a ResNet-18)."""

    def __init__(self, depth: int, conventions: str) -> None:
        self.is_caffe = conventions == CAFFE  # before super(): plain values may be set on a Layer at any time
        variant = "a" if self.is_caffe else "b"  # where a stage's stride is: in its first 1 x 1 or in the 3 x 3
        super().__init__(depth=depth, variant=variant, freeze_at=FROZEN_STAGES, return_idx=[2], num_stages=3)
        self.channels = (1024 if depth >= 50 else 256,)

    def forward(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """Return the map of inputs["image"], as PaddleDetection calls a backbone."""
        return self.maps(inputs["image"])

    def maps(self, image: Tensor) -> list[Tensor]:
        """Map normalised float32 [B, 3, H, W] to [B, C, H / 16, W / 16], the sides rounded up."""
        x = self.conv1(image)
        # Caffe pools without padding but lets the last window stand over the edge.
        x = F.max_pool2d(x, 3, 2, 0, ceil_mode=True) if self.is_caffe else F.max_pool2d(x, 3, 2, 1)
        for stage in self.res_layers:
            x = stage(x)
        return [x]

    def normalise(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Turn uint8 RGB [B, H, W, 3] into the network's float32 [B, 3, H, W]."""
        plain = pixels.astype(np.float32)
        if self.is_caffe:
            plain = plain[..., ::-1] - np.array(CAFFE_MEAN, np.float32)
        else:
            plain = (plain - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
        return np.ascontiguousarray(plain.transpose(0, 3, 1, 2))


class Stage5(nn.Layer):
    """Stage 5 on pooled regions; like Res5Head, which has one block too many for a ResNet-18's ImageNet weights."""

    def __init__(self, depth: int, conventions: str) -> None:
        super().__init__()
        block, inputs = (BottleNeck, 1024) if depth >= 50 else (BasicBlock, 256)
        self.res5 = Blocks(block, inputs, 512, ResNet_cfg[depth][3], NameAdapter(self), stage_num=5)
        if conventions == CAFFE:
            self._keep_resolution()

    def forward(self, regions: Tensor) -> Tensor:
        """Map [N, C, S, S] to [N, feature_width, S / 2, S / 2]; in Caffe's conventions to [N, feature_width, S, S]."""
        return self.res5(regions)

    def _keep_resolution(self) -> None:
        """No stride, and the 3 x 3 convolutions dilated by 2: test.prototxt, res5a to res5c."""
        first = self.res5.blocks[0]
        first.short.conv = nn.Conv2D(1024, 2048, 1, bias_attr=False)
        first.branch2a.conv = nn.Conv2D(1024, 512, 1, bias_attr=False)
        for block in self.res5.blocks:
            block.branch2b.conv = nn.Conv2D(512, 512, 3, padding=2, dilation=2, bias_attr=False)


def read_imagenet(backbone: ResNetC4, stage5: Stage5, weights: Mapping[str, Array]) -> None:
    """Give all five stages published ImageNet weights, under torchvision's or PaddleDetection's names.

    UserError naming what is missing or has another shape; nothing is changed then.
    """
    places = dict(_places(backbone, stage5))
    if "conv1.weight" in weights:
        weights = {**_plain_projection(), **weights} if backbone.depth < 50 else weights
        places = {torchvision_name(name): tensor for name, tensor in places.items()}
    faults = [
        f"{name} is missing" if name not in weights
        else f"{name} has shape {list(weights[name].shape)}, not {list(tensor.shape)}"
        for name, tensor in places.items()
        if name not in weights or list(weights[name].shape) != list(tensor.shape)
    ]  # fmt: skip
    if faults:
        more = f" and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise UserError(f"these are no ResNet-{backbone.depth} weights: {'; '.join(faults[:SHOWN])}{more}")
    for name, tensor in places.items():
        tensor.set_value(np.array(weights[name], np.float32))


def _places(backbone: ResNetC4, stage5: Stage5) -> Iterator[tuple[str, Tensor]]:
    yield from backbone.state_dict().items()
    yield from stage5.state_dict().items()


def _plain_projection() -> dict[str, Array]:
    """Return what PaddleDetection has at the start of a ResNet-18's stage 2, and torchvision not, as doing nothing."""
    root, ones, zeros = "layer1.0.downsample", np.ones(64, np.float32), np.zeros(64, np.float32)
    norm = {"weight": ones, "bias": zeros, "running_mean": zeros, "running_var": ones - NORM_EPSILON}
    kernel = np.eye(64, dtype=np.float32)[:, :, None, None]
    return {f"{root}.0.weight": kernel, **{f"{root}.1.{part}": array for part, array in norm.items()}}


_PARTS = {"_mean": "running_mean", "_variance": "running_var", "weight": "weight", "bias": "bias"}


def torchvision_name(name: str) -> str:
    """Translate PaddleDetection's name of a ResNet's array.

    >>> torchvision_name("res4.res4b.branch2a.norm._mean"), torchvision_name("conv1.conv1.conv.weight")
    ('layer3.1.bn1.running_mean', 'conv1.weight')
    >>> torchvision_name("res5.res5a.short.conv.weight")
    'layer4.0.downsample.0.weight'
    """
    *place, kind, part = name.split(".")
    part = _PARTS[part]
    if place[0] == "conv1":
        return f"{'conv' if kind == 'conv' else 'bn'}1.{part}"
    stage, block, branch = place
    root = f"layer{int(stage[3:]) - 1}.{block_number(block)}"
    if branch == "short":
        return f"{root}.downsample.{int(kind == 'norm')}.{part}"
    return f"{root}.{'conv' if kind == 'conv' else 'bn'}{'abc'.index(branch[-1]) + 1}.{part}"


def block_number(name: str) -> int:
    """Return the number, from 0, of a block within its stage: res2c is 2, res4b11 of a long stage 11.

    >>> block_number("res2a"), block_number("res4c"), block_number("res4b11")
    (0, 2, 11)
    """
    letter, digits = name[4], name[5:]
    return int(digits) if digits else ord(letter) - ord("a")
