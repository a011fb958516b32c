"""What the readers of text share: tables, members of JSON, words, and faults with their places."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from unimo_paddle.errors import UserError
from unimo_paddle.prepare.faults import Faults
from unimo_paddle.prepare.ingest.archives import KINDS, read_lines

Kind = TypeVar("Kind", str, list[Any], dict[str, Any])
Row = tuple[str, int, dict[str, str]]   # FILE:LINE, number of the row from 0, column -> field
_CALLED = {str: "a text", list: "a list", dict: "an object"}


def words(text: str, lowercase: bool) -> str:
    """Return a text with single spaces, lower-cased or as it is."""
    joined = " ".join(text.split())
    return joined.lower() if lowercase else joined


def packed_or_plain(path: Path) -> Path | None:
    """Return the file, or the same packed (.gz, .bz2 ..); None where there is neither."""
    candidates = (path, *(path.with_name(path.name + ending) for ending in KINDS))
    return next((one for one in candidates if one.is_file()), None)


def split_files(source: Path, names: Mapping[str, Sequence[str]]) -> list[tuple[str, Path]]:
    """Return (split, file) of the splits that a folder has. names: split -> what its file may be called.

    Raises UserError when it has none of them.
    """
    found = []
    for split, candidates in names.items():
        path = next(filter(None, (packed_or_plain(source / name) for name in candidates)), None)
        if path:
            found.append((split, path))
    if not found:
        wanted = ", ".join(candidates[0] for candidates in names.values())
        raise UserError(f"{source} holds none of {wanted}; is it the right folder, and --layout the right one?")
    return found


def table(path: Path, wanted: Sequence[str], faults: Faults, columns: Sequence[str] = ()) -> Iterator[Row]:
    """Yield each row of a table whose fields are separated by tabs; nothing is quoted.

    columns: their names, where the first line does not tell them.  A row with too few or too many fields is a fault.
    Raises UserError when a wanted column is not there.
    """
    lines = read_lines(path, faults)
    top = 0
    if not columns:
        top, first = next(lines, (0, ""))
        columns = first.split("\t")
    lacking = [name for name in wanted if name not in columns]
    if lacking:
        raise UserError(f"{path}:{top or 1}: there is no column {lacking[0]!r}, only {', '.join(map(repr, columns))}; "
                        f"is it the right file, and --layout the right one?")
    for number, line in lines:
        fields = line.split("\t")
        if len(fields) == len(columns):
            yield f"{path}:{number}", number - top - 1, dict(zip(columns, fields, strict=True))
        else:
            faults.add(f"{path}:{number}", f"the row has {len(fields)} fields, {len(columns)} are wanted, with a tab "
                                           f"between: {', '.join(columns)}")


@contextlib.contextmanager
def noted(faults: Faults) -> Iterator[None]:
    """Note a UserError, whose message begins with its place, among the faults and go on."""
    try:
        yield
    except UserError as error:
        where, _, what = str(error).partition(": ")
        faults.add(where, what)


def filled(text: str, what: str) -> str:
    """Return a text that is not blank; else UserError. what: FILE:LINE: and what it is."""
    if not text.strip():
        raise UserError(f"{what} is empty")
    return text


def member(value: Any, name: str, kind: type[Kind], place: str) -> Kind:
    """Return a member of a JSON object; UserError, with the place, when it is absent or of another kind."""
    if not isinstance(value, dict):
        raise UserError(f"{place}: an object is wanted, not {_shown(value)}")
    if name not in value:
        raise UserError(f"{place}: there is no {name!r}, only {', '.join(map(repr, value)) or 'nothing'}")
    if not isinstance(value[name], kind):
        raise UserError(f"{place}: {name!r} is {_shown(value[name])}; {_CALLED[kind]} is wanted")
    return value[name]


def articles(told: Any, path: Path) -> list[Any]:
    """Return the articles of a file as SQuAD and CoQA have it: a list, or an object with the list in `data`."""
    return told if isinstance(told, list) else member(told, "data", list, str(path))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
