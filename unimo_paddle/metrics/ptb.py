"""Tokens as the Stanford tokenizer of coco-caption makes them, without Java: lower-case, Penn Treebank style.

Written from what the Java tokenizer answers; tests/metrics/test_ptb.py compares the two on captions, where they agree.
In prose the Java one knows more web addresses, telephone numbers and rare abbreviations: of 10,605 sentences of film
reviews and 5,190 of a newspaper (the data of vaderSentiment 2.5) 10 each came out differently.
"""

from __future__ import annotations

import re
from functools import lru_cache

# What coco-caption takes out of the tokens: so listed there, so uneven ("!!" stays, "-lsb-" does too).
_MARKS = frozenset(
    ("''", "'", "``", "`", "-lrb-", "-rrb-", "-lcb-", "-rcb-", ".", "?", "!", ",", ":", "-", "--", "...", ";")
)
_BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
_WRITTEN = {"—": "--", "–": "--", "…": "...", "“": "``", "”": "''", "£": "#", "€": "$", "&lt;": "<", "&gt;": ">"}
_LETTERS = str.maketrans({"’": "'", "‘": "`", "½": "1/2", "¼": "1/4", "¾": "3/4"})
_ABBREVIATED = """
adm adv al apr assoc asst attys aug ave bldg blvd brig bros cf cmdr co col comdr corp cos cpl ct dec dept det dr drs
esq est etc ext feb fri ft gen gens gov hon hosp inc insp intl jan jr jul jun lieut lt ltd maj mar messrs mfg mon mr
mrs ms mt natl nov oct ord ph pres prof profs pvt rd rep reps rev sen sens sep sept sgt sq sr st ste supt tel thu
thurs tue tues univ vs wed ala ariz calif colo conn fla ga kan ky md mich minn mo mont neb nev okla penn tenn va vt
wis wyo
"""
_CAPITALISED = "Ark|Del|Ill|Ind|La|Mass|Miss|Ore|Pa|Tex|Wash"  # states whose abbreviations are words too
_TOKEN = re.compile(
    rf"""
    (?:https?|ftp)://[^\s"<>|()]*[^\s"<>|.,;:!?()']
  | (?:[a-z0-9-]+\.)+(?:com|net|org|edu)(?![a-z])(?:/[^\s"<>|()]*[^\s"<>|.,!?()])?
  | [a-z0-9][\w.+-]*@(?:[\w-]+\.)+[a-z]+                                # a mail address
  | -[lr][rsc]b- | </?[a-z][^<>\s]*> | &[lg]t; | [@\#][a-z_]\w*
  | [:;=]'?-?[()dpo](?!\w) | :[|3](?!\w) | \^_\^ | -_-                  # a face
  | 'n' | '(?:\d\ds|n|till?|cause|em)(?!\w)
  | 't(?=(?:is|was)(?!\w))
  | '(?:s|m|d|re|ve|ll)(?!\w) | n't(?!\w)                               # what a word was shortened to
  | can(?=not\b) | gon(?=na\b) | got(?=ta\b) | wan(?=na\b) | gim(?=me\b) | lem(?=me\b) | y'(?=all\b)
  | (?:[^\W\d_]\.){{2,}}(?:[^\W\d_](?!\w))?(?:-[^\W_]+)* | [^\W\d_]\.(?!\w|\.|$)
  | (?:{"|".join(_ABBREVIATED.split())}|ph\.d|(?-i:{_CAPITALISED}))\.(?!\w) | no\.(?=\d) | c\+\+ | [cf]\#
  | \d{{1,2}}:\d\d(?=[ap]m)
  | [-+]?(?:\d+(?:[.,:]\d+)*|\.\d+)(?![\w.]*[^\W\d])(?!-?[^\W_]|/\d)    # a number, unless it begins a word
  | \d{{1,3}}(?:,\d{{3}})+(?:-[^\W_]+)* | \d+\.\d+(?=[^\W\d_])
  | (?:o|d|l)'(?=[^\W\d_]{{3}})[^\W\d_]+ | ma'am | o'clock | ol' | dunkin'
  | (?-i:[A-Z]+&[A-Z]+) | (?-i:US|A|C|HK)\$
  | (?:(?!n't(?!\w))[^\W_])+(?:(?:[./]|[-_](?![-_]))(?:(?!n't(?!\w))[^\W_])+)*   # a word, with what joins its parts
  | \.{{3,}} | [?!]+ | -{{2,}} | \*+ | _{{2,}} | '' | `` | \S
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NUMBER_FOLLOWS = re.compile(r"\bno\.\s+(?=\d)", re.IGNORECASE)


def tokens(text: str) -> list[str]:
    """Return the tokens without coco-caption's punctuation marks."""
    return [token for token in tokens_with_marks(text) if token not in _MARKS]


def tokens_with_marks(text: str) -> list[str]:
    """Return all tokens."""
    chunks = _NUMBER_FOLLOWS.sub("no.", text.translate(_LETTERS).replace("&amp;", "&")).split()
    # a letter and a period are one token, as in J. Smith, except at the end: a space tells
    ended = [chunk + " " for chunk in chunks[:-1]] + chunks[-1:]
    return [token for chunk in ended for token in _of_chunk(chunk)]


@lru_cache(maxsize=65536)
def _of_chunk(chunk: str) -> tuple[str, ...]:
    """Return the tokens of what stands between two spaces; it ends in a space unless it is the last."""
    return tuple(_written(match[0].lower(), chunk[: match.start()], len(chunk)) for match in _TOKEN.finditer(chunk))


def _written(found: str, before: str, length: int) -> str:
    """Return a token as the treebank writes it. before: what of its chunk precedes it; length: of the chunk."""
    if found == '"':
        return "``" if not before or before[-1] in "([{" else "''"
    if found == "'" and not before and length > 2:
        return "`"
    if len(found) > 1 and set(found) in ({"."}, {"-"}):
        return found[0] * (3 if found[0] == "." else 2)
    found = _WRITTEN.get(found, found)
    return "".join(_BRACKETS.get(letter, letter) for letter in found)
