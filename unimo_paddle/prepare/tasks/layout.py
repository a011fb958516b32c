"""Which layout a folder of downloads has: the public one, or the released archives'."""

from __future__ import annotations

from pathlib import Path

from unimo_paddle.errors import UserError
from unimo_paddle.tasks import Task

_RELEASE_COLUMNS = {"text_a", "tgt"}                     # release, sections 5.1 and 5.2
_RELEASE_FILES = ("*_filelist", "*/*_filelist", "*.ids", "*/*.ids")  # sections 5.3 to 5.5


def layout_of(source: Path, task: Task) -> str:
    """Return "public" or "release", by the files that the folder holds.

    Raises UserError for a folder that is not there.
    """
    if not source.exists():
        raise UserError(f"--from: {source} does not exist")
    if len(task.formats) == 1:
        return next(iter(task.formats))
    is_release = any(_is_release_table(path) for path in sorted(source.glob("*.tsv"))) or any(
        any(source.glob(pattern)) for pattern in _RELEASE_FILES
    )
    return "release" if is_release else "public"


def _is_release_table(path: Path) -> bool:
    with path.open("rb") as file:
        first = file.readline(1 << 16).decode("utf-8", "replace")
    return bool(_RELEASE_COLUMNS & set(first.strip().split("\t")))
