"""Back-translation by Apertium, a rule-based translator that Debian and Ubuntu bring: no model, no GPU, no network.

One process a direction takes a whole batch, never a text alone. Each text goes in as Apertium's own text format has it
(special signs escaped, an empty blank and one with a line end behind it) and is flushed with a zero byte.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Collection, Sequence
from itertools import pairwise

from unimo_paddle.errors import UserError

TIMEOUT = 60.0          # seconds after which a process that got one text counts as hung
SECONDS_A_TEXT = 0.2    # more for each text of a batch; 0.001 is usual
_PACKAGES = {"spa": "apertium-eng-spa", "cat": "apertium-eng-cat", "gl": "apertium-en-gl", "eo": "apertium-eo-en"}
_ENGLISH = ("eng", "en")
_SPECIAL = re.compile(r"([\[\]{}^$/\\@<>])")
_ESCAPED = re.compile(r"\\(.)")
_CONTROL = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ufeff]+")
_MARKS = re.compile(r"[*#~+]")      # signs that Apertium writes itself: they could not be told from a text's own
_UNKNOWN = re.compile(r"(?<!\\)\*(\w[\w'’-]*)")
_FAULTY = re.compile(r"(?<!\\)[*#@~+\[\]{}^$/<>]")
_BACKSLASH = r"\\\1"


class Apertium:
    """A chain of directions from English to English: ["spa"] is eng-spa and spa-eng, ["spa", "cat"] three of them.

    A word that a direction does not know stays as it is; the text counts when every such word is one of its own, in
    the end, for then English is what it is. Raises UserError when Apertium or a direction is not installed.
    """

    is_fluent = False

    def __init__(self, languages: Sequence[str], timeout: float = TIMEOUT) -> None:
        self.name = "apertium:" + "+".join(languages)
        modes = installed_modes()
        stations = ["", *languages, ""]
        self.steps = [Direction(_mode(left, right, modes), timeout)
                      for left, right in pairwise(stations)]

    def __call__(self, texts: Sequence[str]) -> list[str | None]:
        """Return each text there and back, or None."""
        current: list[str | None] = list(texts)
        for step in self.steps:
            current = translate_known(step, current)
        return [found and own_words_only(found, text) for found, text in zip(current, texts, strict=True)]


class OneWay:
    """From one of Apertium's languages into English: for texts that people have translated already.

    Raises UserError when the direction is not installed.
    """

    is_fluent = False

    def __init__(self, language: str, timeout: float = TIMEOUT) -> None:
        self.step = Direction(_mode(language, "", installed_modes()), timeout)

    def __call__(self, texts: Sequence[str]) -> list[str | None]:
        """Return the English of each text; None where a word of it is unknown."""
        found = translate_known(self.step, list(texts))
        return [None if text is None or "*" in text else text for text in found]


def translate_known(step: Direction, texts: Sequence[str | None]) -> list[str | None]:
    """Translate those texts that are there; marks of unknown words that an earlier direction left are taken off."""
    there = [index for index, text in enumerate(texts) if text]
    done = step.translate([_UNKNOWN.sub(r"\1", texts[index] or "") for index in there])
    result: list[str | None] = [None] * len(texts)
    for index, text in zip(there, done, strict=True):
        result[index] = text
    return result


def own_words_only(found: str, text: str) -> str | None:
    """Return what came back without marks; None when a marked word is not in the text, so that it is no English."""
    own = set(re.findall(r"\w[\w'’-]*", text.lower()))
    strange = [word for word in _UNKNOWN.findall(found) if word.lower() not in own]
    return None if strange else _UNKNOWN.sub(r"\1", found)


class Direction:
    """One direction of Apertium, e.g. "eng-spa".

    A batch has one process, which ends with it: some directions remember words from text to text, and so the same batch
    gets the same answers from any worker (a start takes 0.2 to 0.8 s, a batch of 2,500 captions about 3 s). When the
    process dies or hangs, what it still owed is halved until the guilty text is alone; that one has no translation.
    """

    def __init__(self, mode: str, timeout: float = TIMEOUT) -> None:
        self.mode, self._timeout = mode, timeout

    def translate(self, texts: Sequence[str]) -> list[str | None]:
        """Return the translations in order, with "*" before each unknown word; None where there is no clean one.

        Raises UserError when the process dies or hangs whatever it is given.
        """
        wanted = [text for text in dict.fromkeys(texts) if is_safe(text)]
        answers = self._answers([encode(text, number) for number, text in enumerate(wanted)])
        found = {text: answer and decode(answer, number)
                 for number, (text, answer) in enumerate(zip(wanted, answers, strict=True))}
        return [found.get(text) or None for text in texts]

    def _answers(self, codes: list[bytes]) -> list[bytes | None]:
        got: list[bytes | None] = [*self._run(codes)] if codes else []
        owed = codes[len(got):]
        if owed and not got and not self._run([encode("A.", 0)]):
            raise UserError(f"apertium {self.mode} answers nothing; try it by hand: echo . | apertium {self.mode}")
        if not owed or len(codes) == 1:
            return got or [None] * len(codes)
        half = (len(owed) + 1) // 2
        return got + self._answers(owed[:half]) + self._answers(owed[half:])

    def _run(self, codes: Sequence[bytes]) -> list[bytes]:
        """Return the answers of a new process in order; fewer when it died or took too long."""
        with tempfile.TemporaryDirectory() as scratch, subprocess.Popen(
                ["apertium", "-z", "-f", "none", self.mode], env={**os.environ, "TMPDIR": scratch},
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                start_new_session=True) as process:
            try:
                output, _ = process.communicate(b"".join(code + b"\0" for code in codes),
                                                self._timeout + SECONDS_A_TEXT * len(codes))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                output, _ = process.communicate()
        return [answer for answer in output.split(b"\0")[:-1] if answer.strip()][:len(codes)]


def is_safe(text: str) -> bool:
    """Tell whether a text is UTF-8 and free of the marks that Apertium itself would write beside a word."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return bool(_CONTROL.sub("", text)) and not _MARKS.search(text)


