import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.model.text_runner import build, run
from tests.reference.fluid_writer import variable
from unimo_paddle.errors import UserError
from unimo_paddle.model.convert import from_release, from_roberta, to_hf
from unimo_paddle.model.loading import load_weights
from unimo_paddle.model.model_folder import ModelSizes, read_model
from unimo_paddle.model.names import name_table
from unimo_paddle.tensor_files import read_safetensors, write_safetensors

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "roberta"  # made by tests/golden/make_roberta.py with torch and transformers
PAD = 1
KINDS = ("word", "position", "token_type")
WORDS, POSITIONS, TYPES = (f"roberta.embeddings.{kind}_embeddings.weight" for kind in KINDS)
IMAGE_SIDE = {"image_projection", "location_projection", "image_norm"}


@pytest.fixture
def source(tmp_path):
    """A copy of the golden folder as a user has it."""
    folder = tmp_path / "source"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(GOLDEN / name, folder)
    return folder


def rewrite(folder: Path, change) -> None:
    arrays = {name: np.array(array) for name, array in read_safetensors(folder / "model.safetensors").items()}
    changed = change(arrays)
    (folder / "model.safetensors").unlink()
    write_safetensors(folder / "model.safetensors", arrays if changed is None else changed)


def differences(folder: Path) -> tuple[float, float]:
    """Largest differences of hidden states and logits to those of transformers, padding left out."""
    sizes, _ = read_model(folder)
    model = build(sizes)
    load_weights(model, folder)
    golden = np.load(GOLDEN / "outputs.npz")
    is_pad = golden["ids"] == PAD
    hidden, logits = run(model, golden["ids"], is_pad)
    pairs = ((hidden, golden["hidden"]), (logits, golden["logits"]))
    return tuple(float(np.abs(ours - theirs)[~is_pad].max()) for ours, theirs in pairs)


@pytest.mark.parametrize("weights", ["model.safetensors", "zip.bin", "legacy.bin"])
def test_roberta_answers_as_in_transformers(tmp_path, source, weights):
    if weights != "model.safetensors":
        (source / "model.safetensors").unlink()
        shutil.copy(GOLDEN / weights, source / "pytorch_model.bin")
    report = from_roberta(source, tmp_path / "ours")
    assert max(differences(tmp_path / "ours")) < 1e-4
    assert report.unused == []
    assert report.wrong == []
    heads = {"poolers", "match_head", "region_regression", "region_classifier"}
    assert {target.split(".")[target.startswith("encoder")] for _, target in report.missing} == IMAGE_SIDE | heads


def test_the_golden_padding_matters():
    golden = np.load(GOLDEN / "outputs.npz")
    assert (golden["ids"] == PAD).any(axis=1).sum() == 2
    assert golden["hidden"].std() > 0.5


def test_bfloat16_weights_are_close(tmp_path, source):
    (source / "model.safetensors").unlink()
    shutil.copy(GOLDEN / "bfloat16.bin", source / "pytorch_model.bin")
    from_roberta(source, tmp_path / "ours")
    _, arrays = read_model(tmp_path / "ours")
    exact = read_safetensors(GOLDEN / "model.safetensors")["roberta.encoder.layer.1.output.dense.weight"].T
    assert np.allclose(arrays["encoder.layers.1.ffn_out.weight"], exact, rtol=2**-8, atol=0)


def test_names_without_prefix_and_of_tensorflow(tmp_path, source):
    def old_names(arrays):
        bare = {name.removeprefix("roberta."): array for name, array in arrays.items()}
        new = (("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta"))
        return {name.replace(*new[0]).replace(*new[1]): array for name, array in bare.items()}

    rewrite(source, old_names)
    from_roberta(source, tmp_path / "ours")
    assert max(differences(tmp_path / "ours")) < 1e-4


def test_a_missing_head_is_allowed_and_listed(tmp_path, source):
    rewrite(source, lambda arrays: {name: array for name, array in arrays.items() if "lm_head" not in name}
            | {"roberta.pooler.dense.bias": arrays["lm_head.bias"]})  # fmt: skip
    report = from_roberta(source, tmp_path / "ours")
    assert ("lm_head.bias", "language_head.bias") in report.missing
    assert report.unused == ["pooler.dense.bias"]
    sizes, _ = read_model(tmp_path / "ours")
    assert "language_head.bias" in load_weights(build(sizes), tmp_path / "ours")


