"""Makes translation models of the real format, random and tiny: what ct2-transformers-converter writes for opus-mt."""

import numpy as np
import sentencepiece
from ctranslate2.specs import attention_spec, common_spec, transformer_spec

SENTENCES = ("a dog on a table", "two cats under the chair", "a red bus", "the bus is left of a dog", "un perro",
             "dos gatos bajo la mesa", "el autobus rojo", "una mesa y un gato")
WIDTH, HEADS = 16, 2


def write_model(folder, seed, add_source_eos=False):
    """Write config.json, model.bin, shared_vocabulary.json, source.spm and target.spm."""
    folder.mkdir(parents=True)
    for name in ("source", "target"):
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(SENTENCES * 20), model_prefix=str(folder / name), vocab_size=60,
            hard_vocab_limit=False, minloglevel=2)
        (folder / f"{name}.model").rename(folder / f"{name}.spm")
        (folder / f"{name}.vocab").unlink()
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "source.spm"))
    ordinary = [pieces.id_to_piece(index) for index in range(pieces.vocab_size())
                if not (pieces.is_control(index) or pieces.is_unknown(index))]
    tokens = ["</s>", "<unk>", *ordinary]
    spec = transformer_spec.TransformerSpec.from_config(1, HEADS, pre_norm=False,
                                                        activation=common_spec.Activation.SWISH)
    rng = np.random.default_rng(seed)
    _fill(spec.encoder, len(tokens), rng)
    _fill(spec.decoder, len(tokens), rng)
    spec.decoder.start_from_zero_embedding = True
    spec.config.unk_token, spec.config.eos_token, spec.config.decoder_start_token = "<unk>", "</s>", "</s>"
    spec.config.add_source_eos = add_source_eos
    spec.register_source_vocabulary(tokens)
    spec.register_target_vocabulary(tokens)
    spec.validate()
    spec.save(str(folder))
    return folder


def _fill(part, vocabulary, rng):
    embeddings = part.embeddings if isinstance(part.embeddings, list) else [part.embeddings]
    for each in embeddings:
        each.weight = _random(rng, vocabulary, WIDTH)
    part.scale_embeddings = True
    part.position_encodings.encodings = _random(rng, 300, WIDTH)
    if hasattr(part, "projection"):
        part.projection.weight, part.projection.bias = _random(rng, vocabulary, WIDTH), _random(rng, vocabulary)
    for layer in part.layer if hasattr(part, "layer") else part.layers:
        for attention in (getattr(layer, name) for name in ("self_attention", "attention") if hasattr(layer, name)):
            own = isinstance(attention, attention_spec.MultiHeadAttentionSpec) and len(attention.linear) == 2
            for index, linear in enumerate(attention.linear):
                rows = WIDTH * (3 if own and not index else 1)
                if len(attention.linear) == 3 and index == 1:
                    rows = 2 * WIDTH
                linear.weight, linear.bias = _random(rng, rows, WIDTH), _random(rng, rows)
            _norm(attention.layer_norm)
        layer.ffn.linear_0.weight, layer.ffn.linear_0.bias = _random(rng, 32, WIDTH), _random(rng, 32)
        layer.ffn.linear_1.weight, layer.ffn.linear_1.bias = _random(rng, WIDTH, 32), _random(rng, WIDTH)
        _norm(layer.ffn.layer_norm)


def _norm(norm):
    norm.gamma, norm.beta = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)


def _random(rng, *shape):
    return rng.normal(0, 0.5, shape).astype(np.float32)
