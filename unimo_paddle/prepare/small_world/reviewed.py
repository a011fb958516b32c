"""What looking at every stamp taught us: the few judgements that no measurable rule makes.

Looked through as contact sheets in tuxpaint-stamps 2022.06.04. Paths are relative to the stamps folder.
"""

from __future__ import annotations

# Photographs by every measurement, yet not: drawn, an exact duplicate, a joke in place of a name, or cut out badly.
UNSUITABLE = frozenset({
    "animals/birds/silver-gull.png",             # a species that is not silver, beside a plain seagull
    "animals/fish/stripedfish.png",              # "fish" would be ambiguous beside every other fish
    "food/pizza.png",                            # drawn
    "household/arttools/scissors_small_closed.png",
    "household/arttools/scissors_small_open.png",
    "military/fireman240a.png",                  # the same file as people/fireman240a.png
    "plants/eggplant.png",                       # a whole plant under the name of the vegetable
    "plants/lettuce_bolted.png",                 # looks like a shrub
    "plants/trees/rambutan.png",                 # "An alien tree!"
    "seasonal/halloween/grave-b.png",            # ten graves under seven synonyms: two of one name are kept
    "seasonal/halloween/grave-c.png",
    "seasonal/halloween/grave-d.png",
    "seasonal/halloween/grave-e.png",
    "seasonal/halloween/grave-f.png",
    "seasonal/halloween/grave-g.png",
    "seasonal/halloween/grave-h.png",
    "seasonal/halloween/grave-i.png",
    "seasonal/halloween/jackolantern_mean.png",  # drawn
    "seasonal/christmas/Santa.png",              # drawn
    "vehicles/wheel_tractor.png",                # stands among the vehicles and is none
})

# Texts that hold a good name inside a sentence, or a colour that belongs to a species and not to the picture.
REWORDED = {
    "animals/birds/adelaide-rosella.png": "An Adelaide rosella.",
    "animals/birds/little-penguin.png": "A penguin.",
    "animals/fish/bluegroper.png": "A blue groper.",
    "animals/insects/hoverfly.png": "A hoverfly.",
    "animals/mammals/bears/european-bear.png": "A European bear.",
    "animals/mammals/bears/toys/edward_bear.png": "A teddy bear.",
    "animals/mammals/bovines/gnu-baby-stand.png": "A baby gnu.",
    "animals/mammals/bovines/gnu-baby.png": "A baby gnu.",
    "animals/mammals/bovines/gnu-stand.png": "A gnu.",
    "animals/mammals/bovines/mountaingoat.png": "A mountain goat.",
    "animals/mammals/rodents/rabbit-2.png": "A big-eared rabbit.",
    "animals/marsupials/kangaroo.png": "A kangaroo.",
    "food/fruit/avocado.png": "An avocado.",
    "food/fruit/cherimoya.png": "A cherimoya.",
    "food/vegetables/broccoli.png": "A head of broccoli.",
    "food/vegetables/corn.png": "An ear of corn.",
    "food/vegetables/redlettuce.png": "A red lettuce.",
    "food/vegetables/lettuce.png": "A lettuce.",
    "household/toilet.png": "A toilet.",
    "household/tools/measuring_tape.png": "A measuring tape.",
    "medical/stethoscope.png": "A stethoscope.",
    "people/toys/grannysmith.png": "An old rag doll.",
    "plants/flowers/adeenia.png": "An adenium.",
    "plants/flowers/anthoorium.png": "An anthurium.",
    "plants/flowers/bolsom.png": "A balsam flower.",
    "plants/flowers/chemparathi.png": "A hibiscus flower.",
    "plants/flowers/flower9.png": "A flower.",
    "plants/flowers/plastic/chuvanna_plastic_poo.png": "A red plastic flower.",
    "plants/flowers/red-gazania.png": "A red gazania.",
    "plants/flowers/whitestar-petunia.png": "A petunia.",
    "plants/lavender.png": "A lavender plant.",
    "plants/mushrooms/cep.png": "A red-headed cep.",
    "seasonal/christmas/Candy_cane_photo_1.png": "A candy cane.",
    "seasonal/christmas/Candy_cane_photo_2.png": "A candy cane.",
    "seasonal/christmas/Christmas_pudding.png": "A Christmas pudding.",
    "seasonal/christmas/German_Christmas_toy.png": "A wooden toy.",
    "seasonal/christmas/Mince_Pie.png": "A mince pie.",
    "seasonal/christmas/Roast_turkey.png": "A roast turkey.",
    "space/spacewalk.png": "An astronaut.",
    "sports/australian_rules_football.png": "An Australian football.",
}

# Near synonyms: never two of a line in one scene, for "the duck" must name one thing.
KIN = (
    ("hen", "chicken", "rooster"),
    ("duck", "drake"),
    ("sheep", "ram"),
    ("deer", "doe", "wapiti", "caribou", "blackbuck"),
    ("cow", "bull", "zebu", "bison", "yak", "gnu"),
    ("camel", "dromedary"),
    ("dog", "dingo"),
    ("mouse", "rat"),
    ("chimpanzee", "gorilla"),
    ("cep", "mushroom"),
    ("peacock", "peahen"),
    ("garlic bulb", "string of garlic"),
    ("mailbox", "UK post box"),
    ("cello", "violin"),
    ("football", "soccer ball"),
    ("hornet", "hoverfly"),
    ("dumper", "garbage truck"),
)

# Toys that stand in other folders.
TOYS = frozenset({"household/rubberduck.png", "seasonal/christmas/German_Christmas_toy.png"})

# The backgrounds that stay a plain ground when blurred, and how a caption calls them.
BACKGROUNDS = {
    "burnt_bark": "burnt bark",
    "cliff": "a cliff",
    "corn_maze": "a corn maze",
    "mossy_bark": "mossy bark",
    "mossy_log": "a mossy log",
    "mudstone": "mudstone",
    "ocean_splash": "splashing water",
    "ocean_waves": "ocean waves",
    "redwoods_above": "trees",
    "rocks": "rocks",
    "sheep": "a meadow",
    "sun_behind_clouds": "clouds",
    "sun_behind_leaves": "leaves",
    "trees_above": "trees",
    "trees_at_dusk": "branches at dusk",
}
