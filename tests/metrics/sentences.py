"""Random sentences for metrics: few words, so that n-grams repeat."""

from functools import cache
from pathlib import Path

from unimo_paddle.metrics.scored import Truth

_SAID = "a the dog cat man's red car is n't running on grass . , and two-wheeled 3.5"
WORDS = _SAID.split()


def sentence(rng, longest=12, shortest=1):
    return " ".join(rng.choice(WORDS, size=rng.integers(shortest, longest + 1)))


def pairs(rng, count, most=5):
    """Predictions, some of them changed references, and truths with one to `most` references."""
    predictions, truths = [], []
    for number in range(count):
        references = tuple(sentence(rng, shortest=4) for _ in range(rng.integers(1, most + 1)))
        words = references[0].split()
        words[rng.integers(len(words))] = str(rng.choice(WORDS))
        predictions.append(" ".join(words) if rng.random() < 0.7 else sentence(rng))
        truths.append(Truth(str(number), references=references))
    return predictions, truths


@cache
def coco_folder():
    """Where pycocoevalcap lies."""
    import pycocoevalcap

    return Path(next(iter(pycocoevalcap.__path__)))
