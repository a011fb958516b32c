"""How well hidden words and regions of held-out pairs are restored. The same ones are hidden in each probe.

C: region classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import paddle

from unimo_paddle.data import masking
from unimo_paddle.data.batch import language_labels, pad, visual_labels
from unimo_paddle.data.encode import Floats, Ints
from unimo_paddle.data.patterns import bidirectional
from unimo_paddle.model.inputs import to_tensors
from unimo_paddle.model.unimo import UnimoForPretraining
from unimo_paddle.probes.held_out import HeldOut

SEED = 20210527  # any number but a run's own: what is hidden must not change from probe to probe, nor from run to run


@dataclass(frozen=True)
class HiddenClasses:
    """Of one image: rows, int64 [K], regions hidden ([IMG] is 0); predicted, detected: int64 [K], the class that the
    model, and that the detector, finds most probable, background never."""

    rows: Ints
    predicted: Ints
    detected: Ints


def masked_word_accuracy(model: UnimoForPretraining, pairs: HeldOut, mask_id: int, batch: int) -> float:
    """Return the share of hidden tokens (paper's spans, 15 %) that the model puts first; it reads the image too."""
    right, asked = 0, 0
    for some in _chunks(len(pairs.texts), batch):
        images = [pairs.images[i] for i in some]
        hidden = [masking.mask_spans(pairs.texts[i], _rng(i), mask_id) for i in some]
        patterns = [bidirectional(len(a.features), len(b.text.ids)) for a, b in zip(images, hidden, strict=True)]
        sequences = pad(images, [one.text for one in hidden], patterns)
        labels = language_labels(hidden, sequences.token_ids.shape[1])
        logits = model.language_logits(model(to_tensors(sequences)), paddle.to_tensor(labels.rows))
        right += int((logits.argmax(axis=1).numpy() == labels.targets).sum())
        asked += len(labels.targets)
    return right / max(asked, 1)


def masked_regions(model: UnimoForPretraining, pairs: HeldOut, batch: int) -> list[HiddenClasses]:
    """Return, for each image, what the model makes of its hidden regions with its caption to read (paper section 3)."""
    found: list[HiddenClasses] = []
    for some in _chunks(len(pairs.images), batch):
        images, texts = [pairs.images[i] for i in some], [pairs.texts[i] for i in some]
        hidden = [masking.mask_regions(pairs.images[i], _rng(i)) for i in some]
        patterns = [bidirectional(len(a.features), len(b.ids)) for a, b in zip(images, texts, strict=True)]
        sequences = pad([one.image for one in hidden], texts, patterns)
        labels = visual_labels(hidden, images, sequences.features.shape[1])
        _, logits = model.region_outputs(model(to_tensors(sequences)), paddle.to_tensor(labels.rows))
        predicted, detected = _best(logits.astype("float32").numpy()), _best(labels.class_probs)
        ends = np.cumsum([len(one.masked) for one in hidden])[:-1]
        parts = zip(hidden, np.split(predicted, ends), np.split(detected, ends), strict=True)
        found += [HiddenClasses(one.masked, told, seen) for one, told, seen in parts]
    return found


def region_accuracy(found: list[HiddenClasses]) -> float:
    """Return the share of hidden regions whose class the model and the detector agree on."""
    return float(np.concatenate([one.predicted == one.detected for one in found]).mean())


def _best(scores: Floats) -> Ints:
    """Return int64 [K], the best class of scores [K, C] beside 0, the background."""
    return 1 + scores[:, 1:].argmax(axis=1)


def _rng(pair: int) -> np.random.Generator:
    return np.random.default_rng((SEED, pair))


def _chunks(items: int, size: int) -> Iterator[range]:
    for start in range(0, items, size):
        yield range(start, min(start + size, items))
