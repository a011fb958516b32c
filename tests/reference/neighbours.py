"""Nearest neighbours from their definitions, without indices: slow, and easy to believe."""

import math

import numpy as np


def top_k(queries, vectors, k, excluded=None):
    """The k greatest positive dot products as (place, score), equal ones by place. queries, vectors: scipy CSR rows."""
    products = (queries @ vectors.T).tocsr()
    answer = []
    for row in range(queries.shape[0]):
        one = products[row].tocoo()
        wrong = excluded[row] if excluded else ()
        pairs = [(int(c), float(s)) for c, s in zip(one.col, one.data, strict=True) if s > 0 and int(c) not in wrong]
        answer.append(sorted(pairs, key=lambda pair: (-pair[1], pair[0]))[:k])
    return answer


def dense_top_k(queries, vectors, k):
    """The k greatest inner products as (row, score), equal ones by row."""
    products = queries.astype(np.float64) @ vectors.astype(np.float64).T
    return [[(int(c), float(row[c])) for c in np.lexsort((np.arange(len(row)), -row))[:k]] for row in products]


def histogram(class_probs, least=0.05):
    """Class -> its greatest probability over the regions; no background, nothing below `least`."""
    best = {c: max(float(row[c]) for row in class_probs) for c in range(1, class_probs.shape[1])}
    return {c: p for c, p in best.items() if p >= least}


def images(collection, query, k):
    """The k images most like a histogram. collection: id -> histogram. Cosine, weights ln(1 + n / (1 + shown))."""
    shown = {}
    for seen in collection.values():
        for c, p in seen.items():
            shown[c] = shown.get(c, 0.0) + p
    weight = {c: math.log(1 + len(collection) / (1 + count)) for c, count in shown.items()}
    lone = math.log(1 + len(collection))  # of a class that no image of the collection shows

    def scaled(seen):
        raw = {c: p * weight.get(c, lone) for c, p in seen.items()}
        length = math.sqrt(sum(value**2 for value in raw.values())) or 1.0
        return {c: value / length for c, value in raw.items()}

    mine = scaled(query)
    scores = [(i, sum(v * scaled(seen).get(c, 0.0) for c, v in mine.items())) for i, seen in collection.items()]
    return sorted((each for each in scores if each[1] > 0), key=lambda each: -each[1])[:k]
