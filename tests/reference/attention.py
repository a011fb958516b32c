"""Attention from its definition: one reader, one head and one read position at a time, in float64."""

import numpy as np


def mask(reach, is_pad, group=None):
    """bool [B, S, S]: who reads whom."""
    batch, size = reach.shape
    reads = np.zeros((batch, size, size), bool)
    for b in range(batch):
        for i in range(size):
            for j in range(size):
                together = group is None or group[b, i] == group[b, j]
                reads[b, i, j] = reach[b, i] >= reach[b, j] and together and not is_pad[b, j]
    return reads


def attend(query, key, value, reads, heads):
    """float [S, H]: what each position gathers; what it may not read is left out, not made small."""
    size, width = query.shape
    depth = width // heads
    mixed = np.zeros((size, width))
    for head in range(heads):
        part = slice(head * depth, (head + 1) * depth)
        for i in range(size):
            scores = {j: query[i, part] @ key[j, part] / np.sqrt(depth) for j in range(size) if reads[i, j]}
            top = max(scores.values())
            total = sum(np.exp(score - top) for score in scores.values())
            for j, score in scores.items():
                mixed[i, part] += np.exp(score - top) / total * value[j, part]
    return mixed
