"""The whole job in miniature: the words that each tool is given, and two ways to run a tool."""

import contextlib
import importlib.util
import io
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from unimo_paddle import console

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / "configs"
IMAGES, HELD_OUT = 16, 16  # train scenes; scenes of test and of composition each
STEPS, SAVE_EVERY = 20, 4


@dataclass(frozen=True)
class Done:
    """How a tool ended."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class World:
    """A folder with the miniature, all of it made by tools/*.py."""

    root: Path

    @property
    def scenes(self) -> Path:
        return self.root / "scenes"

    @property
    def corpus(self) -> Path:
        return self.root / "corpus"

    @property
    def tokenizer(self) -> Path:
        return self.root / "tokenizer"

    @property
    def regions(self) -> Path:
        return self.root / "regions"

    @property
    def detector(self) -> Path:
        return self.root / "detector" / "detector"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def sheet(self) -> Path:
        return self.root / "sheet.png"

    def make_scenes(self, out: Path) -> list[str]:
        return ["prepare", "scenes", "--out", str(out), "--images", str(IMAGES), "--source", "shapes"]

    def prepare(self) -> list[list[str]]:
        """From nothing to a corpus with rewrites and a tokenizer."""
        scenes, corpus = str(self.scenes), str(self.corpus)
        dataset, images = f"{scenes}/coco/dataset.json", f"{scenes}/images"
        return [
            self.make_scenes(self.scenes),
            ["prepare", "ingest", "coco", "--from", dataset, "--images", images, "--corpus", corpus],
            ["prepare", "rewrite", "--corpus", corpus, "-o", "positives.translators=apertium:spa", "--workers", "1"],
            ["prepare", "tokenizer", "--corpus", corpus, "--vocabulary", "400", "--lowercase",
             "--out", str(self.tokenizer)],
        ]  # fmt: skip

    def train_detector(self) -> list[str]:
        """A detector for pictures of 64 x 96: it finds nothing, quickly."""
        coco = self.scenes / "coco"
        return ["train", "-c", str(CONFIGS / "detector" / "small_world.yaml"), "-o",
                f"data.images={self.scenes}/images", f"data.train={coco}/instances_train.json",
                f"data.validation={coco}/instances_val.json", f"data.genome={self.scenes}/visual_genome",
                "data.batch=2", "detector.short_side=64", "detector.long_side=96", "detector.neck_width=16",
                "detector.feature_width=16", "detector.test_proposals=16", "optimizer.warmup_steps=1",
                "train.steps=2", "train.save_every=2", f"output.directory={self.detector.parent}"]  # fmt: skip

    def extract(self, out: Path, *source: str) -> list[str]:
        source = source or ("--corpus", str(self.corpus))
        return ["extract", "--detector", str(self.detector), *source, "--out", str(out), "--min-boxes", "4",
                "--max-boxes", "6"]  # fmt: skip

    def pretrain(self, out: Path, *overrides: str) -> list[str]:
        return ["train", "-c", str(CONFIGS / "pretrain_tiny.yaml"), "-o", f"data.corpus={self.corpus}",
                f"data.regions={self.regions}", f"data.tokenizer={self.tokenizer}", "data.rows=160", "data.multiple=2",
                "data.positives=1", "data.negatives=2", "model.layers=1", "model.width=32", "model.heads=2",
                "optimizer.warmup_steps=1", f"train.steps={STEPS}", f"train.save_every={SAVE_EVERY}",
                "train.log_every=4", f"evaluation.answers={self.scenes}/retrieval/test.json",
                f"output.directory={out}", *overrides]  # fmt: skip

    def evaluate(self, *more: str) -> list[str]:
        return ["evaluate", "-c", str(self.run / "config.yaml"), "--weights", str(self.run), *more]


def command(words: list[str]) -> list[str]:
    """The command line of a tool, whose name is the first word."""
    return [sys.executable, str(ROOT / "tools" / f"{words[0]}.py"), *words[1:]]


def environment() -> dict[str, str]:
    """Ours without the mark of a process that tune_process has started anew."""
    return {name: value for name, value in os.environ.items() if name != "UNIMO_PADDLE_TUNED"}


def start(words: list[str]) -> subprocess.Popen[bytes]:
    """Start a tool as a process of its own, as a user does."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command(words), cwd=ROOT, env=environment(), start_new_session=True, **pipes)


def run(words: list[str], *before: str) -> Done:
    """Run a tool as a process of its own, to its end. before: words that go before the command line."""
    line = [*before, *command(words)]
    done = subprocess.run(line, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=120)
    return Done(done.returncode, done.stdout, done.stderr)


SMALL_DISK = 'mount -t tmpfs -o "$1" none "$2" && shift 2 && "$@"; status=$?; find "$0" -name ".tmp-*"; exit $status'


def on_a_disk(options: str, folder: Path) -> list[str]:
    """What goes before a command line to run it with a disk of its own in `folder`; it is gone afterwards."""
    folder.mkdir()
    return ["unshare", "-Urm", "sh", "-c", SMALL_DISK, str(folder), options, str(folder)]


def can_mount() -> bool:
    """Tell whether this machine lets us have a disk of our own in a namespace."""
    words = ["unshare", "-Urm", "mount", "-t", "tmpfs", "none", "/mnt"]
    return bool(shutil.which("unshare")) and not subprocess.run(words, capture_output=True, check=False).returncode


needs_namespaces = pytest.mark.skipif(not can_mount(), reason="a small disk needs user namespaces (unshare)")


def call(words: list[str]) -> Done:
    """Run a tool within this process, which saves the time that Paddle takes to load; only faults of ours get out."""
    spec = importlib.util.spec_from_file_location(f"tool_{words[0]}", ROOT / "tools" / f"{words[0]}.py")
    assert spec and spec.loader
    module, status = importlib.util.module_from_spec(spec), 0
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), mock.patch.object(sys, "argv", words):
        spec.loader.exec_module(module)
        try:
            console.run_tool(module.main)
        except SystemExit as end:
            status = int(end.code or 0)
    return Done(status, out.getvalue(), err.getvalue())


def refused(done: Done, *parts: str, status: int = 2) -> None:
    """Check that a tool refused a request: its status, one message, and what the message says."""
    assert done.status == status, (done.status, done.err)
    assert done.err.count("error:") == 1 and "Traceback" not in done.err, done.err
    missing = [part for part in parts if part not in done.err]
    assert not missing, (missing, done.err)
