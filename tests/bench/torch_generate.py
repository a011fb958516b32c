"""Texts by transformers.generate, its cache on: run with the Python of .venv-slow, never imported.

One argument, JSON: `folder` of a RobertaForMaskedLM, `prompts` (.npy, int64 [B, T], read from left to right, the start
token last), `out` (.npz), `threads`, and `options` of generate().

Answers each line of standard input, a number of runs, with one line: the seconds of each as a JSON list. `out` then
holds `ids`, int64 [B * texts, T + new], and the `scores` if they were asked for.
"""

import json
import sys
import time

import numpy as np
import torch
from transformers import RobertaForCausalLM


def main():
    asked = json.loads(sys.argv[1])
    torch.set_num_threads(asked["threads"])
    model = RobertaForCausalLM.from_pretrained(asked["folder"], is_decoder=True).eval()
    prompts = torch.from_numpy(np.load(asked["prompts"]))
    # Left alone, generate() counts from 0; RoBERTa's own positions begin at 2.
    given = {"attention_mask": torch.ones_like(prompts), "position_ids": torch.arange(prompts.shape[1])[None] + 2}
    given["position_ids"] = given["position_ids"].expand_as(prompts)

    def run():
        begun = time.perf_counter()
        with torch.no_grad():
            found = model.generate(prompts, do_sample=False, return_dict_in_generate=True, **given, **asked["options"])
        seconds = time.perf_counter() - begun
        scores = getattr(found, "sequences_scores", None)
        np.savez(asked["out"], ids=found.sequences.numpy(), scores=np.zeros(0) if scores is None else scores.numpy())
        return seconds

    for line in sys.stdin:
        print(json.dumps([run() for _ in range(int(line))]), flush=True)


if __name__ == "__main__":
    main()
