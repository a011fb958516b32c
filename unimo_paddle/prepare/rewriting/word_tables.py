"""Tables of common words of captions: what excludes what, and what is hard to tell apart.

WordNet is too fine, or too silent, for these; a person who looks at a picture is the measure.
"""

from __future__ import annotations


def lines_of(table: str, separator: str | None = None) -> list[list[str]]:
    """Return the words of each line of a table."""
    return [line.split(separator) for line in table.strip().splitlines()]


def index_of(table: str, separator: str | None = None) -> dict[str, frozenset[int]]:
    """Return word -> the numbers of the lines that it stands in."""
    lines = lines_of(table, separator)
    return {word: frozenset(i for i, line in enumerate(lines) if word in line) for words in lines for word in words}


# A scale a paragraph, a line for words that may be true of the same thing; a word may stand in several lines.
SCALES = """
red maroon crimson scarlet reddish pink orange purple brown
orange yellow gold golden tan brown peach
yellow gold golden blond blonde beige cream tan yellowish
green olive teal turquoise greenish
blue navy teal turquoise purple violet bluish
purple violet lavender pink magenta
pink red
brown tan beige bronze maroon
black
white cream ivory beige silver pale blond blonde
gray grey silver

small little tiny mini miniature petite
large big huge giant enormous massive gigantic

short low
tall high

short
long

narrow thin slim skinny
wide broad thick

thin slim skinny
fat thick chubby heavy

old elderly aged ancient antique vintage worn old-fashioned classic
new modern brand-new newborn young fresh
young baby

open opened
closed shut

empty bare
full filled

wet damp
dry

clean spotless
dirty muddy filthy dusty messy

heavy
light lightweight

hot
cold frozen icy chilled iced

sunny bright clear
cloudy overcast rainy stormy foggy gray

dark dim
bright light lit sunny

round circular oval
square rectangular
triangular

smooth
rough bumpy rocky

happy smiling
sad crying angry

male
female

sleeping asleep
awake

sitting seated
standing
lying
flying
running jumping
swimming
sleeping lying
walking

wooden wood
metal metallic steel iron brass copper bronze tin
plastic
glass
stone brick concrete marble granite rock
leather
paper cardboard
rubber
ceramic porcelain clay china
wool woolen woollen cotton silk cloth fabric

striped stripped
spotted dotted polka-dotted
checkered plaid checked
plain solid

whole uncut unsliced
sliced cut chopped halved diced peeled

raw uncooked
cooked fried baked grilled roasted toasted boiled steamed

frozen
melted

acoustic classical
electric

poisonous toxic
edible

left left-hand
right right-hand

upper top
lower bottom
"""

# What is false where a preposition holds.
OPPOSITES = {
    "above": ("below", "under", "beneath"), "over": ("under", "below", "beneath"), "on top of": ("under", "beneath"),
    "below": ("above", "over"), "under": ("above", "over", "on top of"), "beneath": ("above", "over", "on top of"),
    "underneath": ("above", "over", "on top of"), "on": ("under", "beneath", "behind"), "upon": ("under", "beneath"),
    "in": ("outside", "behind", "far from"), "inside": ("outside", "behind"), "inside of": ("outside of", "behind"),
    "within": ("outside", "far from"), "outside": ("inside",), "outside of": ("inside of", "inside"),
    "in front of": ("behind",), "behind": ("in front of",), "ahead of": ("behind",), "in back of": ("in front of",),
    "next to": ("far from",), "beside": ("far from",), "near": ("far from",), "close to": ("far from",),
    "near to": ("far from",), "by": ("far from",), "alongside": ("far from",), "at": ("far from",),
    "against": ("far from",), "far from": ("next to", "near"), "with": ("without",), "without": ("with",),
    "into": ("out of",), "out of": ("into",), "onto": ("off",), "off": ("onto",), "off of": ("onto",),
    "toward": ("away from",), "towards": ("away from",), "away from": ("toward",), "up": ("down",), "down": ("up",),
}

