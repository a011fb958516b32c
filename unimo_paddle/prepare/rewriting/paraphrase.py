"""A caption's positives at the sentence level: what came back from other languages, if it surely says the same."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from unimo_paddle.corpus import Paraphrases
from unimo_paddle.prepare.rewriting.back_translation import Translator
from unimo_paddle.prepare.rewriting.english import normalise, words
from unimo_paddle.prepare.rewriting.human_translation import HumanTranslations, Phrase, Place, noun_phrase
from unimo_paddle.prepare.rewriting.mending import Change, SameMeaning, apply_changes, find_changes
from unimo_paddle.prepare.rewriting.wordnet import WordNet
from unimo_paddle.prepare.sentence_encoder import SentenceEncoder

KEEP, THRESHOLD = 3, 0.7
SPARE = 2       # candidates encoded beyond those wanted, as some are below the threshold
_BARE_SIDE = re.compile(r"(?<!the )(?<!what is )(?<!what was )\b(left|right) of\b", re.IGNORECASE)
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_CANONICAL = {
    "beneath": "below", "under": "below", "underneath": "below", "over": "above", "nobody": "no", "none": "no",
    "not": "no", "never": "no", "nothing": "no", "without": "no", "neither": "no", "nor": "no",
    **{str(number): word for number, word in enumerate(_NUMBERS)},
}
_TELLING = {*_NUMBERS, "above", "below", "left", "right", "behind", "front", "between", "inside", "outside", "no",
            "first", "second", "third", "all", "both", "every"} - {"one"}    # "one" is an article as often as a number
_ARTICLES = frozenset({"a", "an", "the"})


@dataclass(frozen=True)
class Candidate:
    """A text that may say the same as a caption."""

    text: str
    origin: str


class Paraphraser:
    """Makes up to `keep` distinct paraphrases of a caption, each with a cosine of at least `threshold` to it."""

    def __init__(self, translators: Sequence[Translator], encoder: SentenceEncoder, wordnet: WordNet,
                 human: HumanTranslations | None = None, keep: int = KEEP, threshold: float = THRESHOLD) -> None:
        self._translators, self._encoder, self._human = translators, encoder, human
        self._same = SameMeaning(encoder, wordnet)
        self._keep, self._threshold = keep, threshold

    def paraphrases(self, captions: Sequence[str]) -> list[Paraphrases]:
        """Return each caption's paraphrases, the most alike first; the same list of captions gives the same answer."""
        distinct = list(dict.fromkeys(captions))
        found: dict[str, list[Candidate]] = {caption: [] for caption in distinct}
        for source in (self._translated(distinct), self._human_made(distinct)):
            for caption, candidate in source:
                found[caption].append(candidate)
        best = self._best({caption: arrange(caption, sift(caption, candidates), self._keep + SPARE)
                           for caption, candidates in found.items()})
        return [best[caption] for caption in captions]

    def _translated(self, captions: Sequence[str]) -> Iterator[tuple[str, Candidate]]:
        plain = [plainer(caption) for caption in captions]
        for translator in self._translators:
            texts = translator(plain)
            if translator.is_fluent:
                yield from ((caption, Candidate(styled(text, caption), translator.name))
                            for caption, text in zip(captions, texts, strict=True) if text)
            else:
                yield from self._mended(captions, plain, texts, translator.name)

    def _mended(self, captions: Sequence[str], plain: Sequence[str], texts: Sequence[str | None],
                origin: str) -> Iterator[tuple[str, Candidate]]:
        """Yield the caption with all that a pivot changed well, then with each change alone."""
        changes = [find_changes(ours, text) if text else [] for ours, text in zip(plain, texts, strict=True)]
        verdicts = iter(self._same.keep([change for row in changes for change in row]))
        for caption, ours, text, row in zip(captions, plain, texts, changes, strict=True):
            good = [change for change in row if next(verdicts)]
            sets = [good, *([change] for change in good)] if text else []
            yield from ((caption, Candidate(apply_changes(ours, each), origin)) for each in sets)

    def _human_made(self, captions: Sequence[str]) -> Iterator[tuple[str, Candidate]]:
        if self._human is None:
            return
        places = [self._human.find(caption) for caption in captions]
        english = self._human.english([phrase for row in places for _, _, phrase in row])
        for caption, row in zip(captions, places, strict=True):
            for start, end, phrase in row:
                if (start, end) == bounds(caption):
                    yield from self._whole(caption, english.get(phrase, {}))
        yield from self._renamed(captions, places, english)

    def _whole(self, caption: str, english: Mapping[str, str]) -> Iterator[tuple[str, Candidate]]:
        """Yield people's translations of a caption as a whole; what a rule-based translator brought home is mended."""
        assert self._human
        for language, text in english.items():
            if self._human.is_fluent(language):
                yield caption, Candidate(styled(text, caption), f"human:{language}")
            else:
                yield from self._mended([caption], [caption], [text], f"human:{language}")

    def _renamed(self, captions: Sequence[str], places: Sequence[Sequence[Place]],
                 english: Mapping[Phrase, Mapping[str, str]]) -> Iterator[tuple[str, Candidate]]:
        """Yield captions whose things are called as people call them in another language, or another English."""
        assert self._human
        asked = [(caption, language, rename(caption, place, text))
                 for caption, row in zip(captions, places, strict=True) for place in row
                 for language, text in english.get(place[2], {}).items()]
        named = [each for each in asked if each[2].new and (each[2].start, each[2].end) != bounds(each[0])]
        good: dict[tuple[str, str], list[Change]] = {}
        verdicts = self._same.keep_names([(change, self._human.is_fluent(language)) for _, language, change in named])
        for (caption, language, change), fits in zip(named, verdicts, strict=True):
            if fits:
                good.setdefault((caption, language), []).append(change)
        for (caption, language), changes in good.items():
            yield caption, Candidate(apply_changes(caption, changes), f"human:{language}")

    def _best(self, found: Mapping[str, Sequence[Candidate]]) -> dict[str, Paraphrases]:
        """Return of each caption's candidates the first `keep` that are near enough, the nearest first."""
        texts = [text for caption, row in found.items() for text in (caption, *(each.text for each in row))]
        vectors = iter(self._encoder.encode(texts))
        best = {}
        for caption, row in found.items():
            own = next(vectors)
            scored = [(round(float(own @ next(vectors)), 4), each) for each in row]
            near = [each for each in scored if each[0] >= self._threshold][:self._keep]
            near.sort(key=lambda each: -each[0])
            best[caption] = Paraphrases(tuple(each.text for _, each in near), tuple(each.origin for _, each in near),
                                        tuple(score for score, _ in near))
        return best



