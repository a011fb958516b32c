"""Words that the rules over a parsed caption have to know."""

from __future__ import annotations

# Colours; before a noun the model often takes them for a part of a compound.
COLOURS = frozenset({
    "beige", "black", "blue", "brown", "cream", "gold", "gray", "green", "grey", "maroon", "orange", "pink", "purple",
    "red", "silver", "tan", "teal", "turquoise", "violet", "white", "yellow",
})
# What may stand before a colour and makes one attribute with it: "dark brown".
SHADES = frozenset({"bright", "dark", "deep", "light", "pale"})
# Parts of a thing or of the picture that only say where: "at the end of a table".
PARTS = frozenset({
    "back", "bottom", "center", "centre", "corner", "edge", "end", "front", "inside", "left", "middle", "midst",
    "outside", "rear", "right", "side", "sides", "top",
})
# Places in the picture that are no relation: "with trees in the background".
GROUNDS = frozenset({"background", "distance", "foreground"})
# What only frames a caption: "a picture of a dog".
FRAMES = frozenset({
    "close-up", "closeup", "image", "images", "photo", "photograph", "photographs", "photos", "pic", "picture",
    "pictures", "scene", "shot", "snapshot", "view",
})
# What only counts before "of": "a group of people".
QUANTITIES = frozenset({
    "array", "assortment", "bit", "collection", "couple", "crowd", "dozen", "dozens", "few", "four", "group",
    "groups", "half", "handful", "hundreds", "kind", "kinds", "line", "lot", "lots", "many", "most", "number", "one",
    "plenty", "row", "rows", "series", "set", "sets", "several", "some", "sort", "team", "thousands", "three", "ton",
    "tons", "two", "type", "types", "variety",
})
# Further nouns that name nothing that could be exchanged.
NO_THINGS = frozenset({
    "action", "afternoon", "all", "anything", "both", "close", "day", "daytime", "each", "evening", "half", "kind",
    "morning", "night", "one", "ones", "other", "others", "row", "someone", "something", "thing", "things", "time",
    "total", "use", "way",
})
# Nouns that make one thing with what they hold or gather: "a cup of coffee", "a bunch of grapes".
CONTAINERS = frozenset({
    "bag", "basket", "batch", "body", "bottle", "bouquet", "bowl", "box", "bucket", "bunch", "bundle", "can",
    "carton", "chunk", "cloud", "clump", "cluster", "cup", "dish", "ear", "flock", "glass", "head", "heap", "herd",
    "jar", "jug", "loaf", "mug", "pack", "package", "pair", "pan", "patch", "piece", "pile", "pint", "pitcher",
    "plate", "pool", "pot", "roll", "school", "scoop", "sheet", "slice", "stack", "stick", "string", "swarm", "tray",
    "tub", "tube", "vase", "wedge",
})
# Adjectives that count, compare or point and do not describe.
NO_ATTRIBUTES = frozenset({
    "additional", "another", "assorted", "back", "bottom", "certain", "different", "entire", "far", "few", "first",
    "front", "individual", "last", "left", "less", "many", "more", "most", "much", "multiple", "next", "numerous",
    "only", "other", "own", "right", "same", "second", "several", "single", "some", "such", "third", "top", "various",
    "whole",
})
# Compounds that begin with what looks like an adjective.
COMPOUNDS = frozenset({
    "baking sheet", "bathing suit", "cutting board", "dining room", "dining table", "diving board", "high chair",
    "hot air", "hot dog", "living room", "measuring tape", "mobile phone", "parking lot", "parking meter",
    "parking space", "remote control", "rolling pin", "sewing machine", "stuffed animal", "stuffed bear",
    "swimming pool", "washing machine",
})
# Adjectives that may stand behind their noun: "a man asleep".
BEHIND_NOUNS = frozenset({
    "adjacent", "alone", "asleep", "awake", "barefoot", "close", "closed", "empty", "full", "high", "long", "naked",
    "nearby", "old", "open", "outdoors", "outside", "parallel", "ready", "shirtless", "similar", "tall", "together",
    "upright", "wide",
})
# Verbs that captions write without an ending: "a couple sit on a bench", "a man ride a horse".
BARE_VERBS = frozenset({
    "are", "be", "carry", "catch", "climb", "cross", "cut", "do", "drink", "drive", "eat", "enjoy", "feed", "fly",
    "get", "graze", "hang", "have", "hit", "hold", "jump", "kick", "lay", "lean", "lie", "look", "make", "play",
    "pose", "prepare", "pull", "push", "read", "rest", "ride", "run", "share", "show", "sit", "ski", "sleep", "smile",
    "stand", "swim", "swing", "take", "talk", "throw", "travel", "try", "use", "wait", "walk", "watch", "wear",
    "were", "work",
})
# Participles that the model takes for nouns: "a cell phone lying on a desk".
POSTURES = frozenset({"flying", "hanging", "jumping", "laying", "lying", "running", "sitting", "standing", "walking"})
# Verbs that only say that something is there: "is seen on a table" says "on".
EMPTY_VERBS = frozenset({
    "be", "contain", "depict", "feature", "find", "include", "locate", "picture", "place", "position", "see", "show",
    "situate",
})
# Verbs after which a preposition speaks of the object: "putting a cake into an oven".
PLACING = frozenset({"hang", "insert", "lay", "place", "pour", "push", "put", "set", "throw"})
# Prepositions that say no relation between things.
NO_RELATIONS = frozenset({
    "about", "as", "because", "besides", "despite", "during", "except", "including", "per", "since", "than", "until",
})
# Whom "he", "she", "him" and "her" can mean.
PEOPLE = frozenset({
    "baby", "batter", "boy", "catcher", "chef", "child", "girl", "guy", "kid", "lady", "man", "officer", "person",
    "player", "rider", "skateboarder", "skier", "snowboarder", "surfer", "toddler", "woman",
})
