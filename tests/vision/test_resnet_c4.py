"""C4 detectors: what learns, how pictures are normalised, ImageNet weights, and what is described."""

import pickle
from pathlib import Path

import numpy as np
import paddle
import pytest

from unimo_paddle.errors import UserError
from unimo_paddle.vision.compat import RegionDetector
from unimo_paddle.vision.detector import build_detector, packaged_weights, read_backbone_weights
from unimo_paddle.vision.frozen import FrozenBackbone
from unimo_paddle.vision.resnet_c4 import ResNetC4, torchvision_name
from unimo_paddle.vision.settings import CAFFE, KINDS, OWN, DetectorSettings


@pytest.fixture(scope="module")
def settings() -> DetectorSettings:
    return DetectorSettings(
        ("cat", "dog"), ("red", "old", "big"), backbone="resnet18_c4", feature_width=512, roi_size=14, neck_width=32,
        anchor_sizes=(32, 64), train_proposals=20, test_proposals=6, rois_per_image=8,
    )  # fmt: skip


@pytest.fixture(scope="module")
def detector(settings: DetectorSettings) -> RegionDetector:
    paddle.seed(2)
    return build_detector(settings)


def random_picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (1, 70, 90, 3), dtype=np.uint8)


def torchvision_arrays(detector: RegionDetector) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    parts = (detector.backbone, detector.bbox_head.head)
    found = {torchvision_name(name): rng.uniform(0.1, 1, tensor.shape).astype(np.float32)
             for part in parts for name, tensor in part.state_dict().items()}  # fmt: skip
    return {name: array for name, array in found.items() if not name.startswith("layer1.0.downsample")}


def test_describe(detector: RegionDetector, settings: DetectorSettings) -> None:
    detector.eval()
    inputs = {"image": paddle.to_tensor(detector.backbone.normalise(random_picture())),
              "im_shape": paddle.to_tensor([[70.0, 90.0]])}  # fmt: skip
    with paddle.no_grad():
        (found,) = detector.describe(inputs)
        (fused,) = detector.fused(inputs)
    assert fused.shape == [1, 256, 5, 6]
    count = len(found.feature)
    assert 1 <= count <= 6 and found.feature.shape == [count, 512] and found.boxes.shape == [count, 2, 4]
    assert found.attributes is not None and found.attributes.shape == [count, 4]
    for probabilities in (found.probabilities, found.attributes):
        np.testing.assert_allclose(probabilities.sum(1).numpy(), 1, rtol=1e-5)


def test_fast_backbone_gives_the_same_maps(detector: RegionDetector) -> None:
    fast, plain = (FrozenBackbone(detector.backbone, is_eager=eager)(random_picture()) for eager in (False, True))
    np.testing.assert_allclose(fast[0], plain[0], rtol=1e-2, atol=1e-2 * np.abs(plain[0]).max())


def test_training_moves_what_may_learn(detector: RegionDetector) -> None:
    detector.train()
    assert detector.backbone.res4.res4a.branch2a.norm._mean.shape == [256]
    statistics = detector.backbone.res4.res4a.branch2a.norm._mean.numpy()
    inputs = {
        "image": paddle.to_tensor(detector.backbone.normalise(random_picture())),
        "im_shape": paddle.to_tensor([[70.0, 90.0]]), "gt_bbox": [paddle.to_tensor([[5.0, 5.0, 50.0, 40.0]])],
        "gt_class": [paddle.to_tensor([[1]], dtype="int32")], "gt_attr": [paddle.to_tensor([[0.0, 1.0, 0.0, 1.0]])],
    }  # fmt: skip
    losses = detector.training_losses(inputs)
    assert sum(int((one < 2).sum()) for one in detector.bbox_head.assigned_targets[0]) > 0
    assert float(losses["loss_attributes"]) > 0
    sum(loss.sum() for loss in losses.values()).backward()
    moving = {name for name, p in detector.named_parameters() if p.grad is not None}
    convolutions = ("backbone.res4.res4a.branch2a.conv", "bbox_head.head.res5.res5a.branch2a.conv")
    layers = (*convolutions, "bbox_head.attribute_head.class_embedding", "rpn_head.rpn_feat.rpn_conv")
    assert {f"{layer}.weight" for layer in layers} <= moving
    frozen = ("backbone.conv1.", "backbone.res2.", "backbone.res3.")
    assert not [name for name in moving if name.startswith(frozen) or ".norm." in name]
    np.testing.assert_array_equal(detector.backbone.res4.res4a.branch2a.norm._mean.numpy(), statistics)


