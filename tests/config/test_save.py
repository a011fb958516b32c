"""The saved settings give the equal run back."""

from pathlib import Path

import pytest
import yaml

from unimo_paddle.config import differences, load_run, save_run

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
RUNS = sorted(path for path in CONFIGS.rglob("*.yaml") if path.parent.name != "study" and path.stem != "corpus")
RUNS.remove(CONFIGS / "finetune" / "small_world.yaml")  # what others inherit from


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_saved_and_loaded_is_equal(path, tmp_path):
    run = load_run(path, ["optimizer.epsilon=1e-12", "optimizer.betas=0.1,0.2", "output.directory=runs/naïve café"])
    save_run(run, tmp_path / "config.yaml")
    assert load_run(tmp_path / "config.yaml") == run
    text = (tmp_path / "config.yaml").read_text()
    assert "base:" not in text and "naïve café" in text
    assert yaml.safe_load(text)["optimizer"]["betas"] == [0.1, 0.2]


def test_differences_name_the_settings_that_matter():
    old = load_run(CONFIGS / "pretrain_base.yaml")
    assert differences(old, old) == []
    assert differences(old, load_run(CONFIGS / "pretrain_base.yaml", ["train.log_every=1", "output.directory=x"])) == []
    assert differences(old, load_run(CONFIGS / "pretrain_large.yaml")) == [
        "model.size: base -> large", "model.layers: 12 -> 24", "model.width: 768 -> 1024", "model.heads: 12 -> 16",
        "model.weights: work/roberta_base -> work/roberta_large"]
    assert differences(old, load_run(CONFIGS / "detector" / "small_world.yaml")) == ["kind: pretrain -> detector"]
