"""A caption in words that a small parser model reads well.

The model was trained on newspapers: it takes "left" in "a key left of a duck" for a verb and loses "on top of" in a
chain of prepositions. So a relation of several words is read as ONE plain preposition with the same grammar ("near"),
and what it really says is kept with its place. For the same reason a caption is read with a capital and a full stop,
whether it has them or not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

# Relations of several words (without "the", which may stand in them) and the preposition that is read in their place.
_STAND_INS = {
    "across from": "near", "ahead of": "behind", "along with": "with", "at back of": "behind", "at bottom of": "on",
    "at center of": "in", "at centre of": "in", "at corner of": "on", "at edge of": "on", "at end of": "near",
    "at foot of": "near", "at front of": "behind", "at side of": "near", "at top of": "on", "away from": "from",
    "by side of": "near", "close to": "near", "close up to": "near", "far from": "near", "in back of": "behind",
    "in between": "between", "in center of": "in", "in centre of": "in", "in corner of": "in", "in front of": "behind",
    "in middle of": "in", "in midst of": "in", "inside of": "inside", "near to": "near", "next to": "near",
    "off of": "off", "off to side of": "near", "on back of": "on", "on bottom of": "on", "on both sides of": "near",
    "on corner of": "on", "on each side of": "near", "on edge of": "on", "on either side of": "near", "on end of": "on",
    "on front of": "on", "on other side of": "behind", "on side of": "on", "on sides of": "on", "on top of": "on",
    "out of": "from", "out in front of": "behind", "outside of": "outside", "right next to": "near",
    "together with": "with", "up against": "against", "as well as": "and",
}
_BESIDE = "near"
# Words that the model takes for verbs or adjectives: behind which words, and what is read in their place.
_READ_AS = {
    "bear": ({"teddy", "polar", "grizzly"}, "doll"), "bears": ({"teddy", "polar", "grizzly"}, "dolls"),
    "hydrant": ({"fire"}, "engine"), "hydrants": ({"fire"}, "engines"),
    "can": ({"a", "aluminum", "beer", "coke", "garbage", "metal", "paint", "recycling", "soda", "spray", "the", "tin",
             "trash", "waste", "watering"}, "bin"),
}


@dataclass(frozen=True)
class Word:
    """read: what the model reads.  text: what the rules read, in small letters.  start, end: characters of the caption.

    relation: what a preposition stands in for, or "".
    """

    read: str
    text: str
    start: int
    end: int
    relation: str = ""


def plain_words(caption: str, tokens: Callable[[str], Iterator[tuple[str, int]]]) -> list[Word]:
    """Return the words of a caption; none when it has no letter.

    tokens: gives the tokens of a text with the place of each one's first character.
    """
    if not any(sign.isalpha() for sign in caption):
        return []
    words, end = [], 0
    for match in _RELATION.finditer(caption):
        words += _tokens(caption, end, match.start(), tokens)
        words += _stand_in(match)
        end = match.end()
    words += _tokens(caption, end, len(caption), tokens)
    return _as_sentence(_joined(words), caption.isupper())


def _pattern() -> re.Pattern[str]:
    """Return what finds a relation of several words; the longest first."""
    fixed = "|".join(r"\s+(?:the\s+)?".join(phrase.split(" ")) for phrase in
                     sorted(_STAND_INS, key=len, reverse=True))
    of_side = r"(?:(?:to|on|at|in|off\s+to)\s+(?:the\s+)?(?:far\s+|immediate\s+)?)?(?P<side>left|right)" \
              r"(?:[\s-]+hand)?(?:\s+side)?\s+of"
    own_side = r"(?:to|on|at)\s+(?P<owner>its|his|her|their)\s+(?P<own>left|right)(?:[\s-]+hand)?(?:\s+side)?"
    return re.compile(rf"(?<![\w-])(?:{own_side}|{of_side}|(?P<fixed>{fixed}))(?![\w-])", re.IGNORECASE)


_RELATION = _pattern()


def _stand_in(match: re.Match[str]) -> list[Word]:
    """Return the words read for a relation: one preposition, and "it" for the owner in "to its left"."""
    side, own = match.group("side"), match.group("own")
    if own:
        pronoun = "them" if match.group("owner").lower() == "their" else "it"
        return [_preposition(match, _BESIDE, f"{own.lower()} of"),
                Word(pronoun, pronoun, match.start("owner"), match.end("owner"))]
    if side:
        return [_preposition(match, _BESIDE, f"{side.lower()} of")]
    said = " ".join(word for word in match.group().lower().split() if word != "the")
    plain = _STAND_INS[said]
    return [_preposition(match, plain, "" if plain == "and" else said)]


def _preposition(match: re.Match[str], read: str, relation: str) -> Word:
    return Word(read, read, match.start(), match.end(), relation)


def _tokens(caption: str, start: int, end: int, tokens: Callable[[str], Iterator[tuple[str, int]]]) -> list[Word]:
    """Return the single words of caption[start:end]."""
    return [Word(text, text.lower(), start + place, start + place + len(text))
            for text, place in tokens(caption[start:end]) if not text.isspace()]


def _joined(words: list[Word]) -> list[Word]:
    """Put words with hyphens together again: "big", "-", "eared" is one adjective."""
    joined: list[Word] = []
    for word in words:
        last = joined[-1] if joined else None
        touches = last is not None and last.end == word.start and not word.relation and not last.relation
        if last and touches and (_is_hyphen(word.text) or _is_hyphen(last.text[-1])) and last.text[0].isalnum():
            joined[-1] = Word(last.read + word.read, last.text + word.text, last.start, word.end)
        else:
            joined.append(word)
    return joined


def _is_hyphen(text: str) -> bool:
    return text in ("-", "‐", "‑")


def _as_sentence(words: list[Word], shouted: bool) -> list[Word]:
    """Return the words with a capital at the start and a full stop at the end; all small where all were capitals."""
    first, *rest = [replace(word, read=word.text) for word in words] if shouted else words
    capital = replace(first, read=first.read[:1].upper() + first.read[1:])
    last = rest[-1] if rest else first
    stop = [] if last.text in (".", "!", "?") else [Word(".", ".", last.end, last.end)]
    return [capital, *_unmistakable([*rest, *stop])]


def _unmistakable(words: list[Word]) -> list[Word]:
    """Return the words with "bin" read for a "can" of tin, which the model takes for the verb, and so on."""
    return [replace(word, read=_READ_AS[word.text][1])
            if word.text in _READ_AS and before.text in _READ_AS[word.text][0] else word
            for before, word in zip([words[0], *words], words, strict=False)]
