"""What a run will cost, from its settings alone: parameters, memory, steps, learning rates. No data is read."""

from __future__ import annotations

import os
from dataclasses import dataclass

from paddle import nn

from unimo_paddle import environment
from unimo_paddle.config import DetectorRun, OptimizerSettings, PretrainRun, Run, TrainSettings
from unimo_paddle.engine.optimizer import learning_rate
from unimo_paddle.model import heads
from unimo_paddle.model.unimo import parameter_count

# The released model's, assumed where the settings leave the number to data that may not be there yet.
ASSUMED = {"vocabulary": 50265, "feature_width": 2048, "region_classes": 1601}
FLOAT = 4  # bytes
GPUS = (1, 8, 16, 32, 64)
GIB = 1 << 30


@dataclass(frozen=True)
class Shape:
    """The numbers of a model that its cost depends on."""

    vocabulary: int
    width: int
    layers: int
    heads: int
    feature_width: int
    classes: int
    max_positions: int


def describe(run: Run, pairs: int | None = None) -> list[str]:
    """Return the plan as lines to print. pairs: of the corpus, None when it is not known."""
    lines = _describe_pretraining(run, pairs) if isinstance(run, PretrainRun) else _describe_detector(run)
    return [*lines, "", *_rate_lines(run.optimizer, run.train), "", *_environment_lines()]


def shape_of(run: PretrainRun) -> Shape:
    """Return the model's numbers, the released model's where the settings leave them to the data."""
    model = run.model
    return Shape(
        vocabulary=model.vocabulary or ASSUMED["vocabulary"],
        width=model.width,
        layers=model.layers,
        heads=model.heads,
        feature_width=model.feature_width or ASSUMED["feature_width"],
        classes=model.region_classes or ASSUMED["region_classes"],
        max_positions=model.max_positions,
    )


def encoder_parameters(shape: Shape) -> int:
    """Return the parameters of encoder, embeddings and image projections: base 125.63 M, large 356.42 M."""
    return parameter_count(shape.vocabulary, shape.width, shape.layers, shape.feature_width, shape.max_positions)


def head_parameters(shape: Shape) -> dict[str, int]:
    """Return each pretraining head's parameters, counted on the heads themselves; tied weights are the encoder's."""
    made: dict[str, nn.Layer] = {
        "language": heads.LanguageHead(shape.vocabulary, shape.width),
        "region regression": heads.RegionRegression(shape.width, shape.feature_width),
        "region classification": heads.RegionClassifier(shape.width, shape.classes),
        "poolers": heads.Poolers(shape.width),
        "match": heads.MatchHead(shape.width, 0.0),
    }
    return {name: sum(int(p.size) for p in head.parameters()) for name, head in made.items()}


def activation_bytes(shape: Shape, sequences: int, rows: int, labelled: int, dropout: bool) -> int:
    """Return the bytes that `sequences` of `rows` positions each keep from the forward pass for the backward pass.

    A layer keeps of each position 16 H floats: query, key, value, mixed values, input and output of both layer
    norms (8 H) and the inner 4 H before and after GELU; of each head and pair of positions the softmax. Dropout adds
    a byte for each number it sees, and a second copy of the softmax. Shared by all layers: the mask, spread over the
    heads, and the embeddings (the features, sum, layer norm). labelled: tokens with logits, which keep
    them twice (logits and their gradient). Recomputation and half precision would make all this smaller.
    """
    width, heads_ = shape.width, shape.heads
    layer = 16 * width * FLOAT + heads_ * rows * FLOAT
    if dropout:
        layer += 2 * width + heads_ * rows * (FLOAT + 1)
    shared = heads_ * rows * FLOAT + (shape.feature_width + 3 * width) * FLOAT
    return sequences * rows * (shape.layers * layer + shared) + 2 * labelled * shape.vocabulary * FLOAT


def _describe_pretraining(run: PretrainRun, pairs: int | None) -> list[str]:
    shape = shape_of(run)
    assumed = [f"model.{name} {number:,}" for name, number in ASSUMED.items() if getattr(run.model, name) is None]
    return [
        f"pretraining into {run.output.directory}",
        *([f"assumed until the data says: {', '.join(assumed)}"] if assumed else []),
        "",
        *_parameter_lines(shape),
        "",
        *_memory_lines(run, shape),
        "",
        *_step_lines(run, pairs),
    ]


def _parameter_lines(shape: Shape) -> list[str]:
    encoder, parts = encoder_parameters(shape), head_parameters(shape)
    named = ", ".join(f"{name} {count / 1e6:.2f} M" for name, count in parts.items())
    return [
        f"model: {shape.layers} layers, {shape.width} wide, {shape.heads} heads",
        f"  encoder, embeddings and image projections  {encoder / 1e6:.2f} M parameters ({encoder:,})",
        f"  heads  {sum(parts.values()) / 1e6:.2f} M ({named})",
    ]


