"""The folder of a fine-tuning run with random weights, made in no time: for tests of what reads such a folder."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import paddle
from PIL import Image

from tests.data import small_task
from unimo_paddle.build.task_sources import TASK_FILE, Trained, build_task_model, has_labels
from unimo_paddle.config import FinetuneRun
from unimo_paddle.config.finetune import TaskDataSettings
from unimo_paddle.config.save import SAVED, save_run
from unimo_paddle.config.schema import ModelSettings, OutputSettings
from unimo_paddle.engine.run_directory import DATA_FILE
from unimo_paddle.files import write_json
from unimo_paddle.model.task_model import UnimoForTask
from unimo_paddle.regions import Regions
from unimo_paddle.tasks import TASKS
from unimo_paddle.tensor_files import write_safetensors
from unimo_paddle.vision.description import read_description
from unimo_paddle.vision.pictures import Picture

CLASSES = ("dog", "cat", "<b>pond</b>")
LABELS = {"vqa": ("yes", "no", "two <i>dogs</i>"), "sst2": ("0", "1")}
MODEL = ModelSettings(layers=2, width=16, heads=2, max_positions=64)
SHA = "f" * 64


@dataclass(frozen=True)
class SmallRun:
    """A run's folder, and what it was made of."""

    folder: Path
    run: FinetuneRun
    model: UnimoForTask


def labels_of(task: str) -> tuple[str, ...]:
    return LABELS.get(task, small_task.LABELS) if has_labels(TASKS[task]) else ()


def make(root: Path, task: str) -> SmallRun:
    """Write records/, tokenizer/, regions/ (images image0 .. image12), detector/ and run/."""
    words, labels = small_task.tokenizer(), labels_of(task)
    words.save(root / "tokenizer")
    small_task.store(root / "regions")
    make_detector(root / "detector")
    (root / "records").mkdir()
    data = TaskDataSettings(root / "records", root / "tokenizer", root / "regions", root / "detector", max_tokens=30,
                            max_target=12, max_regions=5, max_tags=8)  # fmt: skip
    run = FinetuneRun(task, data, OutputSettings(root / "run"), model=MODEL)
    paddle.seed(1)
    net = build_task_model(run, TASKS[task], words.vocab_size, 4, len(labels))
    checkpoint = root / "run" / "checkpoints" / "step-00000001"
    checkpoint.mkdir(parents=True)
    weights = {name: value.numpy() for name, value in net.state_dict().items()}
    write_safetensors(checkpoint / "model.safetensors", weights)
    write_json(checkpoint / TASK_FILE, asdict(Trained(labels)))
    write_json(checkpoint / DATA_FILE, {"detector": "none", "family": "test", "tokenizer": words.fingerprint()})
    save_run(run, root / "run" / SAVED)
    return SmallRun(root / "run", run, net)


def keep(made: SmallRun, **wording: bool) -> None:
    """Let the run's checkpoint say how the words looked that it was trained on."""
    path = made.folder / "checkpoints" / "step-00000001" / TASK_FILE
    write_json(path, json.loads(path.read_text()) | wording)


def make_detector(folder: Path, sha256: str = "none") -> None:
    """Write a detector's folder whose weights nobody can load: tests put StubExtractor in its place."""
    folder.mkdir()
    (folder / "detector.safetensors").touch()
    settings = {"classes": CLASSES, "family": "test", "feature_width": 4}
    (folder / "detector.json").write_text(json.dumps({"schema": 1, "settings": settings, "sha256": sha256}))


class StubExtractor:
    """Three regions for any picture; `pictures` has what was looked at."""

    pictures: ClassVar[list[str]] = []

    def __init__(self, stored: Path) -> None:
        self.settings = read_description(stored).settings

    def __call__(self, pictures: Sequence[Picture]) -> list[Regions]:
        self.pictures.extend(picture.id for picture in pictures)
        return [self.regions_of(float(one.pixels.mean()) / 255, one.width, one.height) for one in pictures]

    @staticmethod
    def regions_of(level: float, width: int, height: int) -> Regions:
        """A cat, a dog and a pond; level: of their features."""
        boxes = np.array([[0, 0, 20, 20], [10, 5, 40, 30], [5, 5, 15, 15]], np.float32)
        features = np.random.default_rng(3).normal(size=(3, 4)).astype(np.float32) + np.float32(level)
        probabilities = np.array([[0.1, 0.2, 0.7, 0], [0, 0.9, 0, 0.1], [0, 0.2, 0.2, 0.6]], np.float32)
        return Regions(features, boxes, probabilities, width, height)


def make_picture(path: Path, level: int = 90) -> Path:
    Image.new("RGB", (48, 40), (level, 40, 90)).save(path)
    return path
