"""What people call the stamps' things in 77 languages: the human pivots of the captions' positives."""

from __future__ import annotations

import json
from pathlib import Path

from unimo_paddle.files import atomic_write
from unimo_paddle.prepare.small_world.language import noun_phrase
from unimo_paddle.prepare.small_world.reviewed import REWORDED
from unimo_paddle.prepare.small_world.scene import World

TRANSLATIONS = "translations.jsonl"
_MARK = ".utf8="


def write_translations(path: Path, world: World, stamps: Path) -> None:
    """Write a line of JSON a name: {"text": as captions call it, "translations": {language: a person's line}}.

    stamps: the folder that holds stamps/.  Of stamps with one name the first by key speaks for all; those whose English
    we worded anew are left out, as their translators translated something else.
    """
    found: dict[str, dict[str, str]] = {}
    for cutout in world.cutouts:
        if cutout.key not in REWORDED:
            lines = (stamps / "stamps" / cutout.key).with_suffix(".txt")
            found.setdefault(noun_phrase(cutout.words, cutout.name), read_lines(lines))
    with atomic_write(path, "w") as file:
        file.writelines(json.dumps({"text": text, "translations": given}, ensure_ascii=False) + "\n"
                        for text, given in sorted(found.items()) if given)


def read_lines(path: Path) -> dict[str, str]:
    """Return language -> text of the lines such as "es.utf8=Un perro." that follow a stamp's English line."""
    lines = path.read_bytes().decode("utf-8", errors="replace").split("\n")[1:]
    pairs = [line.split(_MARK, 1) for line in lines if _MARK in line and "\ufffd" not in line]
    return {language.strip(): " ".join(text.split()) for language, text in pairs if text.strip()}
