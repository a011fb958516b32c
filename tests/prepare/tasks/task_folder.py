"""Runs `tools/prepare.py task` in this process and reads what it wrote."""

from pathlib import Path

from unimo_paddle.prepare.command import parser
from unimo_paddle.records import Record, TaskData


def prepare(task: str, source: Path, to: Path, *options: object) -> dict[str, list[Record]]:
    """Prepare a task; return split -> records, as training reads them."""
    args = parser("").parse_args(["task", task, "--from", str(source), "--to", str(to), *map(str, options)])
    assert args.run(args) == 0
    data = TaskData(to)
    assert data.task == task
    return {split: list(data.records(split)) for split in data.splits}


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    """Write files, of text or of bytes, into a folder; return it."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder
