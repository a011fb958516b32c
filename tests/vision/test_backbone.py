"""EfficientNet-Lite0: folded normalisation, padding, reading of the published weights, the fast program."""

import numpy as np
import paddle
import pytest
from paddle import Tensor
from paddle.nn import functional as F

from unimo_paddle.errors import UserError
from unimo_paddle.vision.backbone import NORM_PARTS, EfficientNetLite0, block_shapes, fold, normalise
from unimo_paddle.vision.frozen import FrozenBackbone


def made_up_weights(backbone: EfficientNetLite0) -> dict[str, np.ndarray]:
    rng, weights = np.random.default_rng(0), {}
    for conv, source, norm in backbone._sources():
        shape = conv.weight.shape
        weights[source + ".weight"] = rng.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape).astype(np.float32)
        for part in NORM_PARTS:
            weights[f"{norm}.{part}"] = rng.uniform(0.5, 1.5, shape[0]).astype(np.float32)
    return weights


@pytest.fixture(scope="module")
def backbone() -> EfficientNetLite0:
    backbone = EfficientNetLite0()
    backbone.read_imagenet(made_up_weights(backbone))
    return backbone


def slow_maps(weights: dict[str, np.ndarray], image: np.ndarray) -> list[np.ndarray]:
    """The published network, unfolded: padding, convolution, batch normalisation, ReLU6, one after the other."""

    def layer(x: Tensor, source: str, norm: str, kernel: int, stride: int, groups: int, act: bool) -> Tensor:
        total = max((-(-x.shape[2] // stride) - 1) * stride + kernel - x.shape[2], 0)  # TensorFlow's "same"
        x = F.pad(x, [total // 2, total - total // 2] * 2)
        x = F.conv2d(x, t(source + ".weight"), stride=stride, groups=groups)
        scale, shift, mean, variance = (t(f"{norm}.{part}") for part in NORM_PARTS)
        x = F.batch_norm(x, mean, variance, scale, shift, epsilon=1e-3)
        return F.relu6(x) if act else x

    def t(name: str) -> Tensor:
        return paddle.to_tensor(weights[name])

    x, found = layer(paddle.to_tensor(image), "_conv_stem", "_bn0", 3, 2, 1, True), []
    for i, shape in enumerate(block_shapes()):
        name, y = f"_blocks.{i}.", x
        if shape.middle > shape.inputs:
            y = layer(y, name + "_expand_conv", name + "_bn0", 1, 1, 1, True)
        y = layer(y, name + "_depthwise_conv", name + "_bn1", shape.kernel, shape.stride, shape.middle, True)
        y = layer(y, name + "_project_conv", name + "_bn2", 1, 1, 1, False)
        x = x + y if shape.stride == 1 and shape.inputs == shape.outputs else y
        if i in EfficientNetLite0.taps:
            found.append(x.numpy())
    return found


def test_equals_the_unfolded_network(backbone: EfficientNetLite0) -> None:
    image = np.random.default_rng(1).normal(0, 1, (1, 3, 64, 96)).astype(np.float32)
    wanted = slow_maps(made_up_weights(backbone), image)
    found = [level.numpy() for level in backbone.maps(paddle.to_tensor(image))]
    assert [level.shape for level in found] == [(1, 112, 4, 6), (1, 320, 2, 3)]
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-4 * np.abs(b).max())


def test_fast_program_equals_the_layers(backbone: EfficientNetLite0) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (2, 64, 32, 3)).astype(np.uint8)
    fast = FrozenBackbone(backbone)
    for batch in (pixels, pixels[:1], np.concatenate([pixels, pixels], axis=2)):  # other batch and picture sizes
        for a, b in zip(fast(batch), FrozenBackbone(backbone, is_eager=True)(batch), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-4 * np.abs(b).max())


def test_fold_by_hand() -> None:
    kernel, bias = fold(np.ones((1, 1, 1, 1)), *(np.array([v]) for v in (6.0, 1.0, 2.0, 4.0 - 1e-3)))
    assert kernel.item() == pytest.approx(3) and bias.item() == pytest.approx(1 - 2 * 3)


def test_normalise() -> None:
    found = normalise(np.uint8([[[[127, 255, 0]]]]))
    assert found.shape == (1, 3, 1, 1) and found.ravel().tolist() == [0.0, 1.0, -127 / 128]


def test_padding_is_zero_for_the_network() -> None:
    from unimo_paddle.vision.pictures import PADDING

    assert (normalise(np.full((1, 2, 2, 3), PADDING, np.uint8)) == 0).all()


def test_is_frozen_and_has_its_size(backbone: EfficientNetLite0) -> None:
    assert all(p.stop_gradient for p in backbone.parameters())
    assert len(list(block_shapes())) == 16
    # the published network has 4,652,008 parameters; without head, classifier and with 2 C instead of a bias per norm
    convs = sum(int(np.prod(conv.weight.shape)) for conv, _, _ in backbone._sources())
    norms = sum(2 * conv.weight.shape[0] for conv, _, _ in backbone._sources())
    head = 320 * 1280 + 2 * 1280 + 1280 * 1000 + 1000
    assert convs + norms + head == 4_652_008


def test_weights_that_do_not_fit_are_all_named(backbone: EfficientNetLite0) -> None:
    weights = made_up_weights(backbone)
    before = backbone.stem.conv.weight.numpy()
    del weights["_blocks.3._bn1.bias"]
    weights["_blocks.0._project_conv.weight"] = np.zeros((2, 2), np.float32)
    weights["_conv_stem.weight"] = weights["_conv_stem.weight"] + 1
    with pytest.raises(UserError) as caught:
        backbone.read_imagenet(weights)
    assert "_blocks.3._bn1.bias is missing" in str(caught.value)
    assert "_blocks.0._project_conv.weight has shape [2, 2], not [16, 32, 1, 1]" in str(caught.value)
    np.testing.assert_array_equal(backbone.stem.conv.weight.numpy(), before)
