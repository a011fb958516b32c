"""UNIMO's encoder from its definition: one unpadded example at a time, numpy, float64 (release, section 2)."""

import math

import numpy as np

from tests.reference.attention import attend, mask


def linear(weights, name, x):
    return x @ weights[f"{name}.weight"] + weights[f"{name}.bias"]


def layer_norm(weights, name, x):
    centred = x - x.mean(axis=-1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
    return centred / deviation * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def gelu(x):
    return np.vectorize(lambda one: one * 0.5 * (1 + math.erf(one / math.sqrt(2))))(x)


def encode(weights, layers, heads, image, text, pattern):
    """float [R+T, H].  image: an ImageRow or None; text: a TextRow or None; weights: name -> array."""
    rows = []
    if image is not None:
        x = linear(weights, "image_projection", image.features)
        rows.append(layer_norm(weights, "image_norm", x + linear(weights, "location_projection", image.locations)))
    if text is not None:
        x = weights["word_embedding.weight"][text.ids] + weights["position_embedding.weight"][text.positions]
        rows.append(layer_norm(weights, "text_norm", x))
    x = np.concatenate(rows)
    reads = mask(pattern.reach[None], np.zeros((1, len(x)), bool), pattern.group[None])[0]
    for i in range(layers):
        at = f"layers.{i}"
        query, key, value = (linear(weights, f"{at}.{name}", x) for name in ("query", "key", "value"))
        attended = linear(weights, f"{at}.output", attend(query, key, value, reads, heads))
        x = layer_norm(weights, f"{at}.attention_norm", x + attended)
        inner = linear(weights, f"{at}.ffn_out", gelu(linear(weights, f"{at}.ffn_in", x)))
        x = layer_norm(weights, f"{at}.ffn_norm", x + inner)
    return x
