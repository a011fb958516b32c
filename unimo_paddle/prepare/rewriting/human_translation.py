"""Human translations as a source of positives: only the way back to English is a machine's, or none at all.

A file has one JSON object a line: {"text": "a fire truck", "translations": {"es": "Un camión de bomberos.", ...}}.
text: a whole caption, or a noun phrase that stands in captions. translations: language -> what a person wrote;
"en", "en_GB" and so on are English already and taken as they stand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from unimo_paddle.errors import UserError
from unimo_paddle.prepare.faults import Faults
from unimo_paddle.prepare.rewriting.apertium import OneWay
from unimo_paddle.prepare.rewriting.english import words

Phrase = tuple[str, ...]            # words in small letters
Place = tuple[int, int, Phrase]     # first and one-past-last character in a caption
APERTIUM_CODES = {"es": "spa", "ca": "cat", "gl": "gl", "eo": "eo"}
_ARTICLES = ("a", "an", "the", "some", "one")
_REMARK = re.compile(r"[.!?;:,(¡¿]")   # a stamp's text may go on: "A doe. A female deer."


class BackToEnglish(Protocol):
    """Translates one language into English; is_fluent: whether it writes sentences of its own (see Translator)."""

    is_fluent: bool

    def __call__(self, texts: Sequence[str]) -> list[str | None]:
        """Return each text's English, or None."""
        ...


def english_of(language: str) -> bool:
    """Tell whether a language's code is a kind of English: en, en_GB, en-AU."""
    return language.replace("-", "_").split("_")[0] == "en"


def ways_back(languages: Sequence[str], models: Mapping[str, BackToEnglish] | None = None) -> dict[str, BackToEnglish]:
    """Return language -> translation into English: a model's where one is given, else Apertium's.

    Languages without either, and kinds of English, are left out. Raises UserError when Apertium is not installed.
    """
    ways: dict[str, BackToEnglish] = dict(models or {})
    for language in languages:
        if language not in ways and language in APERTIUM_CODES:
            ways[language] = OneWay(APERTIUM_CODES[language])
    return {language: ways[language] for language in languages if language in ways}


def read_translations(path: Path) -> dict[str, dict[str, str]]:
    """Read a file of translations: text -> language -> translation; lines with the same text are joined.

    Raises UserError that lists the first 20 faulty lines with their numbers.
    """
    found: dict[str, dict[str, str]] = {}
    faults = Faults()
    if not path.is_file():
        fault = "is a folder" if path.is_dir() else "does not exist"
        raise UserError(f"{path} {fault}; a file of translations is wanted")
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} cannot be read as UTF-8 text ({error})") from None
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                text, given = _parse(line)
                found.setdefault(text, {}).update(given)
            except ValueError as fault:
                faults.add(f"{path}:{number}", str(fault))
    if not faults and not found:
        raise UserError(f"{path} holds no translations; a line is {{\"text\": ..., \"translations\": {{\"es\": ...}}}}")
    if faults:
        raise UserError("translations are not ready:\n" + faults.report())
    return found


def _parse(line: str) -> tuple[str, dict[str, str]]:
    """Return (text, translations) of a line. Raises ValueError that says what is wrong."""
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ValueError(f"no JSON ({error})") from None
    text, given = (row.get("text"), row.get("translations")) if isinstance(row, dict) else (None, None)
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f'"text" is {text!r:.60}, not a caption or a noun phrase')
    if not isinstance(given, dict) or not all(isinstance(each, str) for each in given.values()):
        raise ValueError(f'"translations" is {given!r:.60}, not language -> text')
    return text, given


class HumanTranslations:
    """Finds captions, and noun phrases in captions, that people have translated, and brings the translations home.

    translations: as `read_translations` gives them; back: as `ways_back` does.
    """

    def __init__(self, translations: Mapping[str, Mapping[str, str]], back: Mapping[str, BackToEnglish]) -> None:
        self._back = back
        self._translations: dict[Phrase, dict[str, str]] = {}
        for text, given in translations.items():
            self._translations.setdefault(content_words(text), {}).update(given)
        self._translations.pop((), None)
        self._longest = max(map(len, self._translations), default=0)

    def find(self, caption: str) -> list[Place]:
        """Return (start, end, words) of each known phrase in a caption, the longest first come, none over another."""
        found, tokens, index = [], words(caption), 0
        while index < len(tokens):
            for length in range(min(self._longest, len(tokens) - index), 0, -1):
                phrase = tuple(word for word, _, _ in tokens[index:index + length])
                if phrase in self._translations:
                    found.append((tokens[index][1], tokens[index + length - 1][2], phrase))
                    break
            else:
                length = 1
            index += length
        return found

    def is_fluent(self, language: str) -> bool:
        """Tell whether this language's English is a sentence of its own, not to be mended piece by piece."""
        return english_of(language) or (language in self._back and self._back[language].is_fluent)

    def english(self, phrases: Sequence[Phrase]) -> dict[Phrase, dict[str, str]]:
        """Return phrase -> language -> English, for those that came back; each language is translated in one batch."""
        made: dict[Phrase, dict[str, str]] = {}
        wanted = sorted(set(phrases))
        for language in sorted({name for phrase in wanted for name in self._translations[phrase]}):
            there = [phrase for phrase in wanted if self._translations[phrase].get(language, "").strip()]
            texts = [self._translations[phrase][language] for phrase in there]
            for phrase, text in zip(there, self._home(language, texts), strict=True):
                if text:
                    made.setdefault(phrase, {})[language] = text
        return made

    def _home(self, language: str, texts: list[str]) -> Sequence[str | None]:
        if english_of(language):
            return texts
        return self._back[language](texts) if language in self._back else [None] * len(texts)


def content_words(text: str) -> Phrase:
    """Return a text's words in small letters without the articles in front."""
    found = [word for word, _, _ in words(text)]
    while found and found[0] in _ARTICLES:
        del found[0]
    return tuple(found)


def noun_phrase(text: str) -> str:
    """Return the phrase that a translation of a name begins with: no article, and no remark after a stop or comma."""
    parts = [part for part in _REMARK.split(text.replace("’", "'")) if part.strip()]
    tokens = words(parts[0]) if parts else []
    while tokens and tokens[0][0] in _ARTICLES:
        del tokens[0]
    return parts[0][tokens[0][1]:tokens[-1][2]] if tokens else ""
