"""What a rule-based translator changed in a caption, piece by piece, and which pieces still say the same.

Apertium there and back gives "A little trout of choral is well of an aeroplane" for "A small coral trout is right of an
airplane": good words beside bad ones. So its sentence is compared with the caption, each piece is judged by itself, and
what does not surely say the same is put back. Articles are the caption's own, for most pivots have none like them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from unimo_paddle.prepare.rewriting.english import replace_span, words
from unimo_paddle.prepare.rewriting.lemmas import singular
from unimo_paddle.prepare.rewriting.wordnet import PARTS, WordNet
from unimo_paddle.prepare.sentence_encoder import SentenceEncoder

LIKENESS = 0.6          # cosine of two words that share a sense: below, it is a sense that neither has here,
SAME_FIRST = 0.3        # unless it is the commonest sense of both (eggplant and aubergine)
COMMON = 4              # senses of a word that are looked at: a slice is a cut in a rarer one
NAME_LIKENESS = 0.78    # of a thing's name and another name that people translated
_ARTICLES = frozenset({"a", "an", "the"})
_DETERMINERS = _ARTICLES | {"his", "her", "its", "their", "some", "two", "three", "four"}
_SIDES = frozenset({"left", "right"})
_SAME = tuple(frozenset(line.split(", ")) for line in (
    "below, beneath, under, underneath", "above, over", "beside, next to", "near, close to", "atop, on top of",
    "inside, inside of", "around, round", "toward, towards", "till, until", "someone, somebody", "among, amongst",
    "several, various", "many, a lot of", "while, whilst", "photo, photograph", "gray, grey",
))
# Words whose meaning hangs on their place: they change into one another by the table above or not at all.
_CLOSED = frozenset(" ".join((
    "a about above after against all along also among an and any are around as at atop away back be because been",
    "before behind being below beneath beside between both but by can could did do does done down each eight either",
    "every few first five for four from front get had has have he her here him his how i if in inside into is it",
    "its last left less low many may me more most much my near neither never next nine no nobody none nor not",
    "nothing of off on one onto opposite or other our out outside over own past right round second seven several",
    "she should since six so some such ten than that the their them then there these they third this those three",
    "through to toward towards two under underneath until up upon us was we well were what when where which while",
    "who whose will with within without would you your zero black blue brown gold golden gray green grey orange",
    "pink purple red silver white yellow",
)).split(" "))
# What a name must neither gain nor lose; it may drop an "of".
_TOLD_APART = (_CLOSED - {"of"}) | {
    "small", "little", "large", "big", "huge", "tiny", "great", "thick", "broad", "thin", "tall", "short", "very",
    "young", "old", "male", "female", "baby",
}


Word = tuple[str, int, int]         # in small letters, its first and its one-past-last character
Span = tuple[int, int, int, int]    # words i1:i2 of the caption, j1:j2 of the translation


@dataclass(frozen=True)
class Change:
    """caption[start:end], which are the words `old`, became `by`, the words `new` (no articles in either).

    after: up to two words of the caption that follow, no articles; has_object: whether the next is one that begins a
    noun phrase.
    """

    start: int
    end: int
    by: str
    old: tuple[str, ...]
    new: tuple[str, ...]
    after: tuple[str, ...] = ()
    has_object: bool = False


def find_changes(caption: str, translated: str) -> list[Change]:
    """Return the pieces that differ, as small as they can be told apart, in order; insertions and deletions are not."""
    ours, theirs = ([word for word in words(text) if word[0] not in _ARTICLES] for text in (caption, translated))
    if "one" not in (word for word, _, _ in ours):
        theirs = [word for word in theirs if word[0] != "one"]      # some pivots write it for "a"
    plain = [word for word, _, _ in ours], [word for word, _, _ in theirs]
    return [_change(caption, translated, ours, theirs, piece)
            for span in _differing(*plain) for piece in _split(*plain, span)]


def apply_changes(caption: str, changes: Iterable[Change]) -> str:
    """Return the caption with non-overlapping pieces replaced, and the articles before them mended."""
    for change in sorted(changes, key=lambda each: each.start, reverse=True):
        caption = replace_span(caption, change.start, change.end, change.by)
    return caption


class SameMeaning:
    """Judges pieces: WordNet knows synonyms, the encoder tells whether they share a sense that matters here."""

    def __init__(self, encoder: SentenceEncoder, wordnet: WordNet) -> None:
        self._encoder, self._wordnet = encoder, wordnet

    def keep(self, changes: Sequence[Change]) -> list[bool]:
        """Tell of each change whether it surely keeps the meaning."""
        return self._judge(changes, [self._needed(change) for change in changes])

    def keep_names(self, changes: Sequence[tuple[Change, bool]]) -> list[bool]:
        """Tell the same of names that people translated; the second of each: whether their English is fluent.

        What a person wrote is trusted sooner than what a rule-based translator made of it.
        """
        return self._judge([change for change, _ in changes], [self._needed_for_name(*each) for each in changes])

    def _judge(self, changes: Sequence[Change], found: Sequence[float]) -> list[bool]:
        likeness = self._likeness([(change.old, change.new) for change, least in zip(changes, found, strict=True)
                                   if 0 < least <= 1])
        return [least == 0 or least <= likeness.get((change.old, change.new), 0.0)
                for change, least in zip(changes, found, strict=True)]

    def _likeness(self, pairs: Sequence[tuple[tuple[str, ...], tuple[str, ...]]]) -> dict[object, float]:
        pairs = sorted(set(pairs))
        old, new = (self._encoder.encode([" ".join(pair[side]) for pair in pairs]) for side in (0, 1))
        return dict(zip(pairs, (old * new).sum(axis=1).round(4).tolist(), strict=True))

    def _needed(self, change: Change) -> float:
        """Return the least cosine that a change needs: 0 is certain, 2 is impossible."""
        old, new = " ".join(change.old), " ".join(change.new)
        if any({old, new} <= same for same in _SAME) or _is_same_side(change) or _is_same_verb(change):
            return 0.0
        if _CLOSED & {*change.old, *change.new} or not self._is_same_form(change) or not self._share_a_sense(old, new):
            return 2.0
        return SAME_FIRST if self._senses(old)[:1] == self._senses(new)[:1] else LIKENESS

    def _needed_for_name(self, change: Change, is_fluent: bool) -> float:
        old, new = change.old, change.new
        apart = set(old) ^ set(new)
        if not self._is_same_form(change) or apart & _TOLD_APART or set(old) <= set(new):
            return 2.0
        differ = [pair for pair in zip(old, new, strict=False) if pair[0] != pair[1]]
        is_one_word = len(old) == len(new) and len(differ) == 1
        if self._share_a_sense(" ".join(old), " ".join(new)) or (is_one_word and self._share_a_sense(*differ[0])):
            return 0.0
        is_shorter = set(new) < set(old) and "of" not in apart      # a "pair of binoculars" is not "a binoculars"
        return NAME_LIKENESS if is_fluent or is_shorter else 2.0

    def _share_a_sense(self, old: str, new: str) -> bool:
        return not set(self._senses(old)).isdisjoint(self._senses(new))

    def _senses(self, word: str) -> list[tuple[str, int]]:
        return [(part, sense) for part in PARTS for sense in self._wordnet.senses(self._base(word), part)[:COMMON]]

    def _base(self, noun: str) -> str:
        return noun if self._wordnet.senses(noun, "n") else singular(noun)

    def _is_same_form(self, change: Change) -> bool:
        """Tell whether both end in a plural or neither, and in a verb's -ing or neither."""
        forms = {(self._base(word) != word, word.endswith("ing")) for word in (change.old[-1], change.new[-1])}
        return len(forms) == 1