def encode(text: str, number: int) -> bytes:
    """Return a text on one line in Apertium's stream format, with a stop, and its number in the blank that ends it.

    Without the blank, several directions lose the stop, or the zero byte that shall separate the texts.
    """
    line = _CONTROL.sub(" ", text).strip()
    line += "" if line.endswith((".", "!", "?")) else "."
    return f"{_SPECIAL.sub(_BACKSLASH, line)}[][{number}\n]".encode()


def decode(answer: bytes, number: int) -> str | None:
    """Return the text of an answer; None when it is no UTF-8, not that number's, empty, or has marks of a failure."""
    try:
        line = answer.decode()
    except UnicodeDecodeError:
        return None
    line, end, rest = line.partition(f"[][{number}\n]")
    if not end or rest.strip() or _FAULTY.search(_UNKNOWN.sub("", line)):
        return None
    return _CONTROL.sub(" ", _ESCAPED.sub(r"\1", line)).strip() or None


def installed_modes() -> frozenset[str]:
    """Return the directions that Apertium has here, e.g. "eng-spa". Raises UserError when it is not installed."""
    if shutil.which("apertium") is None:
        raise UserError(f"Apertium is not installed; apt-get install apertium {' '.join(_PACKAGES.values())}")
    listed = subprocess.run(["apertium", "-l"], capture_output=True, text=True, check=False)
    return frozenset(listed.stdout.split())


def _mode(left: str, right: str, modes: Collection[str]) -> str:
    """Return the name of a direction; "" stands for English, which some packages call eng and others en."""
    firsts, seconds = ([one] if one else _ENGLISH for one in (left, right))
    names = [f"{first}-{second}" for first in firsts for second in seconds]
    found = [name for name in names if name in modes]
    if not found:
        package = _PACKAGES.get(left or right) if not (left and right) else None
        remedy = f"apt-get install {package}" if package else "apt-cache search apertium- lists the packages"
        raise UserError(f"Apertium has no direction {' or '.join(names)} here; {remedy}")
    return found[0]
