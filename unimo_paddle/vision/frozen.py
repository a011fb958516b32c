"""A backbone run fast, without gradient.

Depthwise convolution is slow in eager Paddle on a CPU: EfficientNet-Lite0 makes 8 images/s at 384 x 256 on two cores.
The same network as a Paddle Inference program with oneDNN makes 40 to 80.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import Tensor, nn

from unimo_paddle.environment import available_cores

Maps = list[NDArray[np.float32]]


class Backbone(Protocol):
    """A PaddleDetection backbone that says how it wants its pictures: EfficientNetLite0 or ResNetC4."""

    def maps(self, image: Tensor) -> list[Tensor]: ...

    def normalise(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]: ...


class FrozenBackbone:
    """Maps images to feature maps, without gradient. On a GPU, or when is_eager, the plain layers are run.

    threads: of the program; 0 is one for each core.
    """

    def __init__(self, backbone: Backbone, is_eager: bool = False, threads: int = 0) -> None:
        self.backbone = backbone
        use_program = not is_eager and paddle.device.get_device() == "cpu"
        self._predictor = _predictor(backbone, threads or available_cores()) if use_program else None

    def __call__(self, pixels: NDArray[np.uint8]) -> Maps:
        """Return float32 [B, C, H / stride, W / stride] of each level for uint8 RGB [B, H, W, 3]."""
        image = self.backbone.normalise(pixels)
        if self._predictor is None:
            with paddle.no_grad():
                return [level.numpy() for level in self.backbone.maps(paddle.to_tensor(image))]
        handle = self._predictor.get_input_handle("image")
        handle.reshape(image.shape)
        handle.copy_from_cpu(image)
        self._predictor.run()
        return [self._predictor.get_output_handle(n).copy_to_cpu() for n in self._predictor.get_output_names()]


class _MapsOnly(nn.Layer):
    """The backbone with a tensor for an argument, as export wants it."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, image: Tensor) -> list[Tensor]:
        """image: float32 [B, 3, H, W], normalised."""
        return self.backbone.maps(image)


def _predictor(backbone: Backbone, threads: int) -> Any:
    layer = _MapsOnly(backbone)
    layer.eval()
    spec = [paddle.static.InputSpec([None, 3, None, None], "float32", name="image")]
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder) / "backbone")
        paddle.jit.save(paddle.jit.to_static(layer, input_spec=spec, full_graph=True), program)
        config = paddle.inference.Config(program + ".json", program + ".pdiparams")
        config.disable_gpu()
        config.disable_glog_info()
        config.set_cpu_math_library_num_threads(threads)
        config.enable_mkldnn()
        config.enable_new_executor(True)
        config.enable_new_ir(True)
        return paddle.inference.create_predictor(config)
