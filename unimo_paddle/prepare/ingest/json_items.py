"""The items of a JSON file that is one long list, one after the other: Visual Genome's have 700 MB on one line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from unimo_paddle.errors import UserError

_CHUNK = 1 << 20     # characters read at a time
_LONGEST = 64 << 20  # characters of one item
_CUT = 64            # a fault so near to the end of what has been read may only mean that the rest is to come
_BETWEEN = re.compile(r"[\s,]*")


def read_items(path: Path) -> Iterator[Any]:
    """Yield each object of the list that a UTF-8 JSON file is; memory holds one item and a chunk of the file.

    UserError names the file, the item and the character when it is no list of objects, is broken or cut.
    """
    if not path.is_file():
        raise UserError(f"{path} is a folder; a file is wanted" if path.is_dir() else f"{path} does not exist")
    with path.open(encoding="utf-8") as file:
        try:
            yield from _Items(file, path)
        except UnicodeDecodeError as error:
            raise UserError(f"{path}: byte {error.object[error.start]:#x} is not UTF-8; save the file as UTF-8"
                            ) from None


class _Items:
    def __init__(self, file: IO[str], path: Path) -> None:
        self._file, self._path = file, path
        self._text, self._place, self._passed, self._count = "", 0, 0, 0
        self._decode = json.JSONDecoder().raw_decode

    def __iter__(self) -> Iterator[Any]:
        if self._next_sign() != "[":
            raise self._fault("a list is wanted, which begins with [")
        self._place += 1
        while (sign := self._next_sign()) != "]":
            if sign != "{":
                raise self._fault(f"an object is wanted, not {self._text[self._place:self._place + 40]!r}")
            yield self._item()
            self._count += 1

    def _next_sign(self) -> str:
        while True:
            between = _BETWEEN.match(self._text, self._place)
            self._place = between.end() if between else self._place
            if self._place < len(self._text):
                return self._text[self._place]
            self._read_on("the file ends within the list; is it cut?")

    def _item(self) -> Any:
        while True:
            try:
                value, self._place = self._decode(self._text, self._place)
                return value
            except json.JSONDecodeError as error:
                if not self._may_be_cut(error):
                    raise self._fault(f"this is not JSON: {error.msg}", error.pos) from None
                self._read_on(f"this is not JSON: {error.msg}; is the file cut?")
            except (ValueError, RecursionError) as error:   # a number of thousands of digits; lists within lists
                raise self._fault(f"the JSON cannot be read: {error}") from None

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        is_near = error.pos >= len(self._text) - _CUT or error.msg.startswith("Unterminated string")
        return is_near and len(self._text) - self._place < _LONGEST

    def _read_on(self, otherwise: str) -> None:
        more = self._file.read(max(_CHUNK, len(self._text) - self._place))
        if not more:
            raise self._fault(otherwise)
        self._passed += self._place
        self._text, self._place = self._text[self._place:] + more, 0

    def _fault(self, what: str, place: int | None = None) -> UserError:
        place = self._passed + (self._place if place is None else place)
        return UserError(f"{self._path}: item [{self._count}], character {place}: {what}")
