"""Stands for tools/train.py and tools/evaluate.py: `stub_tool.py train|evaluate -c CONFIG [--weights DIR]`.

Training notes each call in the file that STUB_CALLS names, and takes train.save_every milliseconds. It fails where
masking.span_rate is 0.5 until a file `mended` lies beside that file. The score is 100 * learning rate + seed.
"""

import json
import os
import sys
import time
from pathlib import Path

import yaml


def train(run: dict) -> int:
    calls = Path(os.environ["STUB_CALLS"])
    output = Path(run["output"]["directory"])
    output.mkdir(parents=True, exist_ok=True)
    gpu = os.environ.get("CUDA_VISIBLE_DEVICES", "all")
    with calls.open("a") as file:
        file.write(f"train {run['train']['seed']} {os.environ['MKL_NUM_THREADS']} {os.getpid()} {gpu}\n")
    time.sleep(run["train"]["save_every"] / 1000)
    if run["masking"]["span_rate"] == 0.5 and not (calls.parent / "mended").exists():
        print("something about it\nerror: span_rate is\nno good", file=sys.stderr)
        return 2
    if run["masking"]["span_rate"] == 0.6:
        os.kill(os.getpid(), 9)
    steps = [
        {"step": step, "kind": "pair", "loss": 10.0 - step, "losses": {"words": 2.0 * step}, "lr": 0.1,
         "grad_norm": 1.0, "scale": 1.0, "overflows": 0, "examples": 4, "tokens": 100, "rows": 120, "flops": 1e6,
         "seconds": 0.5, "phases": {}, "memory": 1, "time": 0.0}
        for step in range(1, 11)
    ]  # fmt: skip
    (output / "metrics.jsonl").write_text("".join(json.dumps(step) + "\n" for step in steps))
    (output / "probes.jsonl").write_text(json.dumps({"step": 5, "values": {"seen": 7.0}, "texts": {}}) + "\n")
    (output / "data.json").write_text(json.dumps({"corpus": os.environ.get("STUB_DATA", "a")}))
    return 0


def evaluate(run: dict, weights: Path) -> int:
    with Path(os.environ["STUB_CALLS"]).open("a") as file:
        file.write(f"evaluate {run['train']['seed']} {run['evaluation']['split']}\n")
    if run["masking"]["region_rate"] == 0.5:
        print("no JSON")
        return 0
    score = 100 * run["optimizer"]["peak_lr"] + run["train"]["seed"]
    found = {"accuracy": score, "accuracy_low": score - 1, "groups": {"yes/no": 5}, "f1": -score, "queries": 3}
    print("a table")
    print(json.dumps({"split": run["evaluation"]["split"], "weights": str(weights), **found}))
    return 0


if __name__ == "__main__":
    settings = yaml.safe_load(Path(sys.argv[sys.argv.index("-c") + 1]).read_text())
    if sys.argv[1] == "train":
        sys.exit(train(settings))
    sys.exit(evaluate(settings, Path(sys.argv[sys.argv.index("--weights") + 1])))
