"""Sentence-level positives: a text into another language and back (paper section 2.1), behind one small interface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from unimo_paddle.errors import UserError
from unimo_paddle.prepare.rewriting.apertium import Apertium
from unimo_paddle.prepare.rewriting.neural_translation import Neural

DEFAULT_PIVOTS = ("apertium:spa", "apertium:cat", "apertium:gl", "apertium:eo")


class Translator(Protocol):
    """English to English by way of other languages.

    name: where a paraphrase comes from, as it is stored ("apertium:spa").  is_fluent: whether it writes good sentences,
    which count as a whole; those of a rule-based translator are mended piece by piece.
    """

    name: str
    is_fluent: bool

    def __call__(self, texts: Sequence[str]) -> list[str | None]:
        """Return each text there and back, in order; None where what came back is no English text.

        The same list gives the same answer, whatever was translated before.
        """
        ...


def make_translators(pivots: Sequence[str], models: Mapping[str, tuple[Path, Path]] | None = None) -> list[Translator]:
    """Return a translator for each pivot.

    pivots: "apertium:LANG", "apertium:LANG+LANG" (a chain), "neural:NAME". models: NAME -> (folder there, folder back).
    Raises UserError, before anything is translated, for a pivot that is unknown, not installed or has no model.
    """
    made: list[Translator] = []
    for pivot in pivots:
        backend, _, name = pivot.partition(":")
        if backend == "apertium" and name:
            made.append(Apertium(name.split("+")))
        elif backend == "neural" and name in (models or {}):
            made.append(Neural(name, *(models or {})[name]))
        elif backend == "neural" and name:
            raise UserError(f"pivot {pivot!r} has no model; name its two folders, {name}=FOLDER_THERE,FOLDER_BACK")
        else:
            raise UserError(f"pivot {pivot!r} is unknown; write apertium:LANGUAGE or neural:NAME, "
                            f"e.g. {', '.join(DEFAULT_PIVOTS)}")
    return made
