"""Articles as WikiExtractor writes them: blocks of <doc id=...> ... </doc>, or with --json one object a line."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Any

from unimo_paddle.prepare.faults import Faults

_BEGIN = re.compile(r'<doc id="(\d+)"(?:.* title="(.*)")?.*>$')
_END = "</doc>"


def articles(lines: Iterator[tuple[int, str]], where: str, shown: str,
             faults: Faults) -> Iterator[tuple[str, str, str]]:
    """Yield (file:line, id, text) of each article that has a text; the id is `wikipedia:` and the article's number.

    The text is the body without the title, one paragraph a line. WikiExtractor writes &lt; for <, which is undone.
    """
    first = next(lines, None)
    if first is None:
        return
    read = _json_lines if first[1].startswith("{") else _blocks
    for number, article_id, text in read(_with(first, lines), where, faults):
        if text.strip():
            yield f"{where}:{number}", f"wikipedia:{article_id}", html.unescape(text)


def _with(first: tuple[int, str], rest: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    yield first
    yield from rest


def _blocks(lines: Iterator[tuple[int, str]], where: str, faults: Faults) -> Iterator[tuple[int, str, str]]:
    begun: tuple[int, str, str] | None = None
    body: list[str] = []
    for number, line in lines:
        place = f"{where}:{number}"
        if line.startswith("<doc "):
            if begun:
                faults.add(place, f"the article before has no {_END}; it begins in line {begun[0]}")
            begun, body = _begin(number, line, place, faults), []
        elif line.strip() == _END and begun:
            if begun[1]:
                yield begun[0], begun[1], "\n".join(_without_title(body, begun[2]))
            begun = None
        elif begun:
            body.append(line)
        else:
            faults.add(place, f"{line!r:.60} stands outside of an article (<doc id=...> to {_END})")
    if begun:
        faults.add(where, f"the last article has no {_END}: it begins in line {begun[0]}; is the file cut?")


def _begin(number: int, line: str, place: str, faults: Faults) -> tuple[int, str, str]:
    match = _BEGIN.match(line.rstrip())
    if not match:
        faults.add(place, f'{line!r:.60} is not the beginning of an article, <doc id="12" url="..." title="...">')
    return (number, match[1], match[2] or "") if match else (number, "", "")


def _without_title(body: list[str], title: str) -> list[str]:
    return body[1:] if body and body[0].strip() == title.strip() else body


def _json_lines(lines: Iterator[tuple[int, str]], where: str, faults: Faults) -> Iterator[tuple[int, str, str]]:
    for number, line in lines:
        place = f"{where}:{number}"
        try:
            value: Any = json.loads(line)
        except (ValueError, RecursionError) as error:
            faults.add(place, f"this is not JSON, one article a line: {error}")
            continue
        if isinstance(value, dict) and str(value.get("id", "")).isdecimal() and isinstance(value.get("text"), str):
            yield number, str(value["id"]), value["text"]
        else:
            faults.add(place, f"an object with `id` (a number) and `text` is wanted, not {line:.60}")
