"""Makes a random RoBERTa with torch and transformers, and runs one; the tests compare ours with what it stores.

    python -m venv .venv-slow && .venv-slow/bin/pip install -r requirements-slow.txt
    .venv-slow/bin/python tests/golden/make_roberta.py make tests/golden/roberta

Every parameter is random, LayerNorms, biases and the token type included, so that no two may be mistaken for each
other.  `run` answers for a folder that ours wrote.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from transformers import RobertaConfig, RobertaForMaskedLM, RobertaModel

PAD = 1


def random_model(args):
    torch.manual_seed(args.seed)
    config = RobertaConfig(
        vocab_size=args.vocab, hidden_size=args.width, num_hidden_layers=args.layers, num_attention_heads=args.heads,
        intermediate_size=4 * args.width, max_position_embeddings=args.positions, type_vocab_size=1,
        layer_norm_eps=1e-5, bos_token_id=0, pad_token_id=PAD, eos_token_id=2,
    )  # fmt: skip
    model = RobertaForMaskedLM(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            mean, spread = (1.0, 0.2) if "norm.weight" in name.lower() else (0.0, args.spread)
            parameter.copy_(mean + spread * torch.randn_like(parameter))
        if args.never is not None:
            model.lm_head.bias[args.never] = -1e4
    return model


def random_inputs(args):
    """Rows of different length, padded as RoBERTa does; the last row is full, the first has one token."""
    generator = np.random.default_rng(args.seed)
    lengths = np.linspace(1, args.length, args.rows).astype(int)
    ids = generator.integers(4, args.vocab, (args.rows, args.length))
    ids[np.arange(args.length) >= lengths[:, None]] = PAD
    return ids


def outputs(model, ids):
    """Hidden states of the last layer [B, T, H], and logits [B, T, V] if the model has them."""
    ids = torch.from_numpy(ids)
    with torch.no_grad():
        found = model(ids, attention_mask=(ids != PAD).long(), output_hidden_states=True)
    logits = {"logits": found.logits.numpy()} if "logits" in found else {}
    return {"hidden": found.hidden_states[-1].numpy(), **logits}


def make(args):
    model, ids = random_model(args), random_inputs(args)
    model.save_pretrained(args.folder)
    if not args.only_safetensors:
        state = model.state_dict()
        torch.save(state, args.folder / "zip.bin")
        torch.save(state, args.folder / "legacy.bin", _use_new_zipfile_serialization=False)
        torch.save({name: tensor.bfloat16() for name, tensor in state.items()}, args.folder / "bfloat16.bin")
    np.savez_compressed(args.folder / "outputs.npz", ids=ids, **outputs(model, ids))


def run(args):
    """Load a folder as transformers' users do, refusing what it had to invent, and store its answers to `--inputs`."""
    kind = RobertaModel if args.bare else RobertaForMaskedLM
    options = {"add_pooling_layer": False} if args.bare else {}
    model, report = kind.from_pretrained(args.folder, output_loading_info=True, **options)
    faults = {name: sorted(map(str, value)) for name, value in report.items() if value}
    assert not faults, faults
    np.savez(args.out, **outputs(model.eval(), np.load(args.inputs)["ids"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=("make", "run"))
    parser.add_argument("folder", type=Path)
    sizes = {"layers": 2, "width": 16, "heads": 2, "vocab": 120, "positions": 24, "rows": 3, "length": 11, "seed": 7}
    for name, default in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--spread", type=float, default=0.3)
    parser.add_argument("--never", type=int, help="a token whose logit is far below all others")
    parser.add_argument("--only-safetensors", action="store_true")
    parser.add_argument("--inputs", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--bare", action="store_true")
    args = parser.parse_args()
    (make if args.command == "make" else run)(args)


if __name__ == "__main__":
    main()
