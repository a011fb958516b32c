"""The settings of tools/prepare.py rewrite and retrieve: what the contrast is prepared from (paper section 2)."""
# ruff: noqa: RUF009 - setting() and section() are dataclasses.field() with a text; nothing is shared between runs

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from unimo_paddle.config.setting import Faults, section, setting


@dataclass(frozen=True)
class PositiveSettings:
    """Sentences that say the same as a caption."""

    count: int = setting(3, "positives of a pair at most (paper: 3)", at_least=1)
    translators: tuple[str, ...] = setting(
        ("apertium:spa", "apertium:cat", "apertium:gl"),
        "ways there and back: apertium:PIVOT, or neural:DIR with the folders forth and back of CTranslate2 models")
    similarity: float = setting(0.7, "least cosine of a paraphrase with its caption", at_least=0, at_most=1)
    captions: bool = setting(True, "the image's other captions fill up what back-translation leaves open")


@dataclass(frozen=True)
class NegativeSettings:
    """How many hard negatives of each level a pair gets; what one level lacks, the others fill up."""

    sentence: int = setting(40, "similar captions of other images", at_least=0)
    phrase: int = setting(30, "captions with another phrase", at_least=0)
    word: int = setting(30, "captions with another word", at_least=0)

    @property
    def total(self) -> int:
        """Return the negatives of a pair (paper: 100)."""
        return self.sentence + self.phrase + self.word

    def faults(self) -> Faults:
        return [] if self.total else [("sentence", "and phrase and word are 0: ask for at least one negative")]


@dataclass(frozen=True)
class SearchSettings:
    """When exact search ends and an approximate index begins."""

    exact_up_to: int = setting(20_000_000, "captions or images that are compared exactly, by their words or objects",
                               at_least=1)
    sentences_up_to: int = setting(200_000, "sentences that are compared exactly, by their meaning", at_least=1)
    recall: float = setting(0.95, "share of the true ten nearest that an approximate index must find", above=0, below=1)


@dataclass(frozen=True)
class RetrievalSettings:
    """Single-modal images and sentences near a pair (paper section 2.2)."""

    images: int = setting(100, "images kept of a pair (paper: 100)", at_least=1)
    texts: int = setting(100, "sentences kept of a pair (paper: 100)", at_least=1)
    least_words: int = setting(4, "words of a sentence at least", at_least=1)
    most_words: int = setting(40, "words of a sentence at most", at_least=1)

    def faults(self) -> Faults:
        if self.least_words > self.most_words:
            return [("least_words", f"is {self.least_words}, more than most_words, {self.most_words}; lower it")]
        return []


@dataclass(frozen=True)
class CorpusPlan:
    """What is prepared for the contrast."""

    kind: str = setting("corpus", "what is described", choices=("corpus",))
    seed: int = setting(1, "the same seed gives the same bytes", at_least=0)
    encoder: Path | None = setting(None, "folder of a sentence encoder; left out: the MiniLM package")
    positives: PositiveSettings = section(PositiveSettings)
    negatives: NegativeSettings = section(NegativeSettings)
    search: SearchSettings = section(SearchSettings)
    retrieval: RetrievalSettings = section(RetrievalSettings)
