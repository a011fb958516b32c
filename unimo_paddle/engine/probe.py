"""What is looked at now and then while a run goes on, and where it is kept.

A run's folder has `probes.jsonl`, one line a probe with its numbers and texts, and `probes/`, its pictures.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.files import atomic_write

PROBES, PICTURES = "probes.jsonl", "probes"


@dataclass(frozen=True)
class Probed:
    """values: numbers by name; pictures: uint8 [H, W, 3], RGB, by name; texts: by name, as a person reads them."""

    values: dict[str, float] = field(default_factory=dict)
    pictures: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)


class Probe(Protocol):
    """Looks at the model after `step` updates: on rank 0 alone, in evaluation mode, within the run's precision.

    It must leave the model as it found it and draw nothing from the run's random numbers.
    """

    def __call__(self, step: int) -> Probed: ...


@dataclass(frozen=True)
class ProbeRecord:
    """One line of probes.jsonl. step: updates done."""

    step: int
    values: dict[str, float]
    texts: dict[str, str]
    time: float = field(default_factory=time.time)


class ProbeFile:
    """The probes that a run's folder keeps."""

    def __init__(self, directory: Path | str) -> None:
        self._lines, self._pictures = Path(directory) / PROBES, Path(directory) / PICTURES

    def read(self) -> list[ProbeRecord]:
        """Return what the folder holds; a line cut short by a kill ends it."""
        if not self._lines.is_file():
            return []
        records: list[ProbeRecord] = []
        for line in self._lines.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                records.append(ProbeRecord(**json.loads(line)))
            except (json.JSONDecodeError, TypeError):
                break
        return records

    def keep(self, done: int) -> list[ProbeRecord]:
        """Drop what a killed run left beyond `done` steps, and return the others."""
        kept = [record for record in self.read() if record.step <= done]
        if self._lines.is_file():
            with atomic_write(self._lines, "w") as file:
                file.writelines(_line(record) for record in kept)
        steps = {f"{record.step:08}" for record in kept}
        for path in self._pictures.glob("*.png"):
            if path.name[:8] not in steps:
                path.unlink()
        return kept

    def add(self, step: int, probed: Probed) -> ProbeRecord:
        """Write one probe; its line comes last, so that a line's pictures are there."""
        from PIL import Image

        for name, pixels in probed.pictures.items():
            with atomic_write(self._pictures / f"{step:08}-{name}.png") as file:
                Image.fromarray(pixels).save(file, "PNG")
        record = ProbeRecord(step, probed.values, probed.texts)
        with self._lines.open("a", encoding="utf-8") as lines:
            lines.write(_line(record))
        return record

    def pictures(self, steps: Iterable[int]) -> Iterable[tuple[int, str, NDArray[np.uint8]]]:
        """Yield (step, name, uint8 [H, W, 3]) of these steps' pictures."""
        from PIL import Image

        for step in steps:
            for path in sorted(self._pictures.glob(f"{step:08}-*.png")):
                yield step, path.stem[9:], np.asarray(Image.open(path).convert("RGB"))


def _line(record: ProbeRecord) -> str:
    return json.dumps(asdict(record)) + "\n"