def _memory_lines(run: PretrainRun, shape: Shape) -> list[str]:
    count = encoder_parameters(shape) + sum(head_parameters(shape).values())
    weights = count * FLOAT
    lines = [
        "memory per GPU in float32, an estimate with every text and image at its longest",
        f"  weights {_gib(weights)}, gradients {_gib(weights)}, Adam's two moments {_gib(2 * weights)}",
    ]
    for gpus in GPUS:
        if run.data.batch % gpus == 0:
            kept = step_activations(run, shape, run.data.batch // gpus)
            lines.append(
                f"  on {gpus:>2} GPU{'s' if gpus > 1 else ' '}: {run.data.batch // gpus:>4} pairs each, "
                f"activations {_gib(kept)}, in all {_gib(4 * weights + kept)}"
            )
    return lines


def step_activations(run: PretrainRun, shape: Shape, pairs: int) -> int:
    """Return the activation bytes of one step with `pairs` pairs on this GPU; all objectives are kept at once.

    Steps take turns between spans and fragments: the one with more labels counts.
    """
    wanted, masking = run.objectives, run.masking
    rate = max(masking.span_rate * (wanted.masked_language > 0), masking.fragment_rate * (wanted.seq2seq > 0))
    labelled = round(pairs * run.data.max_tokens * rate)
    dropout = run.model.dropout > 0 or run.model.attention_dropout > 0
    encoded = sum(
        activation_bytes(shape, pairs * one.times, one.positions, 0, dropout) for one in encodings(run).values()
    )
    return encoded + activation_bytes(shape, 0, 0, labelled, dropout)


@dataclass(frozen=True)
class Encoding:
    """How often a pair is encoded for one purpose in a step, and the positions of each sequence at its longest."""

    times: int
    positions: int


def sequences_per_pair(run: PretrainRun) -> int:
    """Return how often a pair is encoded in a step that serves all objectives with a weight (tasks/pretraining.py)."""
    return sum(one.times for one in encodings(run).values())


def encodings(run: PretrainRun) -> dict[str, Encoding]:
    """Return how a pair is encoded, by what for; an objective without weight costs nothing.

    Retrieved images and texts are sequences of their own; the pair encoded apart serves against them and against the
    other pairs of the batch at once.
    """
    wanted, data = run.objectives, run.data
    image, text = data.max_regions + 1, data.max_tokens
    contrast, retrieved = wanted.contrastive > 0, data.retrieved_images + data.retrieved_texts > 0
    group = f"the contrast: the caption, {data.positives} rewritten positives, {data.negatives} negatives"
    apart = " and ".join(
        ["what is retrieved"] * (contrast and retrieved) + ["the batch's other pairs"] * (wanted.in_batch > 0)
    )
    found = {
        "words hidden": Encoding(int(wanted.masked_language > 0 or wanted.seq2seq > 0), image + text),
        "regions hidden": Encoding(
            int(wanted.region_regression > 0 or wanted.region_classification > 0), image + text
        ),
        group: Encoding((1 + data.positives + data.negatives) * contrast, image + text),
        f"image and caption apart, against {apart}": Encoding(int(bool(apart)), image + text),
        "retrieved images alone": Encoding(data.retrieved_images * contrast, image),
        "retrieved texts alone": Encoding(data.retrieved_texts * contrast, text),
    }
    return {name: one for name, one in found.items() if one.times}


def _step_lines(run: PretrainRun, pairs: int | None) -> list[str]:
    data, steps, parts = run.data, run.train.steps, encodings(run)
    sequences = data.batch * sequences_per_pair(run)
    positions = data.batch * sum(one.times * one.positions for one in parts.values())
    examples = steps * data.batch
    epochs = f"{examples / pairs:.1f} epochs of {pairs:,} pairs" if pairs else "epochs unknown without the corpus"
    return [
        f"steps: {steps:,} of {data.batch:,} pairs, {examples:,} pairs in all: {epochs}",
        f"  a pair is encoded {sequences_per_pair(run)} times "
        f"({'; '.join(f'{one.times} for {name}' for name, one in parts.items())})",
        f"  a step is {sequences:,} sequences of up to {data.max_regions + 1} image rows and {data.max_tokens} tokens: "
        f"at most {positions:,} positions, and two for each fragment that is cut out",
        f"  a checkpoint every {run.train.save_every:,} steps, the last {run.train.keep_last} kept",
    ]


def _describe_detector(run: DetectorRun) -> list[str]:
    examples = run.train.steps * run.data.batch
    return [
        f"detector training into {run.output.directory}",
        f"  {run.detector.backbone}, pictures scaled to {run.detector.short_side} pixels on the short side, at most "
        f"{run.detector.long_side} on the long one; region features of {run.detector.feature_width} numbers",
        f"steps: {run.train.steps:,} of {run.data.batch} pictures, {examples:,} pictures in all",
    ]


def _rate_lines(optimizer: OptimizerSettings, train: TrainSettings) -> list[str]:
    warmup, total = optimizer.warmup_steps, train.steps
    milestones = sorted({0, warmup // 2, max(warmup - 1, 0), warmup, (warmup + total) // 2, total - 1})
    rates = [
        f"  step {step + 1:>9,}  "
        f"{learning_rate(step, optimizer.peak_lr, warmup, total, optimizer.schedule):.3g}"
        for step in milestones
    ]
    return [f"learning rate: schedule {optimizer.schedule}, {warmup:,} steps of warm-up", *rates]


def _environment_lines() -> list[str]:
    names = environment.settings()
    return ["CPU environment", *(f"  {name}={os.environ.get(name, '(not set)')}" for name in names)]


def _gib(count: int) -> str:
    return f"{count / GIB:.2f} GiB"
