"""bottom-up-attention's weights: names and shapes of the real file, on random numbers, and each layer's result."""

import importlib.util
import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import paddle
import pytest

from tests.reference import caffe_detector as oracle
from unimo_paddle.errors import UserError
from unimo_paddle.vision import foreign
from unimo_paddle.vision.caffe import moved
from unimo_paddle.vision.compat import ResNet_cfg
from unimo_paddle.vision.detector import StoredDetector, build_detector, load_detector
from unimo_paddle.vision.foreign import FAMILY, Suffixes, convert_bottom_up, settings_for, sources
from unimo_paddle.vision.frozen import FrozenBackbone
from unimo_paddle.vision.settings import CAFFE, DetectorSettings

CLASSES, ATTRIBUTES = ["cat", "dog,puppy", "tree"], ["red", "blue"]
R101, SHALLOW = (3, 4, 23, 3), (1, 1, 2, 1)  # blocks of a stage; the real widths, which PaddleDetection fixes
PREDICTOR = "roi_heads.box_predictor"


def wanted_shapes(blocks: tuple[int, ...], classes: int, attributes: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes as detectron2's build of the network has them (py-bottom-up-attention's configuration)."""
    shapes: dict[str, tuple[int, ...]] = dict(layer("backbone.stem.conv1", 64, 3, 7))
    inputs = 64
    for stage, count in enumerate(blocks, start=2):
        middle, outputs = 32 * 2 ** (stage - 1), 128 * 2 ** (stage - 1)
        root = "roi_heads.res5" if stage == 5 else f"backbone.res{stage}"
        for number in range(count):
            name = f"{root}.{number}"
            if number == 0:
                shapes.update(layer(f"{name}.shortcut", outputs, inputs, 1))
            shapes.update(layer(f"{name}.conv1", middle, inputs, 1))
            shapes.update(layer(f"{name}.conv2", middle, middle, 3))
            shapes.update(layer(f"{name}.conv3", outputs, middle, 1))
            inputs = outputs
    rpn = "proposal_generator.rpn_head"
    for name, shape in {
        f"{rpn}.conv": (512, 1024, 3, 3), f"{rpn}.objectness_logits": (12, 512, 1, 1),
        f"{rpn}.anchor_deltas": (48, 512, 1, 1), f"{PREDICTOR}.cls_score": (classes + 1, 2048),
        f"{PREDICTOR}.bbox_pred": (4 * classes, 2048), f"{PREDICTOR}.fc_attr": (512, 2048 + 256),
        f"{PREDICTOR}.attr_score": (attributes + 1, 512),
    }.items():  # fmt: skip
        shapes.update({f"{name}.weight": shape, f"{name}.bias": shape[:1]})
    return {**shapes, f"{PREDICTOR}.cls_embedding.weight": (classes + 1, 256)}


def layer(name: str, outputs: int, inputs: int, kernel: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (outputs, inputs, kernel, kernel)
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.norm.{part}", (outputs,)


def random_array(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    if name.endswith("running_var") or name.endswith("norm.weight"):
        return rng.uniform(0.5, 1.5, shape).astype(np.float32) * (0.3 if "conv3.norm.weight" in name else 1)
    deviation = 0.1 if len(shape) == 1 else np.sqrt(2 / np.prod(shape[1:]))
    deviation *= 1e-3 if name.endswith("rpn_head.conv.weight") else 1  # else the deltas would leave every picture
    return (deviation * rng.standard_normal(shape, np.float32)).astype(np.float32)


@pytest.fixture(scope="module", autouse=True)
def shallow() -> Iterator[None]:
    """A ResNet-50 has one or two blocks a stage here: a quarter of the numbers, and every kind of block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ResNet_cfg, 50, list(SHALLOW))
        patch.setitem(foreign.DEPTHS, SHALLOW[2], "resnet50_c4")
        yield


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = wanted_shapes(SHALLOW, len(CLASSES), len(ATTRIBUTES))
    return {name: random_array(name, shape, rng) for name, shape in shapes.items()}


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("1600-400-20")
    (folder / "objects_vocab.txt").write_text("\n".join(CLASSES) + "\n")
    (folder / "attributes_vocab.txt").write_text("\n".join(ATTRIBUTES) + "\n")
    return folder


