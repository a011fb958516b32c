import pytest

from tests.model.text_runner import build
from unimo_paddle.errors import UserError
from unimo_paddle.model.model_folder import ModelSizes
from unimo_paddle.model.names import IMAGE, TEXT, name_table
from unimo_paddle.model.unimo import parameter_count

SIZES = ModelSizes(vocab_size=30, width=8, layers=3, heads=2, max_positions=12, feature_width=6, classes=5)


def test_the_table_is_the_whole_model_with_its_shapes():
    state = build(SIZES).state_dict()
    table = {row.ours: list(SIZES.shape(row.shape)) for row in name_table(SIZES.layers)}
    assert table == {name: list(tensor.shape) for name, tensor in state.items()}


@pytest.mark.parametrize(("layers", "width", "millions"), [(12, 768, 125.63), (24, 1024, 356.42)])
def test_the_encoder_part_has_the_published_size(layers, width, millions):
    sizes = ModelSizes(50265, width, layers, width // 64, 514, 2048)
    shapes = [sizes.shape(row.shape) for row in name_table(layers) if row.part in (TEXT, IMAGE)]
    count = sum(shape[0] * (shape[1] if len(shape) == 2 else 1) for shape in shapes)
    assert count == parameter_count(50265, width, layers, 2048)
    assert round(count / 1e6, 2) == millions


def test_a_lying_number_of_layers_fills_no_memory():
    with pytest.raises(UserError, match="a model of 100000000 layers is not read here"):
        name_table(10**8)


def test_names_of_the_release_and_of_transformers():
    rows = {row.ours: row for row in name_table(12)}
    last = rows["encoder.layers.11.ffn_in.weight"]
    assert (last.release, last.hf) == ("encoder_layer_11_ffn_fc_0.w_0", "encoder.layer.11.intermediate.dense.weight")
    norm = rows["encoder.layers.0.attention_norm.bias"]
    assert norm.release == "encoder_layer_0_post_att_layer_norm_bias"
    assert rows["language_head.norm.weight"].release == "mask_lm_trans_layer_norm_scale"
    assert rows["language_head.bias"].release == "mask_lm_out_fc.b_0"
    assert rows["encoder.image_norm.weight"].release == "v_pre_encoder_layer_norm_scale"
    for side in ("release", "hf"):
        names = [getattr(row, side) for row in rows.values() if getattr(row, side)]
        assert len(names) == len(set(names))
    # 16 variables a layer, 10 before the layers, 5 of the language head, 4 of the poolers, 2 of the match head
    assert sum(row.release is not None for row in rows.values()) == 12 * 16 + 10 + 5 + 4 + 2
