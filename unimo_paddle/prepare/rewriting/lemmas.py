"""Dictionary forms: "leaves" -> "leaf", "riding" -> "ride".

By rules and short lists of our own: spaCy's small model gives "rid" for "riding", and what a word is called must not
depend on the words around it.
"""

from __future__ import annotations

from unimo_paddle.prepare.rewriting.english import plural

PLURAL_ONLY = frozenset({
    "binoculars", "clothes", "goggles", "headphones", "jeans", "leggings", "overalls", "pajamas", "pants",
    "pliers", "scissors", "shorts", "sunglasses", "tights", "trousers", "tweezers",
})
_IRREGULAR = ("man", "woman", "child", "person", "mouse", "goose", "foot", "tooth", "ox", "cactus", "die", "calf",
              "half", "leaf", "loaf", "scarf", "shelf", "wolf", "elf", "thief", "knife", "life", "wife", "potato",
              "tomato", "mango", "hero", "echo", "volcano", "mosquito")
_SINGULAR = {plural(word): word for word in _IRREGULAR} | {"people": "person"}
# snowmen, bookshelves, clover-leaves; longest first
_COMPOUND_TAILS = ("children", "shelves", "people", "leaves", "knives", "women", "teeth", "geese", "mice", "feet",
                   "men")
_NO_MEN = frozenset({"abdomen", "omen", "ramen", "specimen", "stamen"})
_ENDS_IN_IE = frozenset({"birdies", "brownies", "cookies", "hoodies", "hippies", "movies", "pies", "pinkies", "selfies",
                         "smoothies", "ties", "veggies", "zombies", "doggies", "calories", "lies", "dies"})
_ENDS_IN_USE = ("house", "blouse", "mouse", "grouse", "spouse", "cause", "fuse")
_ENDS_IN_S = ("ss", "us")
_KEPT_S = frozenset({"gas", "lens", "canvas", "christmas", "atlas", "pancreas", "news", "series", "species", "tennis",
                     "athletics", "gymnastics", "iris", "oasis", "basis", "chassis", "trellis", "clematis", "debris",
                     "axis", "ibis", "mantis", "pelvis", "this"})

_VERBS = {
    "'s": "be", "added": "add", "adding": "add", "am": "be", "are": "be", "ate": "eat", "basting": "baste",
    "been": "be", "bent": "bend", "bit": "bite", "blew": "blow", "bought": "buy", "brought": "bring",
    "built": "build", "came": "come", "caught": "catch", "crept": "creep", "dealt": "deal", "did": "do", "does": "do",
    "done": "do", "dove": "dive", "drank": "drink", "drawn": "draw", "drew": "draw", "drove": "drive",
    "drunk": "drink", "dug": "dig", "dyed": "dye", "dying": "die", "eaten": "eat", "fallen": "fall", "fed": "feed",
    "fell": "fall", "flew": "fly", "flown": "fly", "focused": "focus", "focusing": "focus", "fought": "fight",
    "found": "find", "gave": "give", "given": "give", "goes": "go", "gone": "go", "got": "get", "gotten": "get",
    "grew": "grow", "grown": "grow", "had": "have", "has": "have", "held": "hold", "hid": "hide", "hidden": "hide",
    "hung": "hang", "is": "be", "kept": "keep", "knelt": "kneel", "laid": "lay", "lain": "lie", "leapt": "leap",
    "led": "lead", "left": "leave", "lit": "light", "lying": "lie", "made": "make", "met": "meet", "pasting": "paste",
    "prepared": "prepare", "preparing": "prepare", "ran": "run", "ridden": "ride", "rode": "ride", "rung": "ring",
    "said": "say", "sang": "sing", "sat": "sit", "saw": "see", "seen": "see", "sent": "send", "shaken": "shake",
    "shone": "shine", "shook": "shake", "shot": "shoot", "shown": "show", "skied": "ski", "slept": "sleep",
    "slid": "slide", "sold": "sell", "spun": "spin", "stood": "stand", "struck": "strike", "strung": "string",
    "stuck": "stick", "stung": "sting", "swam": "swim", "swept": "sweep", "swung": "swing", "taken": "take",
    "tasting": "taste", "taught": "teach", "threw": "throw", "thrown": "throw", "tied": "tie", "told": "tell",
    "took": "take", "torn": "tear", "tying": "tie", "used": "use", "was": "be", "went": "go", "were": "be",
    "wore": "wear", "worn": "wear", "wound": "wind", "woven": "weave", "written": "write", "wrote": "write",
    "’s": "be",
}
_E_ENDINGS = ("c", "v", "u", "dg", "rg", "tl", "bl", "pl", "kl", "gl", "dl", "fl", "zl", "at", "iz", "ns", "rs", "ps",
              "os", "as", "is", "us", "eas", "ang", "ir", "uir", "lat", "ut", "ak", "ok", "ik", "iev")
_NO_E = ("eat", "oat", "out", "eak", "ook", "ink", "oak", "eek", "air", "oir", "ess", "ass", "iss", "oss", "uss",
         "bang", "hang", "oot", "ait", "eet", "uit", "eet", "look", "fat", "ous")


def singular(noun: str) -> str:
    """Return the dictionary form of a plural noun in small letters: "fire hydrants" -> "fire hydrant"."""
    *front, last = noun.split(" ")
    return " ".join([*front, _singular(last)])


def verb_lemma(word: str, tag: str) -> str:
    """Return the dictionary form of a verb in small letters. tag: Penn Treebank's (VBG, VBN, VBD, VBZ; else as is)."""
    if word in _VERBS:
        return _VERBS[word]
    if tag == "VBZ":
        return _without_s(word)
    if tag == "VBG" and word.endswith("ing") and len(word) > 4:
        return _stem(word[:-3])
    if tag in ("VBN", "VBD") and word.endswith("ed") and len(word) > 4:
        return word[:-3] + "y" if word.endswith("ied") else _stem(word[:-2])
    return word


def _singular(word: str) -> str:
    if word in _SINGULAR:
        return _SINGULAR[word]
    tail = next((tail for tail in _COMPOUND_TAILS if word.endswith(tail)), "")
    if tail and word not in _NO_MEN:
        return word.removesuffix(tail) + _SINGULAR[tail]
    if not word.endswith("s") or word.endswith(_ENDS_IN_S) or word in PLURAL_ONLY or word in _KEPT_S:
        return word
    return _without_s(word)


def _without_s(word: str) -> str:
    """Take the ending s or es off a noun or a verb."""
    if word.endswith("ies") and word not in _ENDS_IN_IE and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zzes")):
        return word[:-2]
    if word.endswith("uses") and not word[:-1].endswith(_ENDS_IN_USE):
        return word[:-2]
    if word in ("gases", "lenses", "canvases", "atlases"):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _stem(stem: str) -> str:
    """Mend what is left of a verb without -ing or -ed: "sitt" -> "sit", "rid" -> "ride", "hold" -> "hold"."""
    if len(stem) > 2 and stem[-1] == stem[-2] and stem[-1] in "bdgmnprt":
        return stem[:-1]
    if stem.endswith(_NO_E):
        return stem
    if stem.endswith(_E_ENDINGS):
        return stem + "e"
    return stem + "e" if _short(stem) else stem


def _short(stem: str) -> bool:
    """Tell whether a stem is one syllable that ends in vowel + consonant: without its e it would be doubled."""
    vowels = [letter in "aeiouy" for letter in stem]
    if len(stem) < 2 or vowels[-1] or not vowels[-2] or stem[-1] in "wxh":
        return False
    return sum(vowels) == 1
