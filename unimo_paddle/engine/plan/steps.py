"""The steps that a run will make, as parts of the right shapes without data: zeros that take no memory, with as many
labels in one example as in another."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.config import PretrainRun
from unimo_paddle.data.batch import (
    LEAST_CHUNK,
    MOST_CHUNKS,
    Candidates,
    Chunks,
    ContrastPart,
    LanguageLabels,
    LanguagePart,
    Part,
    Sequences,
    VisualLabels,
    VisualPart,
)
from unimo_paddle.data.masking import LONGEST_FRAGMENT, SHORTEST_FRAGMENT
from unimo_paddle.model.model_folder import ModelSizes

KINDS = ("text", "image", "pair")
ASSUMED_REGIONS, ASSUMED_TOKENS = 40, 15  # of an image and a caption, while no data tells
HIDDEN_REGIONS = 0.3  # share of regions that are hidden: anchors, and what overlaps them


@dataclass(frozen=True)
class DataSizes:
    """What is known of the data, None where it is not there yet.

    pairs, images, tokens: how many there are; regions, caption: rows of an image on average ([IMG] not counted), and
    tokens of a caption ([CLS] and [SEP] counted).
    """

    pairs: int | None = None
    images: int | None = None
    tokens: int | None = None
    regions: float | None = None
    caption: float | None = None


@dataclass(frozen=True)
class Lengths:
    """Rows of each example as it is padded. regions: [IMG] not counted; found_..: of what is retrieved, on average."""

    regions: int
    tokens: int
    found_regions: int
    found_tokens: int


def step_weights(run: PretrainRun) -> dict[str, float]:
    """Return the share of the steps of each kind that there is data for; they add up to 1."""
    wanted = {
        "text": run.texts.weight * (run.texts.tokens is not None),
        "image": run.images.weight * (run.images.regions is not None),
        "pair": run.data.weight,
    }
    total = sum(wanted.values())
    return {kind: weight / total for kind, weight in wanted.items() if weight}


def longest(run: PretrainRun, kind: str) -> Lengths:
    """Return the lengths of a batch whose texts and images are all as long as the settings allow."""
    tokens = run.texts.max_tokens if kind == "text" else run.data.max_tokens
    return Lengths(run.data.max_regions, tokens, run.data.max_regions, run.data.max_tokens)


def expected(run: PretrainRun, kind: str, known: DataSizes) -> Lengths:
    """Return the lengths of a usual batch. Texts alone are packed: always full."""
    most = longest(run, kind)
    regions = min(most.regions, math.ceil(known.regions or ASSUMED_REGIONS))
    tokens = most.tokens if kind == "text" else min(most.tokens, math.ceil(known.caption or ASSUMED_TOKENS))
    return Lengths(regions, tokens, regions, min(tokens, most.found_tokens))


def usual_range(run: PretrainRun, kind: str, known: DataSizes) -> list[Lengths]:
    """Return lengths between half the expected and the longest: short pairs make batches of many pairs, which bring
    many retrieved images and texts of usual length, so that the longest pairs need not take the most memory."""
    most, some = longest(run, kind), expected(run, kind, known)
    found = []
    for tenth in range(11):
        ends = (some.regions, most.regions), (some.tokens, most.tokens)
        regions, tokens = (round(usual / 2 + (end - usual / 2) * tenth / 10) for usual, end in ends)
        found.append(Lengths(max(regions, 1), max(tokens, 3), some.found_regions, some.found_tokens))
    return found if kind == "pair" else [most]


def rows_of(run: PretrainRun, kind: str) -> int:
    """Return the budget of rows of a step of this kind."""
    return {"text": run.texts.rows, "image": run.images.rows, "pair": run.data.rows}[kind]


def own_rows(kind: str, lengths: Lengths) -> int:
    """Return the rows by which an example counts against the budget."""
    return lengths.tokens * (kind != "image") + (lengths.regions + 1) * (kind != "text")


def examples_of(run: PretrainRun, kind: str, lengths: Lengths) -> int:
    """Return how many examples a step has over all GPUs: as many as the budget allows, a multiple of data.multiple;
    one multiple at least, so that the plan can say what that would take."""
    multiple = run.data.multiple
    return max(rows_of(run, kind) // own_rows(kind, lengths) // multiple, 1) * multiple


def objectives_of(run: PretrainRun) -> list[str]:
    """Return the ways of hiding words that have a weight; a step takes one of them."""
    wanted = {"bidirectional": run.objectives.masked_language, "seq2seq": run.objectives.seq2seq}
    return [name for name, weight in wanted.items() if weight]


def parts_of(
    run: PretrainRun, sizes: ModelSizes, kind: str, examples: int, lengths: Lengths, objective: str
) -> list[Part]:
    """Return the parts of a micro-batch of so many examples, as data/examples.py and the other streams make them."""
    made: list[Part] = []
    if kind != "image" and objective:
        made.append(_language(run, sizes, kind, examples, lengths, objective))
    if kind != "text" and run.objectives.region_regression + run.objectives.region_classification > 0:
        made.append(_visual(sizes, kind, examples, lengths))
    if kind == "pair" and run.objectives.contrastive + run.objectives.in_batch > 0:
        made.append(_contrast(run, sizes, examples, lengths))
    return made


def encodings(run: PretrainRun) -> dict[str, int]:
    """Return how often a pair is encoded in a step, by what for; an objective without weight costs nothing."""
    wanted, data = run.objectives, run.data
    contrast, retrieved = wanted.contrastive > 0, data.retrieved_images + data.retrieved_texts > 0
    group = f"the contrast: the caption, {data.positives} rewritten positives, {data.negatives} negatives"
    apart = " and ".join(
        ["what is retrieved"] * (contrast and retrieved) + ["the batch's other pairs"] * (wanted.in_batch > 0)
    )
    found = {
        "words hidden": int(wanted.masked_language > 0 or wanted.seq2seq > 0),
        "regions hidden": int(wanted.region_regression > 0 or wanted.region_classification > 0),
        group: (1 + data.positives + data.negatives) * contrast,
        f"image and caption apart, against {apart}": int(bool(apart)),
        "retrieved images alone": data.retrieved_images * contrast,
        "retrieved texts alone": data.retrieved_texts * contrast,
    }
    return {name: times for name, times in found.items() if times}


def _language(
    run: PretrainRun, sizes: ModelSizes, kind: str, examples: int, lengths: Lengths, objective: str
) -> LanguagePart:
    hidden, fragments = run.masking.span_rate * lengths.tokens, 0.0
    if objective == "seq2seq":
        hidden, fragments = _cut_tokens(lengths.tokens - 2, run.masking.fragment_rate)
    regions = 0 if kind == "text" else lengths.regions + 1
    # A fragment brings a [CLS] and a [SEP] of its own; the latter is to be generated too.
    labelled = round(examples * (hidden + fragments))
    sequences = _sequences(sizes, examples, regions, lengths.tokens + 2 * math.ceil(fragments))
    labels = LanguageLabels(_spread(labelled, sequences.token_ids.size), _zeros("int64", labelled))
    return LanguagePart(objective, sequences, labels)


def _cut_tokens(words: int, rate: float) -> tuple[float, float]:
    """Return how many tokens are cut out of so many, and in how many fragments, on average: fragments are drawn until
    the rate is reached, so the last one goes beyond it (by E[length^2] / 2 E[length], as in a renewal process)."""
    longest = max(min(LONGEST_FRAGMENT, words), 1)
    shortest = min(SHORTEST_FRAGMENT, longest)
    mean = (shortest + longest) / 2
    beyond = (mean**2 + ((longest - shortest + 1) ** 2 - 1) / 12) / (2 * mean)
    cut = min(rate * words + beyond, float(words))
    return cut, max(1.0, cut / mean)


def _visual(sizes: ModelSizes, kind: str, examples: int, lengths: Lengths) -> VisualPart:
    hidden = round(examples * lengths.regions * HIDDEN_REGIONS)
    labels = VisualLabels(
        _spread(hidden, examples * (lengths.regions + 1)),
        _zeros("float32", hidden, sizes.feature_width or 0),
        _zeros("float32", hidden, sizes.classes or 0),
    )
    tokens = 0 if kind == "image" else lengths.tokens
    return VisualPart(_sequences(sizes, examples, lengths.regions + 1, tokens), labels)


def _contrast(run: PretrainRun, sizes: ModelSizes, examples: int, lengths: Lengths) -> ContrastPart:
    data, in_batch = run.data, run.objectives.in_batch > 0
    retrieved = (data.retrieved_images + data.retrieved_texts) * (run.objectives.contrastive > 0)
    apart = _sequences(sizes, examples, lengths.regions + 1, lengths.tokens) if retrieved or in_batch else None
    return ContrastPart(
        candidates=_candidates(run, sizes, examples, lengths) if run.objectives.contrastive else None,
        apart=apart,
        belongs=_zeros("bool", examples, examples) if in_batch else None,
    )


def _candidates(run: PretrainRun, sizes: ModelSizes, examples: int, lengths: Lengths) -> Candidates:
    data = run.data
    group = 1 + data.positives + data.negatives
    images, texts = examples * data.retrieved_images, examples * data.retrieved_texts
    known = _zeros("bool", examples, group + data.retrieved_images + data.retrieved_texts)
    return Candidates(
        joint=_together([_sequences(sizes, examples * group, lengths.regions + 1, lengths.tokens, group)]),
        images=_retrieved(sizes, images, lengths.found_regions + 1, data.max_regions + 1, 0) if images else None,
        texts=_retrieved(sizes, texts, lengths.found_tokens, data.max_tokens, 1) if texts else None,
        is_positive=known,
        is_real=known,
    )


def _retrieved(sizes: ModelSizes, count: int, usual: int, longest: int, column: int) -> Chunks:
    """Return retrieved images (column 0) or texts (1), in as many chunks as pad_in_chunks makes, sorted by length: the
    last one is padded to the longest there are, the others, together, to about the usual length."""
    chunks = max(1, min(MOST_CHUNKS, count // LEAST_CHUNK))
    last = -(-count // chunks)
    found = [(count - last, usual), (last, longest)]
    return _together([
        _sequences(sizes, number, *((rows, 0) if column == 0 else (0, rows))) for number, rows in found if number
    ])  # fmt: skip


def _together(parts: list[Sequences]) -> Chunks:
    return Chunks(tuple(parts), _zeros("int64", sum(len(one.is_pad) for one in parts)))


def _sequences(sizes: ModelSizes, count: int, regions: int, tokens: int, times: int = 1) -> Sequences:
    """times: texts that are read with one image, which is held once."""
    images, rows = (count // times if regions else count), regions + tokens
    return Sequences(
        features=_zeros("float32", images, regions, (sizes.feature_width or 0) if regions else 0),
        locations=_zeros("float32", images, regions, 5),
        token_ids=_zeros("int64", count, tokens),
        positions=_zeros("int64", count, tokens),
        reach=_zeros("int32", count, rows),
        group=_zeros("int32", count, rows),
        is_pad=_zeros("bool", count, rows),
        image_of=_zeros("int64", count) if regions and times > 1 else None,
    )


def _spread(labelled: int, rows: int) -> NDArray[np.int64]:
    """Return int64 [labelled], flat indices of labelled rows, evenly spread."""
    return np.arange(labelled) * rows // max(labelled, 1)


def _zeros(dtype: str, *shape: int) -> NDArray[Any]:
    """Return zeros of a shape that share one number."""
    return np.broadcast_to(np.zeros((), dtype), shape)
