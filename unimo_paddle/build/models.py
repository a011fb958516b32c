"""The model of a run: its sizes from the settings and the data, its weights random or read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from unimo_paddle.config import ModelSettings, PretrainRun
from unimo_paddle.data.tokenizer import Tokenizer, load_tokenizer
from unimo_paddle.engine.checkpoint import read_weights, restore_model
from unimo_paddle.engine.run_directory import require_same_data
from unimo_paddle.errors import UserError
from unimo_paddle.model.unimo import Unimo, UnimoForPretraining
from unimo_paddle.regions import RegionStore


def build_model(run: PretrainRun, tokenizer: Tokenizer, store: RegionStore) -> UnimoForPretraining:
    """Build the model with random weights; what the run leaves open is taken from tokenizer and store.

    Raises UserError that lists every size which the run gives otherwise than the data have it.
    """
    model, data = run.model, run.data
    sizes = {
        "model.vocabulary": (model.vocabulary, tokenizer.vocab_size, data.tokenizer),
        "model.feature_width": (model.feature_width, store.meta.feature_width, data.regions),
        "model.region_classes": (model.region_classes, len(store.meta.classes), data.regions),
    }
    faults = [
        f"{key} is {given}, but {source} has {found}"
        for key, (given, found, source) in sizes.items()
        if given not in (None, found)
    ]
    if faults:
        raise UserError("; ".join(faults) + ": leave the setting out or name other data")
    encoder = build_encoder(model, tokenizer.vocab_size, store.meta.feature_width)
    return UnimoForPretraining(encoder, len(store.meta.classes))


def build_encoder(model: ModelSettings, vocabulary: int, feature_width: int) -> Unimo:
    """Build the encoder with random weights."""
    return Unimo(
        vocab_size=vocabulary,
        width=model.width,
        layers=model.layers,
        heads=model.heads,
        feature_width=feature_width,
        max_positions=model.max_positions,
        dropout=model.dropout,
        attention_dropout=model.attention_dropout,
        operators=model.operators,
        recompute=model.recompute,
    )


def with_sizes_of_data(run: PretrainRun) -> PretrainRun:
    """Return the run with those sizes written out that it leaves to its data, as far as the data are there."""
    model = run.model
    if run.data.tokenizer.is_dir() and model.vocabulary is None:
        model = replace(model, vocabulary=load_tokenizer(run.data.tokenizer).vocab_size)
    if run.data.regions.is_dir():
        meta = RegionStore(run.data.regions).meta
        model = replace(
            model,
            feature_width=model.feature_width or meta.feature_width,
            region_classes=model.region_classes or len(meta.classes),
        )
    return replace(run, model=model)


def model_facts(tokenizer: Tokenizer, store: RegionStore) -> dict[str, str]:
    """Return what a model's weights hang on, beyond sizes: which word an id is, whose features a region has."""
    return {"tokenizer": tokenizer.fingerprint(), "detector": store.meta.detector, "family": store.meta.family}


def load_model(run: PretrainRun, weights: Path, tokenizer: Tokenizer, store: RegionStore) -> UnimoForPretraining:
    """Build the model with trained weights, ready to answer (no dropout)."""
    require_same_data(weights, model_facts(tokenizer, store))
    model = build_model(run, tokenizer, store)
    restore_model(model, read_weights(weights), weights)
    model.eval()
    return model