def _is_same_side(change: Change) -> bool:
    """"to the left of" and "on the left of" are the same."""
    return bool(_SIDES & set(change.after)) and {*change.old, *change.new} <= {"to", "on", "at"}


def _is_same_verb(change: Change) -> bool:
    """"showing a dog" and "that shows a dog" are the same; a "brick building" has no object behind it."""
    if len(change.old) != 1 or change.new[:1] != ("that",) or not change.old[0].endswith("ing"):
        return False
    return change.has_object and change.new[1:] in {(change.old[0][:-3] + end,) for end in ("", "s", "e", "es")}


def _change(caption: str, translated: str, ours: Sequence[Word], theirs: Sequence[Word], span: Span) -> Change:
    i1, i2, j1, j2 = span
    start, end = ours[i1][1], ours[i2 - 1][2]
    written = {word: caption[first:last] for word, first, last in ours if first}
    by = translated[theirs[j1][1]:theirs[j2 - 1][2]].lower()
    by = " ".join(written.get(word, word) for word in by.split())
    by = by[:1].upper() + by[1:] if caption[start].isupper() else by
    old, new, after = ([word for word, _, _ in part] for part in (ours[i1:i2], theirs[j1:j2], ours[i2:i2 + 2]))
    following = caption[end:].split(maxsplit=1)[:1]
    return Change(start, end, by, tuple(old), tuple(new), tuple(after), bool(_DETERMINERS & set(following)))


def _differing(ours: Sequence[str], theirs: Sequence[str]) -> list[Span]:
    """Return spans of words that differ; a word that moved over one other gives one span, not two."""
    spans: list[Span] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        if spans and i1 - spans[-1][1] <= 1 and (i1 == i2 or j1 == j2 or not all(_sides(spans[-1]))):
            spans[-1] = (spans[-1][0], i2, spans[-1][2], j2)
        else:
            spans.append((i1, i2, j1, j2))
    return [span for span in spans if all(_sides(span))]


def _sides(span: Span) -> tuple[int, int]:
    return span[1] - span[0], span[3] - span[2]


def _split(ours: Sequence[str], theirs: Sequence[str], span: Span) -> list[Span]:
    """Return word by word what is as long on both sides; else take words off both ends that neither side repeats."""
    i1, i2, j1, j2 = span
    shared = set(ours[i1:i2]) & set(theirs[j1:j2])
    front, back = [], []
    if theirs[j1] == "that" and i2 - i1 > 1 and j2 - j1 > 2 and ours[i1].endswith("ing"):
        front.append((i1, i1 + 1, j1, j1 + 2))      # "that includes" for "including"
        i1, j1 = i1 + 1, j1 + 2
    if not shared and i2 - i1 == j2 - j1:
        return front + [(i1 + k, i1 + k + 1, j1 + k, j1 + k + 1) for k in range(i2 - i1)]
    while shared and not shared & {ours[i1], theirs[j1]}:
        front.append((i1, i1 + 1, j1, j1 + 1))
        i1, j1 = i1 + 1, j1 + 1
    while shared and not shared & {ours[i2 - 1], theirs[j2 - 1]}:
        back.append((i2 - 1, i2, j2 - 1, j2))
        i2, j2 = i2 - 1, j2 - 1
    return [*front, (i1, i2, j1, j2), *reversed(back)]
