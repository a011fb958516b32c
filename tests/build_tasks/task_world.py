"""One task from its download to scores, each step through the tool that a user calls, within this process."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.build_tasks import downloads
from tests.mini_world import Done, call
from tests.prepare.tasks.task_folder import write
from unimo_paddle.data.tokenizer import load_tokenizer
from unimo_paddle.task_spec import Task
from unimo_paddle.tasks import TASKS

SIZES = {"layers": 1, "width": 16, "heads": 2, "max_positions": 64, "dropout": 0.0, "attention_dropout": 0.0}


@dataclass(frozen=True)
class Places:
    """What all tasks share: written once by make()."""

    root: Path

    @classmethod
    def make(cls, root: Path) -> "Places":
        downloads.write_tokenizers(root / "tokenizers")
        downloads.write_store(root / "regions")
        return cls(root)

    @property
    def regions(self) -> Path:
        return self.root / "regions"

    def tokenizer(self, layout: str) -> Path:
        return self.root / "tokenizers" / ("released" if layout == "release" else "trained")


@dataclass(frozen=True)
class World:
    """A task in a folder of its own. more: settings of its configuration beside those of config()."""

    root: Path
    places: Places
    task: str
    layout: str = "public"
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def spec(self) -> Task:
        return TASKS[self.task]

    @property
    def records(self) -> Path:
        return self.root / "records"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def config(self) -> Path:
        return self.root / "config.yaml"

    def prepare(self, *words: object) -> Done:
        """Write the download and make records of it."""
        tokenizer = self.places.tokenizer(self.layout)
        files = downloads.download(self.task, self.layout, load_tokenizer(tokenizer))
        write(self.root / "download", files)
        regions = ["--regions", self.places.regions] if self.spec.needs_regions else []
        given = ["--tokenizer", tokenizer] if self.layout == "release" else []
        return tool("prepare", "task", self.task, "--from", self.root / "download", "--to", self.records, *regions,
                    *given, *words)  # fmt: skip

    def write_config(self) -> None:
        """Two steps an epoch, one epoch; the model is as small as can be."""
        lines = len((self.records / "train.jsonl").read_text().splitlines())
        data = {"records": self.records, "tokenizer": self.places.tokenizer(self.layout), "batch": lines // 2,
                "max_tokens": 40, "max_target": 12, "max_tags": 6, "max_regions": 4, "negatives": 2, "pool": 3}
        told = {
            "kind": "finetune", "task": self.task, "model": SIZES,
            "data": data | ({"regions": self.places.regions} if self.spec.needs_regions else {}),
            "train": {"epochs": 1, "log_every": 1},
            "optimizer": {"peak_lr": 0.01},
            "decoding": {"most": 6, "least": 0, "beams": 2} if self.spec.decoding else {},
            "output": {"directory": self.run},
        }  # fmt: skip
        for key, value in self.more.items():
            section, _, name = key.partition(".")
            told[section] = {**told.get(section, {}), name: value} if name else value
        self.config.write_text(json.dumps(told, default=str))  # JSON is YAML too

    def train(self, *overrides: str, words: tuple[object, ...] = ()) -> Done:
        return tool("train", "-c", self.config, *words, *_over(self.run, overrides))

    def evaluate(self, *words: object, weights: Path | None = None) -> Done:
        return tool("evaluate", "-c", self.config, "--weights", weights or self.run, *words)

    def ready(self) -> "World":
        """Prepare, write the configuration, and train: all of it must succeed."""
        finished(self.prepare())
        self.write_config()
        finished(self.train())
        return self


def _over(run: Path, overrides: tuple[str, ...]) -> list[str]:
    named = any(one.startswith("output.directory=") for one in overrides)
    return ["-o", *overrides, *([] if named else [f"output.directory={run}"])] if overrides else []


def tool(*words: object) -> Done:
    return call(list(map(str, words)))


def finished(done: Done) -> Done:
    assert done.status == 0, (done.out, done.err)
    return done


def told(done: Done) -> dict[str, Any]:
    """What a tool says in its last line; numbers that are none (NaN) are no JSON."""
    finished(done)
    return json.loads(done.out.splitlines()[-1], parse_constant=_refuse)


def _refuse(name: str) -> None:
    raise AssertionError(f"{name} is no number")


def losses(run: Path) -> list[dict[str, Any]]:
    """The steps of a run, as it logged them."""
    return [json.loads(line, parse_constant=_refuse) for line in (run / "metrics.jsonl").read_text().splitlines()]
