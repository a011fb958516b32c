"""The losses of tasks written from their definitions (release, sections 6 and 7), plain Python numbers."""

import math


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def softmax(row):
    powers = [math.exp(x) for x in row]
    return [power / sum(powers) for power in powers]


def soft_answers(logits, targets):
    """Binary cross-entropy, summed over questions and answers."""
    total = 0.0
    for row, wanted in zip(logits, targets, strict=True):
        for x, t in zip(row, wanted, strict=True):
            total -= t * math.log(sigmoid(x)) + (1 - t) * math.log(1 - sigmoid(x))
    return total


def circle(scores, margin, scale):
    """Section 6, term by term, summed over captions."""
    total = 0.0
    for true, *wrong in scores:
        a_p = max(0.0, 1 + margin - true)
        half = len(wrong) // 2
        for some in (wrong[:half], wrong[half:]):
            above = sum(math.exp(scale * max(0.0, s + margin) * (s - margin)) for s in some)
            total += math.log(1 + above * math.exp(-scale * a_p * (true - (1 - margin)))) / 2
    return total


def divergence(p, q):
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def softmax_kl(clean, perturbed):
    """KL both ways, summed over rows."""
    pairs = [(softmax(a), softmax(b)) for a, b in zip(clean, perturbed, strict=True)]
    return sum(divergence(p, q) + divergence(q, p) for p, q in pairs)


def sigmoid_kl(clean, perturbed):
    """KL both ways of each answer's yes and no, summed over rows and answers."""
    total = 0.0
    for row, other in zip(clean, perturbed, strict=True):
        for a, b in zip(row, other, strict=True):
            p, q = [sigmoid(a), 1 - sigmoid(a)], [sigmoid(b), 1 - sigmoid(b)]
            total += divergence(p, q) + divergence(q, p)
    return total


def next_delta(delta, gradient, lr, max_norm, share, by_gradient):
    """Section 7 for one example; delta, gradient: flat lists. share turns the gradient into the release's."""
    norm = max(math.sqrt(sum(g * g for g in gradient)), 1e-8)
    moved = [d + lr * g / norm for d, g in zip(delta, gradient, strict=True)]
    length = norm * share if by_gradient else math.sqrt(sum(d * d for d in moved))
    return [d * max_norm / length for d in moved] if max_norm and length > max_norm else moved
