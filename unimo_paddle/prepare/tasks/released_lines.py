"""What the released multi-modal archives share: lines of fields between `;`, texts as ids of the released vocabulary.

An image's id is the archive's own, as tools/extract.py import keeps it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from unimo_paddle.errors import UserError
from unimo_paddle.prepare.faults import Faults
from unimo_paddle.prepare.ingest.archives import read_lines
from unimo_paddle.region_tools.imports.lines import files_of

CLS, SEP, VOCABULARY = 0, 2, 50_265
_LISTS = {"train": ("train_filelist",), "dev": ("valid_filelist", "dev_filelist"), "test": ("test_filelist",)}


def listed_files(source: Path) -> Iterator[tuple[str, Path]]:
    """Yield (split, file) of the files that the filelists of an archive name, train first.

    Raises UserError without any filelist, and for a file that is not there.
    """
    lists = {split: path for split, names in _LISTS.items() for path in _found(source, names)}
    if not lists:
        raise UserError(f"{source} holds no train_filelist, valid_filelist or dev_filelist, test_filelist; is it the "
                        f"unpacked archive, and --layout the right one?")
    for split, path in lists.items():
        yield from ((split, file) for file in files_of(path, ("",), listed=True))


def fields_of(path: Path, count: int, wanted: int, faults: Faults) -> Iterator[tuple[str, list[str]]]:
    """Yield FILE:LINE and the first `wanted` fields of each line; a line without `count` fields is a fault.

    What follows is arrays of a megabyte, which are not copied.
    """
    for number, line in read_lines(path, faults):
        has = line.count(";") + 1
        if has == count:
            yield f"{path}:{number}", line.split(";", wanted)[:wanted]
        else:
            faults.add(f"{path}:{number}", f"the line has {has} fields between `;`, not {count}; is it the right file?")


def token_ids(told: str, what: str, is_framed: bool = True) -> tuple[int, ...]:
    """Return a text's ids without the [CLS] and [SEP] around them.

    is_framed: whether both have to be there.  Raises UserError for what is no text, or empty between them.
    """
    try:
        ids = tuple(map(int, told.split()))
    except ValueError:
        raise UserError(f"{what} is {told[:40]!r}; token ids with spaces between are wanted") from None
    wrong = [one for one in ids if not 0 <= one < VOCABULARY]
    if wrong:
        raise UserError(f"{what} has the id {wrong[0]}, but the released vocabulary ends at {VOCABULARY - 1}")
    begins, ends = ids[:1] == (CLS,), ids[-1:] == (SEP,)
    if is_framed and not (begins and ends):
        raise UserError(f"{what} does not begin with [CLS] ({CLS}) and end with [SEP] ({SEP})")
    bare = ids[begins : len(ids) - ends]
    if not bare:
        raise UserError(f"{what} is empty")
    return bare


def number(told: str, what: str) -> int:
    """Return a whole number that is not negative; else UserError."""
    if not told.strip().isdecimal():
        raise UserError(f"{what} is {told[:40]!r}; a whole number is wanted")
    return int(told)


def _found(source: Path, names: tuple[str, ...]) -> list[Path]:
    paths = [path for name in names for path in (source / name, *sorted(source.glob(f"*/{name}"))) if path.is_file()]
    return paths[:1]
