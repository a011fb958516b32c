"""Every parameter under its three names: ours, the release's, and Hugging Face's.

Shapes are written in letters: V vocabulary, P positions, H width, I = 4H, D feature width, L = 5 numbers of
a location, C region classes, 1.  Source: spec/release.md section 12.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from unimo_paddle.errors import UserError

TEXT, IMAGE, HEAD = "text encoder", "image encoder", "head"
MOST_LAYERS = 1000  # a number in a file of somebody else's must not make us fill the memory with names


@dataclass(frozen=True)
class Name:
    """One parameter. hf: without the "roberta." prefix; None where the other side has no such parameter.

    is_transposed: torch keeps a Linear as [out, in], here as in the release it is [in, out].
    """

    ours: str
    release: str | None
    hf: str | None
    shape: str
    part: str
    is_transposed: bool = False


def name_table(layers: int) -> list[Name]:
    """Give the names of every parameter of a pretraining model with so many layers, in the order of use.

    Raises UserError for more layers than any model has.
    """
    if layers > MOST_LAYERS:
        raise UserError(f"a model of {layers} layers is not read here, {MOST_LAYERS} at most; is the file damaged?")
    rows = [*_EMBEDDINGS]
    for index in range(layers):
        rows += [_in_layer(row, index) for row in _LAYER]
    return rows + list(_HEADS)


def _in_layer(row: Name, index: int) -> Name:
    return replace(
        row,
        ours=f"encoder.layers.{index}.{row.ours}",
        release=f"encoder_layer_{index}_{row.release}",
        hf=f"encoder.layer.{index}.{row.hf}",
    )


def _linear(ours: str, release: str | None, hf: str | None, shape: str, part: str) -> tuple[Name, Name]:
    return (
        Name(f"{ours}.weight", release and f"{release}.w_0", hf and f"{hf}.weight", shape, part, is_transposed=True),
        Name(f"{ours}.bias", release and f"{release}.b_0", hf and f"{hf}.bias", shape[1], part),
    )


def _norm(ours: str, release: str, hf: str | None, part: str) -> tuple[Name, Name]:
    return (
        Name(f"{ours}.weight", f"{release}_layer_norm_scale", hf and f"{hf}.weight", "H", part),
        Name(f"{ours}.bias", f"{release}_layer_norm_bias", hf and f"{hf}.bias", "H", part),
    )


_EMBEDDINGS = (
    Name("encoder.word_embedding.weight", "word_embedding", "embeddings.word_embeddings.weight", "VH", TEXT),
    Name("encoder.position_embedding.weight", "pos_embedding", "embeddings.position_embeddings.weight", "PH", TEXT),
    *_norm("encoder.text_norm", "pre_encoder", "embeddings.LayerNorm", TEXT),
    *_linear("encoder.image_projection", "image_emb", None, "DH", IMAGE),
    *_linear("encoder.location_projection", "image_loc", None, "LH", IMAGE),
    *_norm("encoder.image_norm", "v_pre_encoder", None, IMAGE),
)
_LAYER = (
    *_linear("query", "multi_head_att_query_fc", "attention.self.query", "HH", TEXT),
    *_linear("key", "multi_head_att_key_fc", "attention.self.key", "HH", TEXT),
    *_linear("value", "multi_head_att_value_fc", "attention.self.value", "HH", TEXT),
    *_linear("output", "multi_head_att_output_fc", "attention.output.dense", "HH", TEXT),
    *_norm("attention_norm", "post_att", "attention.output.LayerNorm", TEXT),
    *_linear("ffn_in", "ffn_fc_0", "intermediate.dense", "HI", TEXT),
    *_linear("ffn_out", "ffn_fc_1", "output.dense", "IH", TEXT),
    *_norm("ffn_norm", "post_ffn", "output.LayerNorm", TEXT),
)
_HEADS = (
    *_linear("language_head.transform", "mask_lm_trans_fc", "lm_head.dense", "HH", HEAD),
    *_norm("language_head.norm", "mask_lm_trans", "lm_head.layer_norm", HEAD),
    Name("language_head.bias", "mask_lm_out_fc.b_0", "lm_head.bias", "V", HEAD),
    *_linear("poolers.text", "pooled_fc_text", None, "HH", HEAD),
    *_linear("poolers.image", "pooled_fc_image", None, "HH", HEAD),
    *_linear("match_head.score", "match_fc", None, "H1", HEAD),
    *_linear("region_regression.projection", None, None, "HD", HEAD),
    *_linear("region_classifier.projection", None, None, "HC", HEAD),
)