def arrange(caption: str, candidates: Sequence[Candidate], count: int) -> list[Candidate]:
    """Return `count` candidates: first the one that differs most from the caption, then from those before it too."""
    chosen: list[Candidate] = []
    left = [(each, difference(each.text, caption)) for each in candidates]
    while left and len(chosen) < count:
        best = max(range(len(left)), key=lambda index: left[index][1])
        chosen.append(left.pop(best)[0])
        left = [(each, min(apart, difference(each.text, chosen[-1].text))) for each, apart in left]
    return chosen


def sift(caption: str, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates that say what the caption tells, each text once, none that differs only by articles."""
    seen, kept = {bare(caption)}, []
    facts = telling(caption)
    for candidate in candidates:
        if bare(candidate.text) not in seen and telling(candidate.text) == facts:
            seen.add(bare(candidate.text))
            kept.append(candidate)
    return kept


def telling(text: str) -> Counter[str]:
    """Count the words of place, number and negation, for a translation that loses or turns one says something else."""
    canonical = [_CANONICAL.get(word, word) for word, _, _ in words(text.replace("n't", " not"))]
    return Counter(word for word in canonical if word in _TELLING)


def bare(text: str) -> str:
    """Return a text's words in small letters without articles."""
    return " ".join(word for word in normalise(text).split() if word not in _ARTICLES)


def difference(first: str, second: str) -> int:
    """Count the words that one of two texts has and the other lacks."""
    ours, theirs = Counter(bare(first).split()), Counter(bare(second).split())
    return sum(((ours - theirs) + (theirs - ours)).values())


def plainer(caption: str) -> str:
    """Write "left of" as "to the left of": translators take the bare word for a verb, and "right" for "correct"."""
    return _BARE_SIDE.sub(lambda found: f"{'To' if found[1].istitle() else 'to'} the {found[1].lower()} of", caption)


def styled(text: str, caption: str) -> str:
    """Give a text the caption's way of beginning (capital or not) and ending (stop or not), and single spaces."""
    text = " ".join(text.split())
    stop = caption.rstrip()[-1:]
    text = text.rstrip(" .!?") + (stop if stop in (".", "!", "?") else "")
    first = text[:1].upper() if caption[:1].isupper() else text[:1].lower()
    return first + text[1:] if not text[1:2].isupper() else text


def bounds(caption: str) -> tuple[int, int]:
    """Return the first and the one-past-last character of a caption's words, leading articles left out."""
    tokens = words(caption)
    while tokens and tokens[0][0] in _ARTICLES:
        del tokens[0]
    return (tokens[0][1], tokens[-1][2]) if tokens else (0, 0)


def rename(caption: str, place: Place, text: str) -> Change:
    """Return the change of a phrase in a caption to a translation of it; `new` is empty where that is no phrase."""
    start, end, phrase = place
    by = noun_phrase(text)
    if not by[1:2].isupper() and by.split(" ")[0] not in caption:
        by = by[:1].lower() + by[1:]       # it began a sentence
    return Change(start, end, by, phrase, tuple(word for word, _, _ in words(by)))