# Only with these does a preposition say a place; "covered in" -> "covered outside" would be no English.
PLACED = """
be sit stand lie lay rest sleep perch park walk run hang place jump fly swim float play graze crawl kneel ride drive
travel ski surf skate situate locate stack pile move sail wait gather grow hide land lean leap pose relax roam roll seat
set skateboard stop stretch eat drink read work snowboard lounge squat crouch hop climb see find mount pass soar
"""
# Praise and blame can be said of anything.
OPINIONS = """
great good nice bad beautiful pretty ugly lovely fine wonderful amazing awesome cute cool interesting fancy elegant
strange weird delicious tasty appetizing perfect best favorite special unique different same other real actual own
"""
# A relation whose name begins so has no verb.
PREPOSITIONS = """
about above across after against ahead along alongside amid among around as at atop away before behind below beneath
beside between beyond by close down during far for from in inside into left like near next of off on onto opposite out
outside over past right through to toward towards under underneath up upon with within without
"""
# The same whichever way it is read: nothing becomes false when both sides change places.
MUTUAL = """
next to beside near close to by with alongside against along meet kiss hug touch face watch fight play race greet
look chase follow talk speak pose across from around between at for from of and like among have include connect attach
"""
# So wide that they are true beside almost any other deed.
VAGUE = """
be have hold carry use look watch see stare gaze face enjoy touch get show contain feature include make take do go play
pose prepare wait try keep like want need move set place put rest handle grab work practice perform attempt come stay
gather surround follow approach top fill cover decorate display serve let give own reach bring say know think become
turn start begin stop point smile talk speak dress fit seat situate locate position design mark attach connect line
pass depict find view read cross travel head return near appear seem leave share compete lay
hang mount park stack pile perch lean relax lounge stretch swing hit grow live
"""
# Nobody is in two of these at once.
POSTURES = """
sit seat squat
stand
lie lay sleep
walk stroll
run race
jump leap hop
fly soar
swim
kneel crouch
"""
# Deeds that go together, or look alike in a picture.
VERB_KIN = """
ride sit drive travel go surf ski skate skateboard snowboard fly sail race steer control
throw toss pitch play hurl serve bowl
catch reach chase grab play throw jump
hold carry use throw catch eat drink read cut swing fly feed brush kick hit lead pull drag bite lick chew
eat bite chew taste enjoy feed graze lick nibble munch devour have
drink sip
cook prepare make bake fry grill heat
cut slice chop carve
pull drag tow lead guide walk
push move
walk lead guide
pet stroke touch feed
brush clean groom comb
wash clean bathe rinse
kick hit play dribble
hit swing strike play bat
climb go ascend
wear don
fly launch operate pilot
cover fill top surround
paint draw color decorate write
type write
"""
# People call the things of one line by each other's names, or meet one where the other is.
KIN = """
cat, kitten, kitty
dog, puppy, pup, dingo, wolf, fox
cow, calf, bull, cattle, ox, bison, buffalo, yak, zebu, steer, gnu, wildebeest
sheep, lamb, ram, ewe, goat
horse, foal, colt, pony, mare, donkey, mule, horseback, zebra
chicken, chick, hen, rooster
bird, chick, seagull, duckling
duck, duckling, goose, gander, drake, rubber duck
pig, piglet, hog
deer, doe, fawn, antelope, elk, moose, caribou, wapiti, blackbuck, gnu, reindeer
peacock, peahen, peafowl
mushroom, cep, toadstool, fungus
bear, cub
teddy bear, rag doll, rubber duck, toy, doll, stuffed animal, plush
monkey, ape
tv, television, monitor, screen, display
computer, laptop, monitor, keyboard, screen
phone, telephone, smartphone, cellphone, iphone, mobile
cup, mug, glass, drink, beverage, coffee, tea, wine, beer, juice, bottle
plate, dish, platter, tray, saucer, meal, food
bowl, dish, container
table, desk, counter, countertop, tabletop, surface
chair, seat, stool, bench, armchair, couch, sofa, furniture
bed, mattress, bedroom
car, van, truck, suv, jeep, taxi, cab, vehicle, sedan, pickup, traffic
bus, van, vehicle, coach
truck, dumper, lorry, trailer, vehicle, van
bike, bicycle, cycle, motorbike, motorcycle, scooter, moped, tricycle
plane, jet, airplane, aircraft, airliner, aeroplane
boat, ship, vessel, sailboat, yacht, canoe, kayak, ferry, raft
train, locomotive, engine, railcar, trolley, tram, subway
track, rail, railroad, railway, station, platform
road, street, highway, lane, path, intersection, pavement, sidewalk, crosswalk, driveway, parking lot, city, town
field, grass, pasture, meadow, lawn, grassland, hillside, yard, savannah, plain, park, farm
ocean, sea, water, wave, surf, lake, river, pond, pool, bay, stream, beach, harbor
beach, shore, sand, coast, shoreline, seashore, dirt, ground
hill, mountain, slope, hillside, mountainside, cliff, peak
snow, slope, ice, winter
forest, wood, woods, jungle, tree, grove, branch
kitchen, counter, cabinet, stove, oven, sink, refrigerator, fridge, cupboard, room, appliance
bathroom, restroom, toilet, sink, bathtub, shower, tub, washroom, urinal
room, bedroom, living room, kitchen, bathroom, house, home, apartment, office
house, home, building, barn, cottage, cabin, church, tower, apartment, store, shop, hotel
city, town, village, downtown, building, skyline
picture, photo, photograph, painting, poster, image, art, drawing, frame
bag, backpack, purse, luggage, suitcase, handbag, briefcase
hat, cap, helmet, beanie
shirt, jacket, coat, sweater, sweatshirt, hoodie, t-shirt, blouse, top, dress, suit, outfit, uniform
pants, jeans, trousers, shorts, leggings
shoe, boot, sneaker, sandal, footwear
racket, racquet, paddle
bat, baseball bat
skateboard, board, surfboard, snowboard, boogie board
kite, parachute, parasail
mailbox, post box, postbox
garbage can, trash can, wheelie bin, bin, dustbin, compost bin, container
drum, drum kit, cymbal, crash cymbal, percussion
violin, cello, fiddle, viola
wrench, pliers, pair of pliers, spanner, tool
hammer, mallet, tool
saw, tool
sandwich, burger, hamburger, sub, bread, bun, toast
donut, doughnut, pastry, cake, dessert, bagel
pizza, pie, slice, slice of pizza
garlic, onion
hornet, hoverfly, wasp, bee, fly
mouse, rat
whale, orca, dolphin
chimpanzee, gorilla, ape
pole, post, lamppost, lamp post, street light, streetlight, light
sign, billboard, signpost, street sign, advertisement
umbrella, parasol, canopy
frisbee, disc, disk
flower, bouquet, vase, plant, blossom, rose
pumpkin, squash
gravestone, tombstone, headstone, inukshuk, stone, rock
mantis, grasshopper
tangerine, mandarin orange, orange, clementine
oven, stove, microwave
fence, gate, railing, barrier
window, glass, pane
blanket, quilt, sheet, comforter, cover, towel, cloth, rug, carpet
box, crate, carton, package, container, case
airport, runway, tarmac
court, tennis court
lime, lemon
football, soccer ball, ball
alligator, crocodile
turkey, roast turkey, hen, chicken
pickup truck, pickup
balsam flower, hibiscus flower, adenium, anthurium, petunia, rose
camel, dromedary
crow, blackbird, raven, magpie, rook
lark, sparrow, finch
marmot, groundhog, wombat, capybara, beaver, otter, badger
"""
# In so many pictures, said or not, that no caption is made false by them; nor by words that say next to nothing.
EVERYWHERE = """
sky ground grass tree leaf floor wall ceiling building street road sidewalk shadow light air cloud room house city town
area place window surface background foreground scene view day night time sun sunlight weather corner side top bottom
front back middle end edge center centre part piece bit thing something item object stuff way kind type sort variety lot
bunch group pair couple set row line pile number color colour pattern shape design image picture photo reflection body
front-view close-up closeup distance direction one other others another none another space home land world country
water dirt dust person people man-made somebody someone anything everything nothing it
"""
