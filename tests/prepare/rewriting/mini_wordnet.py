"""Writes a small word net in WordNet's own format (wndb(5WN)), byte offsets and all."""

from pathlib import Path

PARTS = {"n": "noun", "v": "verb", "a": "adj"}
LICENCE = "  1 This stands where the licence stands.  \n"

# name: (part, lexicographer file, words, pointers to names)
SYNSETS = {
    "thing": ("n", 3, ["thing"], {}),
    "animal": ("n", 5, ["animal"], {"@": ["thing"]}),
    "dog": ("n", 5, ["dog", "Canis_familiaris"], {"@": ["animal"]}),
    "puppy": ("n", 5, ["puppy"], {"@": ["dog"]}),
    "cat": ("n", 5, ["cat"], {"@": ["animal"]}),
    "sheep": ("n", 5, ["sheep"], {"@": ["animal"]}),
    "bird": ("n", 5, ["bird"], {"@": ["animal"]}),
    "eagle": ("n", 5, ["eagle"], {"@": ["bird"]}),
    "cad": ("n", 18, ["cad", "dog"], {"@": ["person"]}),
    "person": ("n", 18, ["person"], {"@": ["thing"]}),
    "man": ("n", 18, ["man"], {"@": ["person"]}),
    "woman": ("n", 18, ["woman"], {"@": ["person"]}),
    "rider": ("n", 18, ["rider"], {"@": ["person"]}),
    "clothing": ("n", 6, ["clothing"], {"@": ["thing"]}),
    "hat": ("n", 6, ["hat"], {"@": ["clothing"]}),
    "head": ("n", 8, ["head"], {"#p": ["animal"]}),
    "car": ("n", 6, ["car"], {"@": ["thing"]}),
    "wheel": ("n", 6, ["wheel"], {"@": ["thing"], "#p": ["car"]}),
    "fire_engine": ("n", 6, ["fire_engine", "fire_truck"], {"@": ["car"]}),
    "box": ("n", 6, ["box"], {"@": ["thing"]}),
    "postbox": ("n", 6, ["postbox", "mailbox"], {"@": ["thing"]}),
    "plate": ("n", 6, ["plate"], {"@": ["thing"]}),
    "apple": ("n", 13, ["apple"], {"@": ["thing"]}),
    "plant": ("n", 20, ["plant"], {"@": ["thing"]}),
    "daffodil": ("n", 20, ["daffodil"], {"@": ["plant"]}),
    "flower": ("n", 20, ["flower"], {"@": ["plant"]}),
    "tennis": ("n", 4, ["tennis"], {}),
    "golf": ("n", 4, ["golf"], {}),
    "asia": ("n", 17, ["Asia"], {}),
    "china": ("n", 15, ["China"], {"#p": ["asia"]}),
    "america": ("n", 15, ["America"], {}),
    "chinese": ("a", 1, ["Chinese"], {"\\": ["china"]}),
    "asian": ("a", 1, ["Asian"], {"\\": ["asia"]}),
    "american": ("a", 1, ["American"], {"\\": ["america"]}),
    "busy": ("a", 0, ["busy"], {"!": ["idle"]}),
    "idle": ("a", 0, ["idle"], {"!": ["busy"], "&": ["lazy"]}),
    "lazy": ("a", 0, ["lazy"], {"&": ["idle"]}),
    "move": ("v", 38, ["travel"], {}),
    "ride": ("v", 38, ["ride"], {"@": ["move"]}),
    "steer": ("v", 38, ["gallop"], {"@": ["ride"]}),
    "eat": ("v", 34, ["eat"], {}),
    "throw": ("v", 35, ["throw"], {}),
    "chew": ("v", 34, ["swallow"], {"*": ["eat"]}),
}


def write_wordnet(folder: Path) -> Path:
    """Write index and data files of all parts of speech; return the folder."""
    folder.mkdir(exist_ok=True)
    offsets = dict.fromkeys(SYNSETS, 0)
    for _ in range(2):   # an offset has eight digits, so the second time all stand where they will stay
        for part, name in PARTS.items():
            text = LICENCE
            for key, synset in SYNSETS.items():
                if synset[0] == part:
                    offsets[key] = len(text)
                    text += _line(synset, offsets[key], offsets)
            (folder / f"data.{name}").write_text(text)
    for part, name in PARTS.items():
        (folder / f"index.{name}").write_text(LICENCE + "".join(sorted(_index(part, offsets))))
    return folder


def _line(synset: tuple[str, int, list[str], dict[str, list[str]]], offset: int, offsets: dict[str, int]) -> str:
    part, file, words, pointers = synset
    flat = [(symbol, other) for symbol, others in pointers.items() for other in others]
    said = " ".join(f"{word} 0" for word in words)
    tied = " ".join(f"{symbol} {offsets[other]:08d} {SYNSETS[other][0]} {'0101' if symbol == '!' else '0000'}"
                    for symbol, other in flat)
    return f"{offset:08d} {file:02d} {part} {len(words):02x} {said} {len(flat):03d} {tied} | what it means  \n"


def _index(part: str, offsets: dict[str, int]) -> list[str]:
    senses: dict[str, list[int]] = {}
    for key, synset in SYNSETS.items():
        for word in synset[2] if synset[0] == part else ():
            senses.setdefault(word.lower(), []).append(offsets[key])
    return [f"{word} {part} {len(places)} 0 {len(places)} 0 {' '.join(f'{place:08d}' for place in places)}  \n"
            for word, places in senses.items()]
