"""A sweep whose tools are stand-ins: how to ask for one, and what it left."""

import contextlib
import io
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.mini_world import CONFIGS
from unimo_paddle.study.command import Tools, run

STUB = str(Path(__file__).with_name("stub_tool.py"))
TOOLS = Tools((sys.executable, STUB, "train"), (sys.executable, STUB, "evaluate"))
TINY = CONFIGS / "pretrain_tiny.yaml"


@dataclass(frozen=True)
class Sweep:
    """The folder of a test: `out`, the sweep's, and `calls`, a line for each call of a tool."""

    root: Path

    @property
    def out(self) -> Path:
        return self.root / "out"

    @property
    def calls(self) -> list[str]:
        file = self.root / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def rows(self) -> list[dict[str, Any]]:
        return pq.read_table(self.out / "runs.parquet").to_pylist()

    def words(self, *words: str, config: Path = TINY) -> list[str]:
        return ["-c", str(config), "--out", str(self.out), *words]

    def ask(self, *words: str, config: Path = TINY) -> tuple[int, str]:
        """Return the status and what was printed, errors too."""
        told = io.StringIO()
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            status = run(self.words(*words, config=config), "", TOOLS)
        return status, told.getvalue()
