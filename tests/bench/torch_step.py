"""A training step in PyTorch, for `make bench`: run by step_speed.py with the Python of .venv-slow, never imported.

tuned: the same work as ours, with transformers' modules: the head at the labelled positions only, the last layer for
their rows alone, the optimizer fused.  plain: RobertaForMaskedLM as one would write it at first, logits everywhere.

Answers each line of standard input, a number of steps, with one line: the seconds of each step as a JSON list.
"""

import json
import sys
import time

import torch
from torch import nn
from transformers import RobertaConfig, RobertaForMaskedLM


def make_model(shape):
    """Return a RobertaForMaskedLM in training mode, dropout 0.1 everywhere, with untrained weights."""
    config = RobertaConfig(
        vocab_size=shape["vocab"], hidden_size=shape["width"], num_hidden_layers=shape["layers"],
        num_attention_heads=shape["heads"], intermediate_size=4 * shape["width"], max_position_embeddings=514,
        type_vocab_size=1, layer_norm_eps=1e-5, attn_implementation=shape["attention"],
    )  # fmt: skip
    return RobertaForMaskedLM(config).train()


def make_batch(shape):
    """Return ids [B, T], mask [B, T] and labels [B, T] (-100 where nothing is hidden)."""
    torch.manual_seed(1)
    size = (shape["batch"], shape["tokens"])
    ids = torch.randint(3, shape["vocab"], size)
    labels = torch.full(size, -100)
    rows = torch.arange(0, ids.numel(), shape["stride"])
    labels.view(-1)[rows] = ids.view(-1)[rows]
    return ids, torch.ones(size, dtype=torch.int64), labels


def labelled_loss(model, ids, labels):
    """Return the mean cross-entropy, with states of the last layer and logits at the labelled positions only."""
    rows = (labels.view(-1) != -100).nonzero().squeeze(1)
    hidden = model.roberta.embeddings(input_ids=ids)
    *lower, last = model.roberta.encoder.layer
    for layer in lower:
        hidden = layer(hidden)
    logits = model.lm_head(last_states(last, hidden, *readers_and_places(rows, *ids.shape)))
    return nn.functional.cross_entropy(logits, labels.view(-1)[rows])


def last_states(layer, hidden, readers, places):
    """Return the layer's states of some rows alone, [N, H], as ours does (EncoderLayer.forward in model/layers.py)."""
    attention, (batch, _, width) = layer.attention.self, hidden.shape
    asked = hidden.view(-1, width).index_select(0, readers)
    query, key, value = (
        part(x).view(batch, -1, attention.num_attention_heads, attention.attention_head_size).transpose(1, 2)
        for part, x in ((attention.query, asked), (attention.key, hidden), (attention.value, hidden))
    )
    rate = attention.dropout.p if layer.training else 0.0
    mixed = nn.functional.scaled_dot_product_attention(query, key, value, dropout_p=rate)
    mixed = mixed.transpose(1, 2).reshape(-1, width).index_select(0, places)
    return layer.feed_forward_chunk(layer.attention.output(mixed, asked.index_select(0, places)))


def readers_and_places(rows, batch, tokens):
    """Return flat indices of as many rows of each sequence, the first where it has fewer, and the places of `rows`,
    sorted flat indices, among them (to_read in model/inputs.py)."""
    sequence = rows // tokens
    counts = torch.bincount(sequence, minlength=batch)
    most = int(counts.max())
    places = sequence * most + torch.arange(len(rows)) - (counts.cumsum(0) - counts)[sequence]
    readers = (torch.arange(batch) * tokens).repeat_interleave(most)
    readers[places] = rows
    return readers, places


def main():
    shape = json.loads(sys.argv[1])
    torch.set_num_threads(shape["threads"])
    tuned = shape["variant"] == "tuned"
    model, batch = make_model(shape), make_batch(shape)
    settings = {"lr": 1e-4, "betas": (0.9, 0.98), "weight_decay": 0.01, "fused": tuned or None}
    optimizer = torch.optim.AdamW(model.parameters(), **settings)

    def step():
        begun = time.perf_counter()
        ids, mask, labels = batch
        loss = labelled_loss(model, ids, labels) if tuned else model(ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return time.perf_counter() - begun

    for line in sys.stdin:
        print(json.dumps([step() for _ in range(int(line))]), flush=True)


if __name__ == "__main__":
    main()