def test_the_token_type_is_part_of_every_position(tmp_path, source):
    arrays = read_safetensors(source / "model.safetensors")
    report = from_roberta(source, tmp_path / "ours")
    positions = read_model(tmp_path / "ours")[1]["encoder.position_embedding.weight"]
    assert np.array_equal(positions, arrays[POSITIONS] + arrays[TYPES])
    assert "embeddings.token_type_embeddings.weight -> encoder.position_embedding.weight" in report.table()


def drop(*names):
    return lambda arrays: [arrays.pop(name) for name in names] and None


LAYER = "roberta.encoder.layer.1.attention.self.query"
SPOILED = {
    "missing": (drop(f"{LAYER}.bias", "roberta.embeddings.LayerNorm.weight"),
                "(?s)embeddings.LayerNorm.weight is missing.*self.query.bias is missing"),
    "untied": (lambda arrays: arrays.update({"lm_head.decoder.weight": arrays[WORDS] + 1}),
               "lm_head.decoder.weight is not embeddings.word_embeddings.weight"),
    "shape": (lambda arrays: arrays.update({f"{LAYER}.weight": np.zeros((16, 15), np.float32)}),
              "query.weight is 16 x 15, expected 16 x 16"),
    "rank": (lambda arrays: arrays.update({f"{LAYER}.bias": np.zeros((1, 16), np.float32)}), "is 1 x 16, expected 16"),
    "nan": (lambda arrays: arrays[f"{LAYER}.weight"].fill(np.nan), "query.weight holds NaN"),
    "integers": (lambda arrays: arrays.update({f"{LAYER}.bias": np.zeros(16, np.int64)}), "query.bias holds int64"),
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILED)
def test_spoiled_weights_are_refused_and_nothing_is_written(tmp_path, source, name):
    change, message = SPOILED[name]
    rewrite(source, change)
    with pytest.raises(UserError, match=message):
        from_roberta(source, tmp_path / "ours")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_another_network_is_refused_with_all_faults_at_once(tmp_path, source):
    config = json.loads((source / "config.json").read_text())
    other = {"model_type": "bert", "layer_norm_eps": 1e-12, "hidden_act": "relu", "intermediate_size": 65}
    (source / "config.json").write_text(json.dumps(config | other))
    with pytest.raises(UserError, match="config.json") as caught:
        from_roberta(source, tmp_path / "ours")
    assert all(f"{key} is {value!r}" in str(caught.value) for key, value in other.items())
    (source / "config.json").write_text(json.dumps(config | {"vocab_size": "many", "num_attention_heads": 0}))
    with pytest.raises(UserError, match="vocab_size is 'many'.*num_attention_heads is 0"):
        from_roberta(source, tmp_path / "ours")
    (source / "config.json").write_text(json.dumps(config))
    (source / "model.safetensors").unlink()
    with pytest.raises(UserError, match="neither model.safetensors nor pytorch_model.bin"):
        from_roberta(source, tmp_path / "ours")


SIZES = ModelSizes(vocab_size=30, width=64, layers=2, heads=1, max_positions=12, feature_width=10)


@pytest.fixture
def released(tmp_path):
    """A released folder of random numbers, with optimizer state whose bytes are nobody's business."""
    folder = tmp_path / "released"
    folder.mkdir()
    rng = np.random.default_rng(5)
    for row in name_table(SIZES.layers):
        if row.release and not row.release.startswith("match_fc"):
            array = rng.standard_normal(SIZES.shape(row.shape)).astype(np.float32)
            (folder / row.release).write_bytes(variable(array))
            (folder / f"{row.release}_moment1_0").write_bytes(b"not read")
    (folder / "word_embedding_beta1_pow_acc_0").write_bytes(b"not read")
    return folder


def test_release_loads_bit_for_bit(tmp_path, released):
    report = from_release(released, tmp_path / "ours")
    sizes, arrays = read_model(tmp_path / "ours")
    assert sizes == SIZES
    offset = {row.ours: (released / row.release) for row in name_table(2) if row.ours in arrays}
    assert len(offset) == len(report.mapped) == 2 * 16 + 10 + 5 + 4
    for name, array in arrays.items():
        assert offset[name].read_bytes().endswith(array.tobytes())
    assert ("match_fc.w_0", "match_head.score.weight") in report.missing
    assert len(report.unused) == len(report.mapped) + 1
    assert load_weights(build(sizes, feature_width=10), tmp_path / "ours")


