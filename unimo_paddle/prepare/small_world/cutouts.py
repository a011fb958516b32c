"""Choose the stamps that are photographs with a good English name, and read name and attributes from their text."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from unimo_paddle.errors import UserError
from unimo_paddle.prepare.small_world.reviewed import BACKGROUNDS, REWORDED, TOYS, UNSUITABLE
from unimo_paddle.prepare.small_world.scene import Attribute, Background, Cutout, World

Picture = NDArray[np.uint8]  # [H, W, 4] blue green red alpha

DRAWN = ("cartoon", "symbols", "flags", "roadsigns", "clothes", "body_parts", "easter", "hanukkah", "newyears")
LEAST_COLOURS = 120       # distinct colours (5 bits a channel): drawings have fewer, photographs more
LEAST_FILL = 0.11         # part of the tight box that is opaque: below stand wires and glass
LEAST_SIDES = (20, 45)    # pixels: the shorter and the longer side of the tight box
MOST_SLENDER = 5.0        # longer side over shorter
LARGEST_SIDE = 200        # pixels: larger stamps are reduced when read; no scene shows more
MOST_WORDS = 5

_SIZE_WORDS = {"very", "small", "little", "large", "big", "huge"}   # size comes from the composition, not the text
_NAMES = {"Christmas", "VW", "UK", "F-22", "Adelaide"}              # capitals that belong to a name
_SENTENCE_WORDS = {"is", "are", "or", "to", "for", "with", "from", "in", "at", "that", "lets", "called", "used",
                   "making"}
_ATTRIBUTES = {
    "colour": ("black", "blue", "brown", "green", "pink", "purple", "red", "silver", "white", "yellow", "colorful"),
    "material": ("metal", "wooden", "plastic"),
    "state": ("sitting", "sleeping", "sliced", "ripe", "lit", "old", "modern", "old-fashioned", "baby", "male",
              "albino", "helmeted", "poisonous", "spiny", "adjustable", "adhesive", "electric", "classical",
              "big-eared", "red-headed"),
}
ATTRIBUTE_KINDS = {word: kind for kind, words in _ATTRIBUTES.items() for word in words}
# Wider words that hold for everything in a folder that is left after the review.
_KINDS = {"animals/birds": ("bird", "animal"), "animals": ("animal",), "plants/flowers": ("flower",),
          "vehicles": ("vehicle",), "hobbies/music": ("musical instrument",)}
_GROUPS = {"food": "food/plants", "plants": "food/plants", "military": "people", "space": "people"}
_OPAQUE = 127
_PNG = b"\x89PNG\r\n\x1a\n"


def parse_text(text: str) -> tuple[str, tuple[Attribute, ...]] | None:
    """Return (name, attributes) of a noun phrase such as "A ripe red tomato!", or None when the text is none.

    Only what stands before the first stop, comma, dash or bracket counts, and it must begin with "a" or "an".
    Leading words are attributes while they are known adjectives, quoted, or capitalised; words of size are dropped.
    """
    phrase = re.split(r"[.,!?(:;—–]", text.strip(), maxsplit=1)[0].replace("'", "").replace("’", "'")
    tokens = [token.strip("“”\"") for token in re.findall(r"[“\"][^”\"]+[”\"]|\S+", phrase)]
    quoted = set(re.findall(r"[“\"]([^”\"]+)[”\"]", phrase))
    if len(tokens) < 2 or tokens[0].lower() not in ("a", "an") or len(tokens) > MOST_WORDS + 1:
        return None
    words = [token for token in tokens[1:] if token not in _SIZE_WORDS]
    if not words or _SENTENCE_WORDS & set(words) or words[-1] in {*ATTRIBUTE_KINDS, "and"}:
        return None
    attributes: list[Attribute] = []
    while len(words) > 1:
        kind = ATTRIBUTE_KINDS.get(words[0]) or ("breed" if _is_breed(words[0], words[-1], quoted) else "")
        if not kind and not (words[0] == "and" and attributes):
            break
        word = words.pop(0)
        if kind:
            attributes.append(Attribute(word, kind))
    return " ".join(words), tuple(attributes)


def _is_breed(word: str, head: str, quoted: set[str]) -> bool:
    return word in quoted or (word[0].isupper() and word not in _NAMES and not head[0].isupper())


def read_picture(path: Path) -> Picture | None:
    """Return the tight crop of a PNG with transparency, its longer side at most LARGEST_SIDE; None when it has none."""
    data = essential_chunks(path.read_bytes())
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if picture is None or picture.ndim != 3 or picture.shape[2] != 4 or picture.dtype != np.uint8:
        return None
    opaque = picture[..., 3] > _OPAQUE
    if not opaque.any():
        return None
    rows, columns = np.flatnonzero(opaque.any(axis=1)), np.flatnonzero(opaque.any(axis=0))
    return np.ascontiguousarray(picture[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1])


def essential_chunks(data: bytes) -> bytes:
    """Return a PNG without side information (colour profiles make libpng print warnings); b"" when it is no PNG."""
    if not data.startswith(_PNG):
        return b""
    kept, place = [_PNG], len(_PNG)
    while place + 12 <= len(data):
        end = place + 12 + int.from_bytes(data[place:place + 4], "big")
        if data[place + 4:place + 8] in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            kept.append(data[place:end])
        place = end
    return b"".join(kept)


def is_photograph(picture: Picture) -> bool:
    """Tell whether a tight crop is large, compact and colourful enough to be a photograph of one thing."""
    short, long = sorted(picture.shape[:2])
    opaque = picture[..., 3] > _OPAQUE
    codes = (picture[..., :3] >> 3)[opaque].astype(np.int32) @ np.array([1, 32, 1024], np.int32)
    return bool(short >= LEAST_SIDES[0] and long >= LEAST_SIDES[1] and long <= MOST_SLENDER * short
                and opaque.mean() >= LEAST_FILL and len(np.unique(codes)) >= LEAST_COLOURS)


def select_stamps(folder: Path) -> tuple[World, dict[str, Picture]]:
    """Return the world of the unpacked stamps, and each picture by key (cut-outs BGRA, backgrounds BGR).

    Raises UserError when the folder holds too few good stamps to compose scenes.
    """
    cutouts: list[Cutout] = []
    pictures: dict[str, Picture] = {}
    for path in sorted((folder / "stamps").rglob("*.png")):
        found = _read_stamp(path, path.relative_to(folder / "stamps").as_posix())
        if found:
            cutouts.append(found[0])
            pictures[found[0].key] = found[1]
    backgrounds = tuple(Background(path.stem, BACKGROUNDS[path.stem])
                        for path in sorted((folder / "templates").glob("*.jpg")) if path.stem in BACKGROUNDS)
    if len(cutouts) < 20 or not backgrounds:
        raise UserError(f"{folder} holds {len(cutouts)} good stamps and {len(backgrounds)} backgrounds, at least 20 "
                        "and 1 are needed; remove the folder so that it is fetched again")
    for background in backgrounds:
        pictures[background.key] = cv2.imread(str(folder / "templates" / f"{background.key}.jpg"))
    return World("stamps", tuple(cutouts), backgrounds), pictures


def _read_stamp(path: Path, key: str) -> tuple[Cutout, Picture] | None:
    parts = key.split("/")
    if key in UNSUITABLE or set(parts[:-1]) & set(DRAWN) or path.stem.endswith("_mirror"):
        return None
    parsed = parse_text(REWORDED.get(key) or _first_line(path.with_suffix(".txt")))
    picture = read_picture(path) if parsed else None
    if parsed is None or picture is None or not is_photograph(picture):
        return None
    picture = reduce_picture(picture, LARGEST_SIDE)
    height, width = picture.shape[:2]
    return Cutout(key, parsed[0], parsed[1], _kinds(key), _group(parts), width, height), picture


def reduce_picture(picture: Picture, side: int) -> Picture:
    """Return the picture with its longer side at most `side` pixels."""
    scale = side / max(picture.shape[:2])
    if scale >= 1:
        return picture
    width, height = (max(1, round(length * scale)) for length in (picture.shape[1], picture.shape[0]))
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)


def _first_line(path: Path) -> str:
    if not path.is_file():
        return ""
    return path.read_bytes().decode("utf-8", errors="replace").lstrip("\ufeff").split("\n", 1)[0]


def _kinds(key: str) -> tuple[str, ...]:
    if "/toys/" in key:
        return ()
    return next((kinds for prefix, kinds in _KINDS.items() if key.startswith(prefix + "/")), ())


def _group(parts: list[str]) -> str:
    """Fold the folders into groups that do not share a name: people wear three folders, a mushroom stands in two."""
    if "toys" in parts or "/".join(parts) in TOYS:
        return "toys"
    if parts[0] == "animals":
        return "/".join(parts[:2])
    return "vehicles" if parts[:2] == ["military", "vehicles"] else _GROUPS.get(parts[0], parts[0])
