"""The little English that rewriting needs: words with their places, plurals, articles."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

MOST_WORDS = 100   # of a caption that is parsed and paraphrased; a longer one has similar captions only
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_IRREGULAR = {
    "man": "men", "woman": "women", "child": "children", "person": "people", "mouse": "mice", "goose": "geese",
    "foot": "feet", "tooth": "teeth", "ox": "oxen", "cactus": "cacti", "die": "dice",
    **{word: word for word in ("sheep", "fish", "deer", "bison", "moose", "aircraft", "squid", "salmon")},
    **{word: word[:-1] + "ves" for word in ("calf", "half", "leaf", "loaf", "scarf", "shelf", "wolf", "elf", "thief")},
    **{word: word[:-2] + "ves" for word in ("knife", "life", "wife")},
    **{word: word + "es" for word in ("potato", "tomato", "mango", "hero", "echo", "volcano", "mosquito")},
}
_COMPOUND = ("man", "woman", "child", "person", "mouse", "goose", "foot", "tooth", "fish", "leaf", "knife")
_PLURALS = frozenset(_IRREGULAR.values()) - {word for word, plural in _IRREGULAR.items() if word == plural}
_SINGULAR_S = frozenset({"gas", "lens", "canvas", "christmas", "atlas", "pancreas"})
_MASS = frozenset({
    "asphalt", "bacon", "beer", "bread", "broccoli", "butter", "cement", "cheese", "clothing", "concrete", "corn",
    "dirt", "foam", "fog", "foliage", "food", "fur", "furniture", "graffiti", "grass", "gravel", "greenery", "hair",
    "hay", "ice", "jewelry", "lettuce", "luggage", "meat", "milk", "mud", "paint", "pasta", "pottery", "rice", "sand",
    "seafood", "smoke", "snow", "soil", "straw", "sugar", "sunlight", "tarmac", "toast", "traffic", "vegetation",
    "water", "wine", "wood",
})
_AN = re.compile(r"[aeiou]|hour|honest|honou?r|heir|[fhlmnrsx]-|(?-i:[FHLMNRSX][A-Z\d])|8|1[18]\b", re.IGNORECASE)
_A = re.compile(r"uni(?![nm])|us[eu]|uten|util|uku|one\b|once\b|ewe|eu|(?-i:U[A-Z])", re.IGNORECASE)
_ARTICLE = re.compile(r"(?:^|(?<=\W))(an?)(\s+)$", re.IGNORECASE)


def words(text: str) -> list[tuple[str, int, int]]:
    """Return each word in small letters with its first and its one-past-last character."""
    return [(match.group().lower(), match.start(), match.end()) for match in _WORD.finditer(text)]


def is_long(caption: str) -> bool:
    """Tell whether a caption is no caption any more: parsing and comparing take time with the square of its words."""
    return len(caption.split()) > MOST_WORDS


def normalise(text: str) -> str:
    """Return what two captions share when they say the same words: small letters, single spaces, no punctuation."""
    return " ".join(_WORD.findall(text.lower()))


def plural(noun: str) -> str:
    """Return a noun's plural: "cell phone" -> "cell phones", "bunch of grapes" -> "bunches of grapes"."""
    noun, of, rest = noun.partition(" of ")
    *front, last = noun.split(" ")
    return " ".join([*front, _plural(last)]) + of + rest


def number_of(noun: str) -> str:
    """Tell how a noun stands in a vocabulary: "singular", "plural" (jeans, people) or "mass" (water)."""
    last = noun.partition(" of ")[0].lower().split(" ")[-1]
    if last in _MASS:
        return "mass"
    ends_in_s = last.endswith("s") and not last.endswith(("ss", "us", "is")) and last not in _SINGULAR_S
    return "plural" if last in _PLURALS or ends_in_s else "singular"


@lru_cache(maxsize=1 << 16)
def article(phrase: str) -> str:
    """Return the indefinite article that a phrase takes: an hour, a unicorn, an umbrella, an F-22."""
    return "an" if _AN.match(phrase) and not _A.match(phrase) else "a"


@dataclass(frozen=True)
class Place:
    """text[start:end], ready to be exchanged.

    article: the "a" or "an" in front with the space after it, or ""; opens: whether a sentence begins here with a
    capital.
    """

    start: int
    end: int
    article: str
    opens: bool

    @classmethod
    def of(cls, text: str, start: int, end: int) -> Place:
        """Look at what stands in front of text[start:end]."""
        before = text[max(start - 8, 0):start]
        found = _ARTICLE.search(before)
        opens = text[start:start + 1].isupper() and text[:start].rstrip()[-1:] in ("", ".", "!", "?")
        return cls(start, end, found.group() if found else "", opens)

    def written(self, by: str) -> str:
        """Return other words as they stand here, with their article: "an apple" for "a dog"."""
        if self.opens:
            return by[:1].upper() + by[1:]
        if not self.article:
            return by
        mended = article(by)
        return (mended.capitalize() if self.article[0] == "A" else mended) + self.article.lower().lstrip("an") + by


def replace_places(text: str, changes: Iterable[tuple[Place, str]]) -> str:
    """Put other words into places of a text that do not overlap, and mend the articles in front and the capitals."""
    pieces, done = [], 0
    for place, by in sorted(changes, key=lambda change: change[0].start):
        pieces += [text[done:place.start - len(place.article)], place.written(by)]
        done = place.end
    return "".join([*pieces, text[done:]])


def replace_span(text: str, start: int, end: int, by: str) -> str:
    """Put other words into text[start:end], and mend the article in front and the capital that begins a sentence.

    "An apple on a table", the span of "apple", "dog" -> "A dog on a table".
    """
    return replace_places(text, [(Place.of(text, start, end), by)])


def _plural(word: str) -> str:
    if word.lower() in _IRREGULAR:
        return _IRREGULAR[word.lower()]
    for tail in _COMPOUND:   # snowman, swordfish, clover-leaf
        if word.endswith(tail) and word not in ("human", "german", "roman", "talisman"):
            return word[:-len(tail)] + _IRREGULAR[tail]
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2:-1] not in tuple("aeiou"):
        return word[:-1] + "ies"
    return word + "s"
