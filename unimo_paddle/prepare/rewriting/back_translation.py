"""Sentence-level positives: a text into another language and back (paper section 2.1), behind one small interface."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from unimo_paddle.errors import UserError
from unimo_paddle.prepare.rewriting.apertium import Apertium
from unimo_paddle.prepare.rewriting.neural_translation import Neural

DEFAULT_PIVOTS = ("apertium:spa", "apertium:cat", "apertium:gl")


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


def make_translators(pivots: Sequence[str]) -> list[Translator]:
    """Return a translator for each pivot.

    pivots: "apertium:LANG", "apertium:LANG+LANG" (a chain), or "neural:DIR", a folder with the models `forth` and
    `back`; a paraphrase's origin then is neural: and the folder's own name.
    Raises UserError, before anything is translated, for a pivot that is unknown, not installed or has no model.
    """
    return [_make(pivot) for pivot in pivots]


def _make(pivot: str) -> Translator:
    backend, _, name = pivot.partition(":")
    if backend == "apertium" and name:
        return Apertium(name.split("+"))
    if backend == "neural" and name:
        return Neural(Path(name).name, Path(name) / "forth", Path(name) / "back")
    raise UserError(f"translator {pivot!r} is unknown; write apertium:LANGUAGE or neural:DIR, e.g. "
                    f"{', '.join(DEFAULT_PIVOTS)}")
