#!/usr/bin/env python3
"""Ask a fine-tuned model: any task, from pictures and words as they are.

    python tools/predict.py --weights runs/vqa_base --image dog.jpg --text "What is on the left?"
    python tools/predict.py --weights runs/snli_ve_base --jsonl questions.jsonl --out answers.jsonl
    python tools/predict.py --weights runs/flickr30k_base --image a.jpg b.jpg --text "A dog in the snow."

The last line on standard output is JSON. Exit status: 0 done, 1 failed, 2 the request is wrong.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from unimo_paddle.environment import tune_process

if __name__ == "__main__":
    tune_process()

from unimo_paddle.console import path, run_tool, say


def main(words: list[str]) -> int:
    """Parse, load the model, answer, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=path, required=True, help="folder of a fine-tuning run, or of a checkpoint")
    parser.add_argument("-o", "--override", nargs="+", action="extend", default=[], metavar="KEY=VALUE",
                        help="settings of the run to change, e.g. decoding.beams=10")  # fmt: skip
    parser.add_argument("--image", nargs="+", default=[], metavar="FILE", help="picture, or id in the region store")
    parser.add_argument("--text", nargs="+", default=[], help="question, caption, sentence or source")
    parser.add_argument("--text-b", help="second sentence of a pair")
    parser.add_argument("--jsonl", type=path, help="many inputs, also dialogues: the fields of a record a line")
    parser.add_argument("--out", type=path, help="JSONL to write the answers to")
    parser.add_argument("--detector", type=path, help="detector for pictures; left out: the run's data.detector")
    parser.add_argument("--explain", type=path, help="HTML page to write: where each word looks, answers, beams")
    args = parser.parse_args(words)
    from unimo_paddle.build import answered, asked, explaining, predicting
    from unimo_paddle.build.task_sources import task_of
    from unimo_paddle.files import require_writable

    for file in filter(None, (args.out, args.explain)):
        require_writable(file, [*filter(None, [args.jsonl]), *map(Path, args.image)])
    run = predicting.run_of(args.weights, args.override)
    task = task_of(run)
    inputs = asked.asked(task, args.image, args.text, args.text_b, args.jsonl)
    loaded = predicting.load(run, args.weights, inputs, args.detector)
    said = predicting.answers(loaded)
    for line in answered.lines(task, said):
        say(line)
    if args.out:
        answered.write_answers(args.out, said)
    if args.explain:
        explaining.explain(loaded, said, args.explain)
    told = {"out": str(args.out)} if args.out else {"answers": [answered.told(one) for one in said]}
    say(json.dumps({"task": run.task, "inputs": len(inputs), **told}, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    run_tool(main)
