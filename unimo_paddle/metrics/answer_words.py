"""Words that the official VQA score treats alike (GT-Vision-Lab/VQA, vqaEval.py): data, with its inconsistencies.

The score looks words up after lower-casing, so the official entries with a capital (Im, Ive, ..) never match: left out.
"""

_COUNTED = "zero one two three four five six seven eight nine ten"
NUMBERS = {"none": "0"} | {word: str(number) for number, word in enumerate(_COUNTED.split())}
ARTICLES = frozenset(("a", "an", "the"))

# One apostrophe: the word without it is read as the word with it.
_ONE = """
ain't aren't can't could've couldn't didn't doesn't don't hadn't hasn't haven't he'd he's how'd how'll how's isn't
it'd it'll ma'am mightn't might've mustn't must've needn't not've o'clock oughtn't shan't should've shouldn't
somebody'll somebody's someone'd someone'll someone's something'd something'll that's there'd there're there's they'd
they'll they're they've 'twas wasn't we've weren't what'll what're what's what've when's where'd where's where've
who'd who'll who's who've why'll why're why's won't would've wouldn't y'all you'd you'll you're you've
"""
# Two or more: each form that lacks just one of them.
_SEVERAL = """
couldn't've hadn't've he'd've it'd've mightn't've she'd've shouldn't've somebody'd've someone'd've something'd've
there'd've they'd've we'd've who'd've wouldn't've y'all'll y'all'd've you'd've 'ow's'at
"""


def _without_one(word: str) -> set[str]:
    return {word[:place] + word[place + 1 :] for place, letter in enumerate(word) if letter == "'"}


CONTRACTIONS = {short: word for word in (_ONE + _SEVERAL).split() for short in _without_one(word)}
CONTRACTIONS["somebody'd"] = "somebodyd"  # the official table has this one the wrong way round
