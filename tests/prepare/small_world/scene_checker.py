"""A slow, independent judge of captions: it reads the written files only and shares no code with the package.

A caption is parsed word by word; each noun phrase must name an object with those attributes, each relation must hold
between the boxes by its own geometry, and no word may be left over that it does not understand.
"""

import json
import re
from pathlib import Path

RELATIONS = {
    "to the left of": "left", "on the left of": "left", "left of": "left",
    "to the right of": "right", "on the right of": "right", "right of": "right",
    "above": "above", "over": "above", "below": "below", "under": "below", "beneath": "below",
}
SIDES = {"to its left": "left", "on its left": "left", "to its right": "right", "on its right": "right",
         "above it": "above", "below it": "below", "under it": "below"}
NUMBERS = {"two": 2, "three": 3, "four": 4}
GLUE = set(re.findall(r"\w+", "a picture of photo showing this shows scene with the in you can see here there is also "
                               "and be seen one them are things including"))


class Judge:
    """Reads a made world once; `faults(caption, image_id)` says what is wrong with a sentence."""

    def __init__(self, root: Path) -> None:
        genome = root / "visual_genome"
        graphs = json.loads((genome / "attributes.json").read_text())
        self.objects = {entry["image_id"]: entry["attributes"] for entry in graphs}
        names = sorted((genome / "objects_vocab.txt").read_text().split("\n")[:-1], key=len, reverse=True)
        words = sorted((genome / "attributes_vocab.txt").read_text().split("\n")[:-1], key=len, reverse=True)
        word = "|".join(map(re.escape, words))
        name = "|".join(map(re.escape, names))
        self.phrase = re.compile(rf"\b(an?|the) ((?:(?:{word}|and) )*)({name})(?![\w-])", re.I)
        self.word = re.compile(word)

    def faults(self, caption: str, image_id: int, background: str) -> list[str]:
        text, faults = caption.removesuffix("."), []
        if text == caption or not caption[0].isupper():
            faults.append("no sentence")
        for form in (f"with {background} in the background", f"in front of {background}",
                     f"against a background of {background}"):
            text = re.sub(rf",? {re.escape(form)}$", "", text)
        things, gaps, last = [], [], 0
        for match in self.phrase.finditer(text):
            faults += self._article(match)
            things.append(self._find(match, image_id))
            faults += [] if things[-1] else [f"no {match.group(0)}"]
            gaps.append(text[last:match.start()].strip(" ,"))
            last = match.end()
        gaps.append(text[last:].strip(" ,"))
        return faults or self._gaps(gaps, things, len(self.objects[image_id]))

    def _article(self, match: re.Match) -> list[str]:
        article, rest = match.group(1).lower(), match.group(0).split(" ", 1)[1].lower()
        if article == "the":
            return []
        vowel = rest.startswith(("a", "e", "i", "o", "u", "f-22")) and not rest.startswith(("european", "uk "))
        return [] if article == ("an" if vowel else "a") else [f"article: {match.group(0)}"]

    def _find(self, match: re.Match, image_id: int) -> dict | None:
        said = set(self.word.findall(match.group(2)))
        fitting = [thing for thing in self.objects[image_id]
                   if thing["name"].lower() == match.group(3).lower() and said <= set(thing["attributes"])]
        return fitting[0] if len(fitting) == 1 else None

    def _gaps(self, gaps: list[str], things: list[dict], total: int) -> list[str]:
        """gaps[k] stands before things[k]; the last one stands after the last thing."""
        faults = [] if things else ["names nothing"]
        for k, gap in enumerate(gaps):
            number = re.match(r"(?:There are )?(two|three|four) things\b", gap, re.I)
            if number and NUMBERS[number.group(1).lower()] != total:
                faults.append(f"{gap} of {total}")
            rest = gap[number.end():] if number else gap
            side = next((phrase for phrase in SIDES if gap == phrase), "")
            relation = next((phrase for phrase in RELATIONS if re.search(rf"(^|\s){phrase}$", gap, re.I)), "")
            if side:
                faults += self._relation(things[k - 1], SIDES[side], things[k - 2])
            elif relation:
                before = k == 0                       # "Left of X there is Y"
                rest = re.sub(rf"{relation}$", "", gap, flags=re.I)
                pair = (things[1], things[0]) if before else (things[k - 1], things[k])
                faults += self._relation(pair[0], RELATIONS[relation], pair[1])
            left = set(re.findall(r"\w+", rest.lower())) - GLUE if not side else set()
            faults += [f"not understood: {left}"] if left else []
        return faults

    def _relation(self, first: dict, relation: str, second: dict) -> list[str]:
        return [] if holds(first, relation, second) else [f"{first['name']} is not {relation} {second['name']}"]


def holds(first: dict, relation: str, second: dict) -> bool:
    """The definition in words: more apart in that direction than across, and hardly sharing any extent in it."""
    if relation in ("right", "below"):
        return holds(second, {"right": "left", "below": "above"}[relation], first)
    along, length, across, width = ("x", "w", "y", "h") if relation == "left" else ("y", "h", "x", "w")
    ahead = second[along] + second[length] / 2 - first[along] - first[length] / 2
    aside = abs(second[across] + second[width] / 2 - first[across] - first[width] / 2)
    shared = first[along] + first[length] - second[along]
    return ahead > 0 and ahead > aside and shared <= 0.11 * min(first[length], second[length])