def test_the_table_shows_every_kind(tmp_path, released):
    (released / "cls_out_2_w").write_bytes(b"")
    table = from_release(released, tmp_path / "ours").table().split("\n")
    rows = [" ".join(line.split()) for line in table]
    assert "mapped 2 encoder_layer_*_ffn_fc_0.w_0 -> encoder.layers.*.ffn_in.weight 64 x 256" in rows
    assert "mapped 1 word_embedding -> encoder.word_embedding.weight 30 x 64" in rows
    assert "missing 1 match_fc.b_0 -> match_head.score.bias" in rows
    assert "missing 1 - -> region_regression.projection.bias" in rows
    assert "unused 2 encoder_layer_*_ffn_fc_0.w_0_moment1_0 optimizer" in rows
    assert "unused 1 cls_out_2_w" in rows
    assert rows[-1] == "mapped 51, missing 6, unused 53, wrong shape 0"


RELEASE_FAULTS = {
    "encoder_layer_1_ffn_fc_1.b_0": (None, "encoder_layer_1_ffn_fc_1.b_0 is missing"),
    "image_loc.w_0": (None, "image_loc.w_0 is missing"),
    "word_embedding": (None, "has no file word_embedding"),
    "pos_embedding": (variable(np.zeros((12, 63), np.float32)), "pos_embedding is 12 x 63, expected 12 x 64"),
    "image_emb.w_0": (variable(np.zeros(640, np.float32)), r"image_emb.w_0 is \(640,\)"),
    "pre_encoder_layer_norm_bias": (variable(np.zeros(64, np.float32))[:-1], "pre_encoder_layer_norm_bias: byte"),
    "mask_lm_out_fc.w_0": (variable(np.zeros((64, 30), np.float32)), "output matrix of its own"),
}


@pytest.mark.parametrize("name", RELEASE_FAULTS)
def test_a_faulty_release_is_refused(tmp_path, released, name):
    data, message = RELEASE_FAULTS[name]
    if data is None:
        (released / name).unlink()
    else:
        (released / name).write_bytes(data)
    with pytest.raises(UserError, match=message):
        from_release(released, tmp_path / "ours")
    assert not (tmp_path / "ours").exists()


def test_a_width_that_no_heads_share_is_refused(tmp_path, released):
    (released / "word_embedding").write_bytes(variable(np.zeros((30, 65), np.float32)))
    with pytest.raises(UserError, match="layers of width 65"):
        from_release(released, tmp_path / "ours")


def test_back_to_transformers(tmp_path, source):
    from_roberta(source, tmp_path / "ours")
    report = to_hf(tmp_path / "ours", tmp_path / "hf")
    config = json.loads((tmp_path / "hf" / "config.json").read_text())
    original = json.loads((GOLDEN / "config.json").read_text())
    assert config["architectures"] == ["RobertaForMaskedLM"]
    assert all(config[key] == original[key] for key in config.keys() & original.keys())
    theirs, ours = read_safetensors(source / "model.safetensors"), read_safetensors(tmp_path / "hf/model.safetensors")
    expected = {**theirs, POSITIONS: theirs[POSITIONS] + theirs[TYPES], TYPES: np.zeros_like(theirs[TYPES])}
    assert ours.keys() == expected.keys()
    assert all(np.array_equal(ours[name], expected[name]) for name in ours)
    assert report.missing == report.unused == []
    from_roberta(tmp_path / "hf", tmp_path / "again")
    assert max(differences(tmp_path / "again")) < 1e-4


def test_without_a_head_it_is_a_bare_encoder(tmp_path, released):
    (released / "mask_lm_out_fc.b_0").unlink()
    from_release(released, tmp_path / "ours")
    report = to_hf(tmp_path / "ours", tmp_path / "hf")
    assert json.loads((tmp_path / "hf" / "config.json").read_text())["architectures"] == ["RobertaModel"]
    assert "embeddings.LayerNorm.bias" in read_safetensors(tmp_path / "hf" / "model.safetensors")
    assert {"poolers.text.bias", "language_head.norm.bias", "encoder.image_projection.bias"} <= set(report.unused)


def call(*arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, str(ROOT / "tools" / "convert.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_tool_prints_the_table_and_refuses_clearly(tmp_path, source):
    done = call("roberta", "--from", source, "--to", tmp_path / "ours")
    assert done.returncode == 0, done.stderr
    assert "mapped 42, missing 16, unused 0, wrong shape 0" in done.stdout
    assert (tmp_path / "ours" / "model.safetensors").stat().st_mode & 0o044 == 0o044
    again = call("roberta", "--from", source, "--to", tmp_path / "ours")
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    assert "is not empty" in again.stderr
    assert call("release", "--from", source / "absent", "--to", tmp_path / "x").returncode == 2
    assert call("paint").returncode == 2
