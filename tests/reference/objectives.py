"""The losses from their definitions: one label at a time, probabilities written out, float64."""

import math

import numpy as np


def softmax(row):
    powers = [math.exp(value - max(row)) for value in row]
    return [power / sum(powers) for power in powers]


def cross_entropy(logits, wanted):
    """Sum over rows of -sum(p log q); wanted: a distribution a row."""
    rows = zip(logits, wanted, strict=True)
    return sum(-p * math.log(q) for row, ps in rows for p, q in zip(ps, softmax(row), strict=True))


def smoothed(targets, classes, smoothing):
    """(1 - e) * onehot + e / V, a row a target (release, section 6)."""
    return [[(1 - smoothing) * (c == t) + smoothing / classes for c in range(classes)] for t in targets]


def regression(predicted, features):
    """Sum over rows of the squared error, averaged over each row's numbers."""
    rows = zip(predicted, features, strict=True)
    return sum(sum((p - f) ** 2 for p, f in zip(ps, fs, strict=True)) / len(fs) for ps, fs in rows)


def cmcl(scores, is_positive, is_real, temperature):
    """(sum, count) over the pairs that have a positive."""
    losses = []
    for row, positive, real in zip(np.asarray(scores, float), is_positive, is_real, strict=True):
        of = [(math.exp(s / temperature), p) for s, p, r in zip(row, positive, real, strict=True) if r]
        above = sum(power for power, p in of if p)
        if above:
            losses.append(-math.log(above / sum(power for power, _ in of)))
    return sum(losses), len(losses)


def contrast(positives, negatives, temperature):
    """Paper section 2 for one pair, all positives in one logarithm; both are lists of scores, without fillers."""
    of_positives = [math.exp(score / temperature) for score in positives]
    return -math.log(sum(of_positives) / (sum(of_positives) + sum(math.exp(d / temperature) for d in negatives)))
