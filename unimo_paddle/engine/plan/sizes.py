"""The numbers of a run's model, and how many parameters they make."""

from __future__ import annotations

from dataclasses import replace

from unimo_paddle.config import PretrainRun
from unimo_paddle.model.model_folder import ModelSizes
from unimo_paddle.model.unimo import parameter_count

# The released model's, assumed where the settings leave the number to data that may not be there yet.
ASSUMED = {"vocabulary": 50265, "feature_width": 2048, "region_classes": 1601}


def sizes_of(run: PretrainRun) -> ModelSizes:
    """Return the model's numbers, the released model's where the settings leave them to the data."""
    model = run.model
    return ModelSizes(
        vocab_size=model.vocabulary or ASSUMED["vocabulary"],
        width=model.width,
        layers=model.layers,
        heads=model.heads,
        max_positions=model.max_positions,
        feature_width=model.feature_width or ASSUMED["feature_width"],
        classes=model.region_classes or ASSUMED["region_classes"],
    )


def encoder_parameters(sizes: ModelSizes) -> int:
    """Return the parameters of encoder, embeddings and image projections: base 125.63 M, large 356.42 M."""
    assert sizes.feature_width is not None
    return parameter_count(sizes.vocab_size, sizes.width, sizes.layers, sizes.feature_width, sizes.max_positions)


def layered_parameters(sizes: ModelSizes) -> int:
    """Return the parameters of the encoder's layers."""
    return encoder_parameters(sizes) - encoder_parameters(replace(sizes, layers=0))


def head_parameters(sizes: ModelSizes) -> dict[str, int]:
    """Return each pretraining head's parameters; tied weights are the encoder's."""
    assert sizes.feature_width is not None and sizes.classes is not None
    width = sizes.width
    return {
        "language": (width + 1) * width + 2 * width + sizes.vocab_size,
        "region regression": (width + 1) * sizes.feature_width,
        "region classification": (width + 1) * sizes.classes,
        "poolers": 2 * (width + 1) * width,
        "match": width + 1,
    }


def all_parameters(sizes: ModelSizes) -> int:
    """Return the parameters of encoder and heads together."""
    return encoder_parameters(sizes) + sum(head_parameters(sizes).values())
