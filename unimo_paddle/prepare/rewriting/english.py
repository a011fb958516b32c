"""The little English that rewriting needs: words with their places, plurals, articles."""

from __future__ import annotations

import re

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
_AN = re.compile(r"[aeiou]|hour|honest|honou?r|heir", re.IGNORECASE)
_A = re.compile(r"uni(?![nm])|us[eu]|uten|util|uku|one\b|once\b|ewe|eu", re.IGNORECASE)


def words(text: str) -> list[tuple[str, int, int]]:
    """Return each word in small letters with its first and its one-past-last character."""
    return [(match.group().lower(), match.start(), match.end()) for match in _WORD.finditer(text)]


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


def article(phrase: str) -> str:
    """Return the indefinite article that a phrase takes: an hour, a unicorn, an umbrella."""
    return "an" if _AN.match(phrase) and not _A.match(phrase) else "a"


def replace_span(text: str, start: int, end: int, by: str) -> str:
    """Put other words into text[start:end], and mend the article in front and the capital that begins a sentence.

    "An apple on a table", the span of "apple", "dog" -> "A dog on a table".
    """
    before = text[:start]
    found = re.search(r"\b(an?)(\s+)$", before, re.IGNORECASE)
    if found:
        mended = article(by)
        mended = mended.capitalize() if found.group(1)[0] == "A" else mended
        before = before[:found.start()] + mended + found.group(2)
    if text[start:start + 1].isupper() and before.rstrip()[-1:] in ("", ".", "!", "?"):
        by = by[:1].upper() + by[1:]
    return before + by + text[end:]


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
