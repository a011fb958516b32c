"""Brings weights of RoBERTa and of the release into this model's folders, and text-only models back out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unimo_paddle import files
from unimo_paddle.errors import UserError
from unimo_paddle.model import fluid
from unimo_paddle.model.mapping import Report, move, refuse_gaps
from unimo_paddle.model.model_folder import ModelSizes, read_model, write_model
from unimo_paddle.model.names import HEAD, IMAGE, TEXT, name_table
from unimo_paddle.safe_pickle import Array, read_torch_file
from unimo_paddle.tensor_files import read_safetensors, write_safetensors

NORM_EPSILON = 1e-5
_HEAD_WIDTH = 64  # of every released model; the weights themselves do not tell the number of heads
_PREFIX = "roberta."
_WORDS, _POSITIONS = "embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight"
_TYPES = "embeddings.token_type_embeddings.weight"
_DECODER, _DECODER_BIAS, _HEAD_BIAS = "lm_head.decoder.weight", "lm_head.decoder.bias", "lm_head.bias"
_UNTIED = "mask_lm_out_fc.w_0"


def from_roberta(source: Path, target: Path) -> Report:
    """Turn a Hugging Face RoBERTa folder (config.json, model.safetensors or pytorch_model.bin) into ours.

    The image side, poolers and match head are reported missing: they start at random.
    Raises UserError when the text encoder is incomplete or the configuration asks for another network.
    """
    config_path = source / "config.json"
    sizes = _roberta_sizes(files.read_json(config_path), str(config_path))
    weights, report = map_hf(_read_hf(source), sizes, str(source))
    refuse_gaps(report, _names_of(sizes, TEXT), str(source))
    with files.atomic_directory(target) as folder:
        write_model(folder, sizes, weights)
    return report


def from_release(source: Path, target: Path) -> Report:
    """Turn a released Paddle 1.x folder, one file per variable, into ours; optimizer state is left unused.

    Raises UserError when text or image encoder is incomplete or a file is damaged.
    """
    names = fluid.variable_names(source)
    if _UNTIED in names:
        raise UserError(f"{source / _UNTIED}: an output matrix of its own; this model shares the word embedding")
    sizes = _release_sizes(source, names)
    table = name_table(sizes.layers)
    weights, report = move(table, ("release", "ours"), names, lambda name: fluid.read_variable(source / name), sizes)
    refuse_gaps(report, _names_of(sizes, TEXT, IMAGE), str(source))
    with files.atomic_directory(target) as folder:
        write_model(folder, sizes, weights)
    return report


def to_hf(source: Path, target: Path) -> Report:
    """Write the text side of one of our folders as config.json and model.safetensors for transformers.

    With a whole language head it is a RobertaForMaskedLM, else a RobertaModel.  Raises UserError when the
    text encoder is incomplete.
    """
    sizes, arrays = read_model(source)
    table = [row for row in name_table(sizes.layers) if row.hf]
    has_head = all(row.ours in arrays for row in table if row.part == HEAD)
    table = [row for row in table if has_head or row.part != HEAD]
    moved, report = move(table, ("ours", "hf"), arrays, arrays.__getitem__, sizes)
    refuse_gaps(report, [row.hf for row in table if row.hf], str(source))
    # This model has no token types, so their one row adds nothing.
    moved[_TYPES] = np.zeros((1, sizes.width), np.float32)
    with files.atomic_directory(target) as folder:
        files.write_json(folder / "config.json", _roberta_config(sizes, has_head))
        prefixed = {_prefixed(name, has_head): array for name, array in moved.items()}
        write_safetensors(folder / "model.safetensors", prefixed)
    return report


def map_hf(arrays: Mapping[str, Array], sizes: ModelSizes, where: str) -> tuple[dict[str, Array], Report]:
    """Give our names and layout to a RoBERTa or BERT state dict, with or without a "roberta." prefix.

    Returns float32 arrays and the report.  Row 0 of the token types, which every text gets, is added to each
    position.  Raises UserError when the decoder is not tied to the word embedding.
    """
    plain = _plain_names(arrays)
    _check_tied(plain, where)
    types = plain.get(_TYPES)
    positions = plain.get(_POSITIONS)
    if types is not None and positions is not None and types.ndim == positions.ndim == 2 and len(types) \
            and types.shape[1] == positions.shape[1]:
        plain[_POSITIONS] = plain[_POSITIONS].astype(np.float32) + types[0].astype(np.float32)
    weights, report = move(name_table(sizes.layers), ("hf", "ours"), plain, plain.__getitem__, sizes)
    folded = {_TYPES: "encoder.position_embedding.weight", _DECODER: "encoder.word_embedding.weight",
              _DECODER_BIAS: "language_head.bias"}  # fmt: skip
    for source, target in folded.items():
        if source in report.unused and target in weights:
            report.unused.remove(source)
            report.mapped.append((source, target, plain[source].shape))
    return weights, report


def _names_of(sizes: ModelSizes, *parts: str) -> set[str]:
    return {row.ours for row in name_table(sizes.layers) if row.part in parts}


def _plain_names(arrays: Mapping[str, Array]) -> dict[str, Array]:
    plain = {}
    for name, array in arrays.items():
        # Checkpoints that came from TensorFlow call a LayerNorm's scale gamma and its shift beta.
        short = name.removeprefix(_PREFIX).replace("LayerNorm.gamma", "LayerNorm.weight")
        plain[short.replace("LayerNorm.beta", "LayerNorm.bias")] = array
    if _DECODER_BIAS in plain:
        plain.setdefault(_HEAD_BIAS, plain[_DECODER_BIAS])
    return plain


def _check_tied(plain: Mapping[str, Array], where: str) -> None:
    for copy, original in ((_DECODER, _WORDS), (_DECODER_BIAS, _HEAD_BIAS)):
        if copy in plain and original in plain and not np.array_equal(plain[copy], plain[original]):
            raise UserError(f"{where}: {copy} is not {original}; this model shares the two, so it cannot hold both")


def _read_hf(folder: Path) -> dict[str, Array]:
    if (folder / "model.safetensors").exists():
        return read_safetensors(folder / "model.safetensors")
    if (folder / "pytorch_model.bin").exists():
        return read_torch_file(folder / "pytorch_model.bin")
    raise UserError(
        f"{folder}: has neither model.safetensors nor pytorch_model.bin; weights in several parts must be joined "
        "first (load and save them with transformers and a large max_shard_size)"
    )


def _roberta_sizes(config: Any, where: str) -> ModelSizes:
    keys = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings")
    if not isinstance(config, dict):
        raise UserError(f"{where}: holds a {type(config).__name__}, expected an object")
    faults = [f"{key} is {config.get(key)!r}, expected a whole number above 0" for key in keys
              if type(config.get(key)) is not int or config[key] < 1]  # fmt: skip
    if faults:
        raise UserError(f"{where}: " + "; ".join(faults))
    vocab_size, width, layers, heads, positions = (config[key] for key in keys)
    expected = {
        "model_type": ("roberta", "roberta"),
        "hidden_act": ("gelu", "gelu"),
        "position_embedding_type": ("absolute", "absolute"),
        "intermediate_size": (4 * width, 3072),
        "layer_norm_eps": (NORM_EPSILON, 1e-12),
        "is_decoder": (False, False),
    }
    faults = [
        f"{key} is {config.get(key, default)!r}, this model has {ours!r}"
        for key, (ours, default) in expected.items()
        if config.get(key, default) != ours
    ]
    if width % heads:
        faults.append(f"hidden_size {width} is no multiple of num_attention_heads {heads}")
    if faults:
        raise UserError(f"{where}: describes another network: " + "; ".join(faults))
    return ModelSizes(vocab_size, width, layers, heads, positions)


def _release_sizes(folder: Path, names: list[str]) -> ModelSizes:
    needed = ("word_embedding", "pos_embedding", "image_emb.w_0")
    absent = [name for name in needed if name not in names]
    if absent:
        raise UserError(f"{folder}: has no file {', '.join(absent)}; give the folder with one file per variable")
    shapes = {name: fluid.read_variable(folder / name).shape for name in needed}
    flat = [f"{name} is {shape}" for name, shape in shapes.items() if len(shape) != 2 or 0 in shape]
    layers = {int(match[1]) for name in names if (match := re.match(r"encoder_layer_(\d+)_", name))}
    width = shapes["word_embedding"][-1] if shapes["word_embedding"] else 0
    if flat or not layers or width % _HEAD_WIDTH:
        detail = "; ".join(flat) or f"{len(layers)} layers of width {width}"
        raise UserError(f"{folder}: {detail}: expected matrices, layers, and a width of {_HEAD_WIDTH} per head")
    (vocab_size, _), (positions, _), (feature_width, _) = (shapes[name] for name in needed)
    return ModelSizes(vocab_size, width, max(layers) + 1, width // _HEAD_WIDTH, positions, feature_width)


def _prefixed(name: str, has_head: bool) -> str:
    """transformers keeps the encoder of a RobertaForMaskedLM under "roberta.", that of a RobertaModel bare."""
    return name if name.startswith("lm_head") or not has_head else _PREFIX + name


def _roberta_config(sizes: ModelSizes, has_head: bool) -> dict[str, Any]:
    return {
        "architectures": ["RobertaForMaskedLM" if has_head else "RobertaModel"],
        "model_type": "roberta",
        "vocab_size": sizes.vocab_size,
        "hidden_size": sizes.width,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": sizes.heads,
        "intermediate_size": 4 * sizes.width,
        "max_position_embeddings": sizes.max_positions,
        "type_vocab_size": 1,
        "hidden_act": "gelu",
        "layer_norm_eps": NORM_EPSILON,
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "initializer_range": 0.02,
        "bos_token_id": 0,
        "pad_token_id": 1,
        "eos_token_id": 2,
        "torch_dtype": "float32",
    }