def write(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    value = {"model": arrays, "__author__": "Hao Tan", "matching_heuristics": True}
    path.write_bytes(pickle.dumps(value))
    return path


@pytest.fixture(scope="module")
def converted(
    arrays: dict[str, np.ndarray], vocabulary: Path, tmp_path_factory: pytest.TempPathFactory
) -> StoredDetector:
    folder = tmp_path_factory.mktemp("foreign")
    file = write(folder / "frcnn.pkl", {**arrays, "pixel_mean": np.zeros((3, 1, 1), np.float32)})
    report = convert_bottom_up(file, vocabulary, folder / "made")
    assert report.unused == ("pixel_mean",) and report.taken == len(arrays)
    return load_detector(folder / "made")


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (70, 101, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def fused(arrays: dict[str, np.ndarray], picture: np.ndarray) -> np.ndarray:
    return oracle.backbone(arrays, picture)


def test_every_array_of_a_resnet_101_has_a_source() -> None:
    settings = DetectorSettings(
        ("a", "b"), ("c",), backbone="resnet101_c4", conventions=CAFFE, neck_width=512, feature_width=2048, roi_size=14,
        anchor_sizes=(64, 128, 256, 512),
    )  # fmt: skip
    with paddle.LazyGuard():  # shapes without numbers
        detector = build_detector(settings)
    tensors, wanted = detector.state_dict(), wanted_shapes(R101, 2, 1)
    found = {source.name: tuple(tensors[name].shape) for name, source in sources(detector).items()}
    linear = ("cls_score.weight", "bbox_pred.weight", "fc_attr.weight", "attr_score.weight")
    assert found == {name: shape[::-1] if name.endswith(linear) else shape for name, shape in wanted.items()}
    assert len(wanted) == len(tensors)


def test_settings_are_the_familys_own(converted: StoredDetector) -> None:
    settings = converted.settings
    assert (settings.family, settings.conventions, settings.backbone) == (FAMILY, CAFFE, "resnet50_c4")
    assert settings.classes == ("cat", "dog", "tree") and settings.stored_attributes == ("__none__", "red", "blue")
    assert (settings.short_side, settings.long_side, settings.kind.multiple) == (600, 1000, 1)
    assert (converted.choice.threshold, converted.choice.least, converted.choice.most) == (0.2, 10, 100)


def test_backbone(converted: StoredDetector, picture: np.ndarray, fused: np.ndarray) -> None:
    assert fused.std() > 0.1
    for is_eager in (True, False):
        (found,) = FrozenBackbone(converted.detector.backbone, is_eager)(picture[None])
        np.testing.assert_allclose(found[0], fused, rtol=1e-3, atol=1e-3 * fused.max())


def test_proposals(converted: StoredDetector, arrays: dict[str, np.ndarray], fused: np.ndarray) -> None:
    head = converted.detector.rpn_head
    inputs = {"im_shape": paddle.to_tensor([[70.0, 101.0]]), "scales": np.float32([1.5])}
    (found,), counts, _ = head([paddle.to_tensor(fused[None])], inputs)
    cells = oracle.anchors((64, 128, 256, 512), (0.5, 1.0, 2.0))
    np.testing.assert_allclose(head.anchor_generator.cell_anchors[0].numpy(), cells)
    wanted = oracle.proposals(*oracle.rpn(arrays, fused), cells, (70, 101), 24, 6000, 300)
    assert counts.tolist() == [len(wanted)] and len(wanted) > 5
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-3, atol=1e-2)


def test_regions(converted: StoredDetector, arrays: dict[str, np.ndarray], fused: np.ndarray) -> None:
    boxes = np.float32([[3.2, 5.1, 90.4, 60.0], [40.0, 8.0, 56.0, 23.9]])
    head = converted.detector.bbox_head
    rois, counts = [paddle.to_tensor(boxes)], paddle.to_tensor([2], dtype="int32")
    pooled = head.roi_extractor([paddle.to_tensor(fused[None])], rois, counts)
    np.testing.assert_allclose(pooled.numpy(), [oracle.roi_pool(fused, box) for box in boxes])
    feature, _, classes, attributes = head.describe([paddle.to_tensor(fused[None])], rois, counts)
    assert attributes is not None
    wanted, wanted_classes, wanted_attributes = oracle.head(arrays, fused, boxes[:1])
    np.testing.assert_allclose(feature.numpy()[:1], wanted, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(classes.numpy()[:1], wanted_classes, atol=1e-3)
    np.testing.assert_allclose(attributes.numpy()[:1], np.roll(wanted_attributes, 1, axis=1), atol=1e-3)
    assert wanted_attributes.std() > 0.05  # else the order of the columns would not matter


def test_boxes_are_the_proposals(converted: StoredDetector) -> None:
    rois = [paddle.to_tensor([[1.0, 2.0, 30.0, 40.0]])]
    boxes = converted.detector.boxes(None, None, rois, None, None)
    assert boxes.shape == [1, 3, 4] and (boxes.numpy() == [1, 2, 30, 40]).all()


def test_moved_boxes_include_their_last_pixel() -> None:
    boxes, deltas = np.float32([[0, 0, 15, 7]]), np.float32([[0.5, 0, np.log(2), 0]])
    assert moved(paddle.to_tensor(boxes), paddle.to_tensor(deltas)).tolist() == [[0, 0, 32, 8]]
    assert oracle.move(boxes[0], deltas[0]) == [0, 0, 32, 8]


def test_names_may_be_cut() -> None:
    """detectron2's matching heuristics."""
    arrays = Suffixes({"res4.0.conv1.weight": np.zeros(2), "0.conv1.weight": np.ones(3), "backbone": np.ones(1)})
    assert arrays.rows("backbone.res4.0.conv1.weight") == 2 and arrays.rows("roi_heads.res5.0.conv1.weight") == 3
    assert arrays.find("backbone.res4.1.conv1.weight") is None
    assert arrays.used == {"res4.0.conv1.weight", "0.conv1.weight"}


def test_weights_without_attributes(arrays: dict[str, np.ndarray], vocabulary: Path) -> None:
    """The file without _attr in its name."""
    plain = {name: array for name, array in arrays.items() if "attr" not in name and "cls_embedding" not in name}
    settings = settings_for(Path("plain.pkl"), Suffixes(plain), vocabulary)
    assert settings.attributes == () and settings.stored_attributes == () and settings.classes == ("cat", "dog", "tree")


def test_faulty_files(arrays: dict[str, np.ndarray], vocabulary: Path, tmp_path: Path) -> None:
    def refused(file: Path, words: str) -> None:
        with pytest.raises(UserError, match=words):
            convert_bottom_up(file, vocabulary, tmp_path / "made")
        assert not (tmp_path / "made").exists()

    stem = "backbone.stem.conv1"
    broken = {name: array for name, array in arrays.items() if name != f"{stem}.norm.bias"}
    broken[f"{stem}.weight"] = broken[f"{stem}.weight"][:, :1]
    broken[f"{PREDICTOR}.cls_score.bias"] = np.full(len(CLASSES) + 1, np.nan, np.float32)
    words = r"stem.conv1.weight has shape \[64, 1, 7, 7\], not \[64, 3, 7, 7\]; .*conv1.norm.bias is missing; .*finite"
    refused(write(tmp_path / "broken.pkl", broken), words)
    small = {name: arrays[name] for name in arrays if "res4" not in name and "res5" not in name}
    refused(write(tmp_path / "shallow.pkl", small), r"stage 4 .* has 0 blocks; a ResNet-101 has 23")
    other = {**small, **{f"backbone.res4.{k}.conv1.weight": np.zeros(1) for k in range(2)}}
    other[f"{PREDICTOR}.cls_score.weight"] = np.zeros((1601, 2048), np.float32)
    refused(write(tmp_path / "other.pkl", other), "cls_score.weight has 1601 rows, but .*objects_vocab.txt has 3 names")


class Harmful:
    def __reduce__(self) -> tuple:
        return os.mkdir, ("this must never be made",)


def test_a_file_with_code_in_it(vocabulary: Path, tmp_path: Path) -> None:
    file = tmp_path / "evil.pkl"
    file.write_bytes(pickle.dumps({"model": {"backbone.stem.conv1.weight": Harmful()}, "matching_heuristics": True}))
    with pytest.raises(UserError, match="asks to run posix.mkdir"):
        convert_bottom_up(file, vocabulary, tmp_path / "made")
    assert not Path("this must never be made").exists()


def test_the_tool(tmp_path: Path, vocabulary: Path) -> None:
    path = Path(__file__).resolve().parents[2] / "tools" / "convert.py"
    spec = importlib.util.spec_from_file_location("convert_tool", path)
    assert spec and spec.loader
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    words = ["detector", "--from", str(tmp_path / "no.pkl"), "--vocabulary", str(vocabulary), "--to", str(tmp_path)]
    with pytest.raises((UserError, OSError), match=r"no\.pkl"):
        tool.main(words)
