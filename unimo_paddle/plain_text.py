"""Foreign text made harmless and visible before it is shown."""

from __future__ import annotations

import re
import unicodedata

_UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]")


def visible(text: str) -> str:
    """Return the text with what does not show, or commands a terminal or the direction of writing, spelled out.

    An escape sequence in a caption would else colour or clear the screen, and U+202E turn the rest of the line round.
    Line breaks and tabs become blanks.
    """
    return _UNSEEN.sub(lambda found: _spelled(found.group()), re.sub(r"[\t\n\r]+", " ", text))


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes: two for wide letters, none for marks over a letter."""
    return sum(0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
               for letter in text)


def _spelled(letter: str) -> str:
    code = ord(letter)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
