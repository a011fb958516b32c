"""From documents to sentences: the collection in which text retrieval looks for what a caption means (paper 2.2)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator

from unimo_paddle.corpus import Text
from unimo_paddle.prepare.rewriting.english import normalise

LEAST_WORDS, MOST_WORDS = 4, 40
ALIKE = 0.8  # share of common words from which a sentence says the same as a caption

_PARAGRAPH = re.compile(r"\n\s*\n")
_END = re.compile(r"[.!?…]+[\"'”’»)\]]*\s+(?=[\"'“‘«(\[]*[^\W_a-z])")
_LAST_WORD = re.compile(r"[^\s\"'“‘«(\[]+$")
_INITIALS = re.compile(r"(?:[^\W\d_]\.)+")
_BEFORE_A_NAME = frozenset({
    "mr", "mrs", "ms", "messrs", "dr", "prof", "st", "rev", "hon", "gen", "col", "maj", "capt", "cmdr", "lt", "sgt",
    "sen", "rep", "gov", "pres", "mt", "ft", "vs", "dept", "univ", "ed", "eds", "cf", "bros", "approx",
})  # fmt: skip
_BEFORE_A_NUMBER = frozenset({
    "no", "nos", "fig", "figs", "vol", "vols", "p", "pp", "ch", "sec", "ca", "art", "para",
    "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec",
})  # fmt: skip


def sentences(
    documents: Iterable[Text], least_words: int = LEAST_WORDS, most_words: int = MOST_WORDS
) -> Iterator[Text]:
    """Yield the sentences of documents as Text(id="DOCUMENT#k"), k counted over all sentences of the document.

    Those with fewer or more words than wanted are left out, and all but the first of those that are equal after
    normalisation. Memory: about 70 bytes a sentence kept.
    """
    seen: set[int] = set()
    for document in documents:
        for number, sentence in enumerate(split(document.text)):
            words = normalise(sentence)
            if least_words <= len(words.split()) <= most_words and _is_new(words, seen):
                yield Text(f"{document.id}#{number}", sentence)


def split(text: str) -> list[str]:
    """Cut a text into sentences, white space made single: at . ! ? and … where no small letter follows.

    Not after an abbreviation or an initial ("Mr. Smith", "No. 5", "J. Bach", "the U.S. Army"), nor within a number.
    An empty line always ends a sentence.
    """
    return [sentence for paragraph in _PARAGRAPH.split(text) for sentence in _split(" ".join(paragraph.split()))]


def is_same(caption: str, sentence: str) -> bool:
    """Tell whether two normalised texts say nearly the same: most words (Jaccard 0.8) are in both."""
    ours, theirs = set(caption.split()), set(sentence.split())
    return caption == sentence or len(ours & theirs) >= ALIKE * len(ours | theirs)


def _split(paragraph: str) -> Iterator[str]:
    start = 0
    for end in _END.finditer(paragraph):
        if not _is_abbreviation(paragraph[start : end.start() + 1], paragraph[end.end()]):
            yield paragraph[start : end.end()].rstrip()
            start = end.end()
    if start < len(paragraph):
        yield paragraph[start:]


def _is_abbreviation(sentence: str, follows: str) -> bool:
    """Tell whether the full stop at the end belongs to the last word; follows: the next character but white space."""
    last = _LAST_WORD.search(sentence)
    word = last.group() if last else ""
    known = _BEFORE_A_NUMBER | _BEFORE_A_NAME if follows.isdigit() else _BEFORE_A_NAME
    return word[-1:] == "." and (word[:-1].lower() in known or bool(_INITIALS.fullmatch(word)))


def _is_new(words: str, seen: set[int]) -> bool:
    """Remember a text by 8 bytes of its hash: 54 million texts would not fit into memory."""
    number = int.from_bytes(hashlib.blake2b(words.encode(), digest_size=8).digest())
    if number in seen:
        return False
    seen.add(number)
    return True
