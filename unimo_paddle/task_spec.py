"""What a task is: a declaration of what it reads, how it answers, and how it is judged. Names and numbers only.

The heads and losses are the release's (section 6); the names of metrics are those of metrics/table.py, the names of
formats those of prepare/tasks/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Classify:
    """One class of several. pooled: what the head reads: the text's vector, or its sum or product with the image's.

    inner: width of a linear layer before the last one, without an activation between (release: SNLI-VE); None: none.
    """

    pooled: str = "text"
    inner: int | None = None


@dataclass(frozen=True)
class Regress:
    """One number, by squared error."""

    pooled: str = "text"


@dataclass(frozen=True)
class Answer:
    """Any number of answers of a vocabulary, by binary cross-entropy against soft scores (VQA)."""

    pooled: str = "product"
    inner: int | None = None


@dataclass(frozen=True)
class Match:
    """Which image and text belong together, by circle loss over sampled negatives."""


@dataclass(frozen=True)
class Generate:
    """A text. end: the token that ends it, mask for sequence to sequence, sep for captions (release, section 5).

    dialogue: role and turn embeddings of the source's turns (release, section 5.2).  closed: only the data's answers
    may be said: generation is held to the tree of their tokens.
    """

    end: str = "mask"
    dialogue: bool = False
    closed: bool = False


Head = Classify | Regress | Answer | Match | Generate


@dataclass(frozen=True)
class Decoding:
    """How a text is generated.

    method: greedy, beam, diverse (beam, in groups) or nucleus.  beams: hypotheses of a source.  length_penalty: the
    exponent of ((5 + length) / 6); normalise: release divides at every step, gnmt in the end, length in the end by
    length ** length_penalty, as transformers does.  most: tokens of an answer, its end counted; least: tokens before
    the end may come.  block_trigrams: no word trigram twice.  groups, diversity: of diverse beam search.
    top_p, temperature: of nucleus sampling.
    """

    method: str = "beam"
    beams: int = 5
    length_penalty: float = 0.6
    normalise: str = "release"
    most: int = 50
    least: int = 0
    block_trigrams: bool = False
    groups: int = 1
    diversity: float = 0.5
    top_p: float = 0.9
    temperature: float = 1.0


@dataclass(frozen=True)
class Published:
    """A score of the paper. size: base or large; split: of the task's data; metric: one of the task's."""

    size: str
    split: str
    metric: str
    score: float


@dataclass(frozen=True)
class Task:
    """One task.

    title: a line for people.  reads: fields of a Record that are its input (records.py).  metrics: what is reported;
    best_by: which of them picks the best checkpoint on dev.  formats: layout of the downloads (public, release)
    -> reader of prepare/tasks/.  labels: names of the released archives' integer classes, in order.
    evaluated: splits that are judged, the first one picks the best.  published: scores of the paper.
    """

    name: str
    title: str
    reads: tuple[str, ...]
    head: Head
    metrics: tuple[str, ...]
    best_by: str
    formats: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    evaluated: tuple[str, ...] = ("dev", "test")
    decoding: Decoding | None = None
    published: tuple[Published, ...] = ()

    @property
    def needs_regions(self) -> bool:
        return "image" in self.reads


def scores(size: str, split: str, **by_metric: float) -> tuple[Published, ...]:
    """Return one Published for each metric; in names with capitals `_` stands for `-`, e.g. ROUGE_L."""
    names = {name: name.replace("_", "-") if name[0].isupper() else name for name in by_metric}
    return tuple(Published(size, split, names[name], score) for name, score in by_metric.items())
