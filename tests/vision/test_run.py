"""Training a detector whose backbone learns, through the one entry, stopped and gone on with."""

import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from unimo_paddle import build
from unimo_paddle.config import load_run
from unimo_paddle.config.schema import C4_WIDTHS, DetectorRun, FasterRcnnSettings
from unimo_paddle.vision.compat import ResNet_cfg
from unimo_paddle.vision.detector import build_detector, load_detector
from unimo_paddle.vision.settings import KINDS, DetectorSettings


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Path]:
    """Two annotated pictures in Visual Genome's format, and weights of a ResNet-18 of one block a stage."""
    from tests.vision.conftest import draw

    rows = {"image_data": [], "objects": [], "attributes": []}
    for number, (name, word) in enumerate((("red", "small"), ("blue", "large")), start=1):
        draw(tmp_path / f"{number}.jpg", {name: (8, 8, 40, 40)})
        thing = {"object_id": 10 * number, "x": 8, "y": 8, "w": 40, "h": 40, "names": [name]}
        rows["image_data"].append({"image_id": number, "width": 96, "height": 64})
        rows["objects"].append({"image_id": number, "objects": [thing]})
        rows["attributes"].append({"image_id": number, "attributes": [{**thing, "attributes": [word]}]})
    for name, value in rows.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(value))
    (tmp_path / "objects_vocab.txt").write_text("red\nblue\n")
    (tmp_path / "attributes_vocab.txt").write_text("small\nlarge\n")
    (tmp_path / "train.txt").write_text("1.jpg a\n2.jpg b\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ResNet_cfg, 18, [1, 1, 1, 1])
        made = build_detector(DetectorSettings(("a",), backbone="resnet18_c4", feature_width=512, roi_size=14))
        states = {**made.backbone.state_dict(), **made.bbox_head.head.state_dict()}
        arrays = {name: tensor.numpy() for name, tensor in states.items()}
        (tmp_path / "resnet18.pdparams").write_bytes(pickle.dumps(arrays))
        yield tmp_path


def run_of(world: Path, steps: int) -> DetectorRun:
    (world / "run.yaml").write_text(f"""
kind: detector
data: {{images: {world}, train: {world}/train.txt, validation: {world}/train.txt, genome: {world}, batch: 2}}
detector: {{backbone: resnet18_c4, backbone_weights: {world}/resnet18.pdparams, short_side: 64, long_side: 96,
  feature_width: 512, neck_width: 16, train_proposals: 20, test_proposals: 8, anchors_per_image: 16, rois_per_image: 8}}
optimizer: {{peak_lr: 1.0e-4, weight_decay: 0.0, clip_norm: 10}}
train: {{steps: {steps}, save_every: 2}}
output: {{directory: {world}/out}}
""")
    run = load_run(world / "run.yaml")
    assert isinstance(run, DetectorRun)
    return run


def test_a_resnet_is_trained_and_judged(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build.train(run_of(world, 2))
    build.train(run_of(world, 2))  # finished: nothing is done again
    assert "attribute accuracy" in capsys.readouterr().out
    steps = [json.loads(line) for line in (world / "out" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in steps] == [1, 2] and "region_attributes" in steps[0]["losses"]
    found = load_detector(world / "out" / "detector")
    assert found.settings.attributes == ("small", "large") and found.settings.family == "small-world"
    notes = json.loads((world / "out" / "detector" / "detector.json").read_text())["notes"]["validation"]
    assert notes["pictures"] == 2 and set(notes["attributes"]) == {"objects", "accuracy", "majority", "mean_precision"}
    before = pickle.loads((world / "resnet18.pdparams").read_bytes())
    weights = {name: tensor.numpy() for name, tensor in found.detector.backbone.state_dict().items()}
    changed = {name.split(".")[0] for name, array in weights.items() if not np.array_equal(array, before[name])}
    assert changed == {"res4"}


def test_settings_and_backbones_agree() -> None:
    assert {name: kind.feature_width for name, kind in KINDS.items() if kind.depth} == C4_WIDTHS
    assert {FasterRcnnSettings(backbone=name).roi_size for name in C4_WIDTHS} == {14}