def test_regions_of_a_picture_without_objects(detector: RegionDetector) -> None:
    detector.train()
    inputs = {
        "image": paddle.to_tensor(detector.backbone.normalise(random_picture())),
        "im_shape": paddle.to_tensor([[70.0, 90.0]]), "gt_bbox": [paddle.zeros([0, 4])],
        "gt_class": [paddle.zeros([0, 1], "int32")], "gt_attr": [paddle.zeros([0, 4])],
    }  # fmt: skip
    assert float(detector.training_losses(inputs)["loss_attributes"]) == 0


def test_normalisation() -> None:
    pixels = np.uint8([[[[255, 0, 0]]]])
    with paddle.LazyGuard():
        own, caffe = (ResNetC4(18, conventions).normalise(pixels)[0, :, 0, 0] for conventions in (OWN, CAFFE))
    np.testing.assert_allclose(own, [(255 / 255 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225], rtol=1e-3)
    np.testing.assert_allclose(caffe, [-102.9801, -115.9465, 255 - 122.7717], rtol=1e-6)  # blue first


def test_imagenet_weights(settings: DetectorSettings, detector: RegionDetector, tmp_path: Path) -> None:
    arrays = torchvision_arrays(detector)
    # As torchvision's resnet18 has them, without the classifier and the batch counters: 20 convolutions and norms.
    assert len(arrays) == 20 * 5 and arrays["layer2.0.downsample.0.weight"].shape == (128, 64, 1, 1)
    assert {"conv1.weight", "bn1.running_var", "layer4.1.bn2.bias", "layer1.1.conv2.weight"} <= arrays.keys()
    file = tmp_path / "resnet18.pdparams"
    file.write_bytes(pickle.dumps(arrays))
    made = build_detector(settings)
    read_backbone_weights(made, file)
    last = made.bbox_head.head.res5.res5b.branch2b
    np.testing.assert_array_equal(last.conv.weight.numpy(), arrays["layer4.1.conv2.weight"])
    np.testing.assert_array_equal(last.norm._variance.numpy(), arrays["layer4.1.bn2.running_var"])
    x = paddle.randn([1, 64, 5, 6])  # torchvision has no projection there: it must not change anything
    made.eval()
    np.testing.assert_allclose(made.backbone.res2.res2a.short(x).numpy(), x.numpy(), atol=1e-5)
    own = {name: np.ones(t.shape, np.float32) for part in (made.backbone, made.bbox_head.head)
           for name, t in part.state_dict().items()}  # fmt: skip
    file.write_bytes(pickle.dumps(own))
    read_backbone_weights(made, file)
    assert float(last.conv.weight.min()) == 1


def test_faulty_imagenet_weights(detector: RegionDetector, tmp_path: Path) -> None:
    arrays = torchvision_arrays(detector)
    del arrays["bn1.bias"]
    arrays["layer3.0.conv1.weight"] = np.ones((2, 2), np.float32)
    file = tmp_path / "half.pdparams"
    file.write_bytes(pickle.dumps(arrays))
    words = r"half\.pdparams: these are no ResNet-18 weights: bn1.bias is missing; layer3.0.conv1.weight has shape"
    with pytest.raises(UserError, match=words):
        read_backbone_weights(detector, file)
    with pytest.raises(UserError, match="resnet101_c4 learns from ImageNet weights.*detector.backbone_weights"):
        packaged_weights("resnet101_c4")


@pytest.mark.parametrize(("backbone", "blocks"), [("resnet50_c4", 6), ("resnet101_c4", 23)])
def test_deeper_ones_have_the_same_parts(backbone: str, blocks: int) -> None:
    with paddle.LazyGuard():
        made = build_detector(DetectorSettings(("a",), backbone=backbone, feature_width=2048, roi_size=14))
    assert len(made.backbone.res4.blocks) == blocks and made.bbox_head.attribute_head is None
    assert made.bbox_head.bbox_score.weight.shape == [KINDS[backbone].feature_width, 2]
